"""A caller's own page: balance, calls, statement."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from billing.reports import statement
from ivr.web.call_pages import CALL_PATH, RECENT, detail_page, live_fragment, live_rows
from ivr.web.fields import PAGE_SIZE, read_cursor, write_cursor
from ivr.web.guard import Page, render
from ivr.web.lists import first_link, next_link
from ivr.web.queries.accounts import find_account, phones_of
from ivr.web.queries.calls import CallFilter, list_calls
from ivr.web.scope import CALLERS, Who
from ivr.web.state import web_of


async def show(request: web.Request, who: Who) -> web.Response:
    """Show the caller's account."""
    code = who.scope.subject or ""
    place = read_cursor(request.query.get("after", ""), int)
    async with web_of(request).reading() as connection:
        account = await find_account(connection, who.scope, code)
        lines = await statement(
            connection, account.id, before=place[0] if place else None, limit=PAGE_SIZE + 1
        )
        calls = await list_calls(connection, who.scope, CallFilter(), limit=RECENT)
        numbers = await phones_of(connection, code)
    more = len(lines) > PAGE_SIZE
    cursor = write_cursor(lines[PAGE_SIZE - 1].seq) if more else None
    return render(
        request,
        "account/home.html",
        who,
        {
            "account": account,
            "phones": numbers,
            "calls": calls,
            "lines": lines[:PAGE_SIZE],
            "next": next_link(request, cursor),
            "first": first_link(request),
            "live": live_rows(request, who.scope),
        },
    )


async def live(request: web.Request, who: Who) -> web.Response:
    """Answer the caller's live calls alone."""
    return live_fragment(request, who)


PAGES: Final = (
    Page(method="GET", path="/account", roles=CALLERS, handler=show),
    Page(method="GET", path="/account/calls/live", roles=CALLERS, handler=live),
    Page(method="GET", path=f"/account/calls/{CALL_PATH}", roles=CALLERS, handler=detail_page),
)
