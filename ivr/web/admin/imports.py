"""Import and export: a file is looked at first, row by row, then applied as it was shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import Field

from ivr.bulk import topups
from ivr.bulk.account_sheet import COLUMNS
from ivr.bulk.fates import Fate, counted
from ivr.bulk.run import Actor, read
from ivr.bulk.sheet import BYTES_MAX, ROWS_MAX, SheetRefused, write_sheet
from ivr.bulk.uploads import Upload
from ivr.directory.catalog_export import export_parts
from ivr.web.admin.accounts import currencies
from ivr.web.admin.import_jobs import importer_of, start
from ivr.web.downloads import send_parts
from ivr.web.fields import PAGE_SIZE, PageInput, read_cursor, write_cursor
from ivr.web.forms import read_sent
from ivr.web.guard import Page, render, uploaded
from ivr.web.language import gettext as _
from ivr.web.lists import first_link, next_link, read_filter
from ivr.web.scope import OPERATORS, Right, Who
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
    kind, running = _kind(request), web_of(request)
    body = uploaded(request, "file")
    sent = await read_sent(request, UploadForm)
    name = {"accounts": "accounts.csv", "topups": "topups.csv"}.get(kind, "catalog.yaml")
    importer = importer_of(running)
    try:
        if sent.value is None:
            raise SheetRefused(" ".join(sent.errors.values()))
        fates = await importer.look(kind, body, name, currencies(running))
    except SheetRefused as refused:
        return _page(request, who, {kind: str(refused)})
    shown = [_allowed(fate, kind, who) for fate in fates]
    upload = await importer.uploads.keep(
        kind=kind, login=who.login, session=who.session, name=name, body=body, shown=shown
    )
    raise web.HTTPSeeOther(f"/admin/import/check?upload={upload}")


def _allowed(fate: Fate, kind: str, who: Who) -> Fate:
    """Refuse what the login may not do by hand either."""
    money = {"opening_balance", "credit_limit"}
    moves = kind == "accounts" and any(
        change.field in money and change.after != "0.00" for change in fate.changes
    )
    touches = kind == "catalog" and fate.subject.startswith(
        ("account ", "phone ", "PIN of", "language of", "billing of", "subscription")
    )
    needed = {Right.MONEY} if moves else {Right.MONEY, Right.ACCOUNTS} if touches else set()
    if not fate.acts or all(who.may(right) for right in needed):
        return fate
    said = _("Your login lacks the right to do this.")
    return Fate(line=fate.line, subject=fate.subject, what="refused", column="", reason=said)


async def check(request: web.Request, who: Who) -> web.StreamResponse:
    """Show what would become of each row; while an import runs, how far it is."""
    form = read_filter(request, CheckForm)
    upload = await _find(request, who, form.value.upload)
    if upload is None:
        raise web.HTTPSeeOther("/admin/import?gone")
    running = web_of(request)
    rows = upload.outcome if upload.state in {"done", "failed"} else upload.shown
    if upload.state in {"done", "failed"}:
        # What was refused from the start stays on the list.
        rows = (*rows, *(fate for fate in upload.shown if not fate.acts))
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
    blocked = upload.kind == "catalog" and any(fate.what == "refused" for fate in upload.shown)
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


async def _find(request: web.Request, who: Who, upload: str) -> Upload | None:
    running = web_of(request)
    async with running.reading() as connection:
        return await importer_of(running).uploads.find(
            connection, upload, login=who.login, session=who.session
        )


async def apply(request: web.Request, who: Who) -> web.StreamResponse:
    """Import what was shown; the page then tells how far it is. Sent twice it runs once."""
    sent = await read_sent(request, ApplyForm)
    upload = await _find(request, who, sent.value.upload) if sent.value else None
    if upload is None or upload.kind != _kind(request):
        gone = _("This file is no longer here: it was sent too long ago, or by somebody else.")
        return _page(request, who, {_kind(request): gone})
    blocked = upload.kind == "catalog" and any(fate.what == "refused" for fate in upload.shown)
    if not blocked and await importer_of(web_of(request)).uploads.start(upload):
        await web_of(request).note(
            who, f"import {upload.kind}", f"{len(upload.acting)} rows", after=upload.digest[:16]
        )
        start(request, upload, Actor(login=who.login, address=who.address))
    raise web.HTTPSeeOther(f"/admin/import/check?upload={upload.id}")


async def refused_rows(request: web.Request, who: Who) -> web.StreamResponse:
    """Answer the rows that were refused as they were sent, each with its reason."""
    form = read_filter(request, CheckForm)
    upload = await _find(request, who, form.value.upload)
    body = await importer_of(web_of(request)).uploads.body_of(upload) if upload else None
    if upload is None or body is None:
        raise web.HTTPSeeOther("/admin/import?gone")
    bad = {fate.line: fate for fate in (*upload.shown, *upload.outcome) if fate.what == "refused"}
    rows: list[Sequence[str]]
    if upload.kind == "catalog":
        rows = [("line", "field", "reason")]
        rows += [(str(fate.line), fate.column, fate.reason) for fate in bad.values()]
    else:
        sheet = read(upload.kind, body)
        titles = [title for title in sheet.titles if title]
        rows = [(*titles, "line", "column", "reason")]
        rows += [
            (
                *(row.get(title, "") for title in titles),
                str(line), bad[line].column, bad[line].reason,
            )
            for line, row in sheet.rows
            if line in bad
        ]  # fmt: skip
    return _file(write_sheet(rows), f"refused-{upload.kind}.csv")


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


RIGHTS: Final = {"accounts": Right.ACCOUNTS, "topups": Right.MONEY, "catalog": Right.LINES}

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
