"""Import and export: a file is looked at first, row by row, then applied as it was shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import Field

from ivr.bulk import topups
from ivr.bulk.account_sheet import COLUMNS
from ivr.bulk.fates import counted
from ivr.bulk.sheet import BYTES_MAX, ROWS_MAX, SheetRefused, write_sheet
from ivr.directory.catalog_export import export_parts
from ivr.web.admin.import_desk import (
    RIGHTS,
    begin,
    find_upload,
    is_blocked,
    look_at,
    refused_sheet,
    rows_of,
)
from ivr.web.downloads import send_parts
from ivr.web.fields import PAGE_SIZE, PageInput, read_cursor, write_cursor
from ivr.web.forms import read_sent
from ivr.web.guard import Page, render, uploaded
from ivr.web.language import gettext as _
from ivr.web.lists import first_link, next_link, read_filter
from ivr.web.scope import OPERATORS, Who
from ivr.web.state import web_of

FORM_BYTES: Final = 20_000
EXAMPLES: Final[Mapping[str, tuple[Sequence[str], ...]]] = {
    "accounts": (
        COLUMNS,
        ("carol", "", "prepaid", "USD", "", "20.00", "15551230001 15551230002", "482913", "en", ""),
        ("dave", "", "postpaid", "USD", "100.00", "", "15551230003", "", "", "active"),
    ),
    "topups": (
        topups.COLUMNS,
        ("carol", "25.00", "USD", "bank transfer of 3 March", "2026-03-03/0001"),
    ),
}


class UploadForm(PageInput):
    """What comes with the file; the file itself is read by its content."""

    name: Annotated[str, Field(max_length=200)] = ""


class CheckForm(PageInput):
    """Which upload, and which of its rows are listed."""

    upload: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9_-]*$")] = ""
    show: Literal["", "new", "changed", "unchanged", "refused"] = ""


class ApplyForm(PageInput):
    """The upload that is to be applied as it was shown."""

    upload: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]


async def show(request: web.Request, who: Who) -> web.Response:
    """Offer what can be imported and exported."""
    return _page(request, who, {})


def _page(request: web.Request, who: Who, errors: Mapping[str, str]) -> web.Response:
    values = {
        "errors": errors,
        "gone": "gone" in request.query,
        "rows_max": ROWS_MAX,
        "megabytes": BYTES_MAX // 1_000_000,
        "columns": {"accounts": COLUMNS, "topups": topups.COLUMNS},
    }
    return render(request, "admin/import.html", who, values, status=422 if errors else 200)


def _kind(request: web.Request) -> str:
    return request.path.rsplit("/import/", 1)[1].split("/")[0]


async def look(request: web.Request, who: Who) -> web.StreamResponse:
    """Look at a file: what would become of each row. Nothing is changed."""
    kind, body = _kind(request), uploaded(request, "file")
    sent = await read_sent(request, UploadForm)
    try:
        if sent.value is None:
            raise SheetRefused(" ".join(sent.errors.values()))
        upload = await look_at(web_of(request), who, kind, body)
    except SheetRefused as refused:
        return _page(request, who, {kind: str(refused)})
    raise web.HTTPSeeOther(f"/admin/import/check?upload={upload}")


async def check(request: web.Request, who: Who) -> web.StreamResponse:
    """Show what would become of each row; while an import runs, how far it is."""
    form = read_filter(request, CheckForm)
    running = web_of(request)
    upload = await find_upload(running, who, form.value.upload)
    if upload is None:
        raise web.HTTPSeeOther("/admin/import?gone")
    rows = rows_of(upload)
    place = read_cursor(request.query.get("after", ""), int)
    begin = place[0] if place else 0
    listed = [
        (number, fate)
        for number, fate in enumerate(rows)
        if not form.value.show or fate.what == form.value.show
    ]
    page = [fate for number, fate in listed if number >= begin]
    numbers = [number for number, _fate in listed if number >= begin]
    cursor = write_cursor(numbers[PAGE_SIZE]) if len(page) > PAGE_SIZE else None
    blocked = is_blocked(upload)
    values = {
        "upload": upload,
        "counts": counted(rows),
        "acting": 0 if blocked else len(upload.acting),
        "blocked": blocked,
        "fates": page[:PAGE_SIZE],
        "show": form.value.show,
        "stalled": upload.stalled(running.now_us()),
        "next": next_link(request, cursor),
        "first": first_link(request),
    }
    return render(request, "admin/import_check.html", who, values)


async def apply(request: web.Request, who: Who) -> web.StreamResponse:
    """Import what was shown; the page then tells how far it is. Sent twice it runs once."""
    sent = await read_sent(request, ApplyForm)
    upload = await find_upload(web_of(request), who, sent.value.upload) if sent.value else None
    if upload is None or upload.kind != _kind(request):
        gone = _("This file is no longer here: it was sent too long ago, or by somebody else.")
        return _page(request, who, {_kind(request): gone})
    await begin(request, who, upload)
    raise web.HTTPSeeOther(f"/admin/import/check?upload={upload.id}")


async def refused_rows(request: web.Request, who: Who) -> web.StreamResponse:
    """Answer the rows that were refused as they were sent, each with its reason."""
    form = read_filter(request, CheckForm)
    running = web_of(request)
    upload = await find_upload(running, who, form.value.upload)
    body = await refused_sheet(running, upload) if upload else None
    if upload is None or body is None:
        raise web.HTTPSeeOther("/admin/import?gone")
    return _file(body, f"refused-{upload.kind}.csv")


async def example(request: web.Request, who: Who) -> web.Response:  # noqa: ARG001 - a handler's shape
    """Answer a file that shows the columns."""
    kind = request.path.rsplit("-", 1)[1].removesuffix(".csv")
    return _file(write_sheet(EXAMPLES[kind]), f"{kind}.csv")


async def catalog(request: web.Request, who: Who) -> web.StreamResponse:  # noqa: ARG001 - a handler's shape
    """Answer prices, clients, lines and accounts as the catalog file that is read here."""
    deps = web_of(request).deps
    parts = (part.encode() async for part in export_parts(deps.engine, deps.clock))
    return await send_parts(request, parts, name="catalog.yaml", content_type="application/yaml")


def _file(body: bytes, name: str, content_type: str = "text/csv") -> web.Response:
    return web.Response(
        body=body,
        content_type=content_type,
        charset="utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )


PAGES: Final = (
    Page(method="GET", path="/admin/import", roles=OPERATORS, handler=show),
    Page(method="GET", path="/admin/import/check", roles=OPERATORS, handler=check),
    Page(method="GET", path="/admin/import/refused.csv", roles=OPERATORS, handler=refused_rows),
    *(
        Page(
            method="GET",
            path=f"/admin/import/example-{kind}.csv",
            roles=OPERATORS,
            handler=example,
        )
        for kind in EXAMPLES
    ),
    Page(method="GET", path="/admin/import/catalog.yaml", roles=OPERATORS, handler=catalog),
    *(
        Page(
            method="POST",
            path=f"/admin/import/{kind}",
            roles=OPERATORS,
            handler=look,
            right=right,
            upload_bytes_max=BYTES_MAX + FORM_BYTES,
        )
        for kind, right in RIGHTS.items()
    ),
    *(
        Page(
            method="POST",
            path=f"/admin/import/{kind}/apply",
            roles=OPERATORS,
            handler=apply,
            right=right,
        )
        for kind, right in RIGHTS.items()
    ),
)
