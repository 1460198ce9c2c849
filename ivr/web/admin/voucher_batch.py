"""One batch of vouchers: who redeemed which and when, and calling back a single one."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import Field

from billing.clock import moment_of
from billing.vouchers import COUNT_MAX
from ivr.bulk.sheet import write_sheet
from ivr.web.admin.vouchers import vouchers_of
from ivr.web.fields import PAGE_SIZE, PageInput, read_cursor, write_cursor
from ivr.web.forms import attempt, read_sent
from ivr.web.guard import Page, render
from ivr.web.lists import first_link, next_link, read_filter
from ivr.web.queries.vouchers import STATES, State, find_batch, list_vouchers
from ivr.web.scope import OPERATORS, Right, Who
from ivr.web.state import web_of

BATCH_PATH: Final = "{batch:[0-9a-f-]{36}}"


class VoucherFilter(PageInput):
    """Which vouchers of the batch are listed."""

    state: Literal["", "used", "open", "disabled", "expired"] = ""

    def wanted(self) -> State | None:
        """Return the state; None for all."""
        return self.state or None


class SerialForm(PageInput):
    """One voucher that is called back, by its number on the card."""

    serial: Annotated[int, Field(ge=1, le=COUNT_MAX)]


async def show(request: web.Request, who: Who) -> web.Response:
    """Show a batch and its vouchers."""
    return await _page(request, who)


async def _page(request: web.Request, who: Who, *, refused: str = "") -> web.Response:
    running = web_of(request)
    form = read_filter(request, VoucherFilter)
    place = read_cursor(request.query.get("after", ""), int)
    now_us = running.now_us()
    async with running.reading() as connection:
        batch = await find_batch(connection, who.scope, request.match_info["batch"], now_us=now_us)
        found = await list_vouchers(
            connection,
            who.scope,
            batch,
            now_us=now_us,
            state=form.value.wanted(),
            after=place[0] if place else 0,
            limit=PAGE_SIZE + 1,
        )
    cursor = write_cursor(found[PAGE_SIZE - 1].serial) if len(found) > PAGE_SIZE else None
    values = {
        "batch": batch,
        "vouchers": found[:PAGE_SIZE],
        "states": STATES,
        "form": form,
        "refused": refused,
        "next": next_link(request, cursor),
        "first": first_link(request),
    }
    status = 422 if refused else 200
    return render(request, "admin/voucher_batch.html", who, values, status=status)


async def disable_serial(request: web.Request, who: Who) -> web.StreamResponse:
    """Call back one voucher of the batch."""
    batch = request.match_info["batch"]
    sent = await read_sent(request, SerialForm)
    if sent.value is None:
        return await _page(request, who, refused=" ".join(sent.errors.values()))
    serial = sent.value.serial
    _none, refused = await attempt(vouchers_of(request).disable_serial(batch, serial))
    if refused:
        return await _page(request, who, refused=refused)
    await web_of(request).note(who, "disable voucher", f"{batch} {serial}")
    raise web.HTTPSeeOther(f"/admin/vouchers/{batch}?state=disabled")


async def export(request: web.Request, who: Who) -> web.Response:
    """Answer what became of the vouchers as CSV, without any code."""
    running = web_of(request)
    now_us = running.now_us()
    form = read_filter(request, VoucherFilter)
    async with running.reading() as connection:
        batch = await find_batch(connection, who.scope, request.match_info["batch"], now_us=now_us)
        found = await list_vouchers(
            connection,
            who.scope,
            batch,
            now_us=now_us,
            state=form.value.wanted(),
            limit=COUNT_MAX,
        )
    rows = [("serial", "state", "redeemed_at", "account", "transfer")]
    rows += [
        (
            str(one.serial),
            one.state,
            moment_of(one.used_us).isoformat() if one.used_us else "",
            one.account or "",
            one.transfer_id or "",
        )
        for one in found
    ]
    return web.Response(
        body=write_sheet(rows),
        content_type="text/csv",
        charset="utf-8",
        headers={"Content-Disposition": f'attachment; filename="batch-{batch.id}.csv"'},
    )


PAGES: Final = (
    Page(method="GET", path=f"/admin/vouchers/{BATCH_PATH}", roles=OPERATORS, handler=show),
    Page(
        method="GET", path=f"/admin/vouchers/{BATCH_PATH}/list.csv", roles=OPERATORS, handler=export
    ),
    Page(
        method="POST",
        path=f"/admin/vouchers/{BATCH_PATH}/disable",
        roles=OPERATORS,
        handler=disable_serial,
        right=Right.MONEY,
    ),
)
