"""A caller's own page: balance, ways to top up, plan, phones and PIN, calls, statement."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from billing.errors import UnknownSubscription
from billing.reports import statement
from billing.storage.plan_rows import Subscription
from billing.subscriptions import Subscriptions
from ivr.web.call_pages import CALL_PATH, RECENT, detail_page, live_fragment, live_rows
from ivr.web.fields import PAGE_SIZE, read_cursor, write_cursor
from ivr.web.forms import new_key
from ivr.web.guard import Page, render
from ivr.web.lists import first_link, next_link
from ivr.web.portal.report import periods
from ivr.web.queries.accounts import find_account, has_pin, phones_of, top_up_amount
from ivr.web.queries.calls import CallFilter, list_calls
from ivr.web.queries.plans import left_words
from ivr.web.scope import CALLERS, Who
from ivr.web.state import Web, web_of

TRANSFER_ID: Final = re.compile(r"[0-9a-f-]{36}", re.ASCII)
# What was done, as the address names it: nothing of the address is shown itself.
DONE: Final = {
    "pin": "Your PIN is changed, on the phone too.",
    "phone": "The phone is removed: calls from it ask for account number and PIN.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The caller's plan and what is left of it, in words."""

    subscription: Subscription
    left: tuple[str, ...]


async def show(request: web.Request, who: Who) -> web.Response:
    """Show the caller's account."""
    return await home_page(request, who, typed={}, errors={})


async def home_page(
    request: web.Request, who: Who, *, typed: Mapping[str, str], errors: Mapping[str, str]
) -> web.Response:
    """Show it with what is wrong in one of its forms; a PIN is never shown again."""
    running, code = web_of(request), who.scope.subject or ""
    place = read_cursor(request.query.get("after", ""), int)
    done = request.query.get("done", "")
    transfer_id = request.query.get("topped_up", "")
    async with running.reading() as connection:
        account = await find_account(connection, who.scope, code)
        lines = await statement(
            connection, account.id, before=place[0] if place else None, limit=PAGE_SIZE + 1
        )
        values = {
            "account": account,
            "calls": await list_calls(connection, who.scope, CallFilter(), limit=RECENT),
            "phones": await phones_of(connection, code),
            "has_pin": await has_pin(connection, code),
            # Read back, so that what is confirmed is what was booked.
            "added": await top_up_amount(connection, account.id, transfer_id)
            if TRANSFER_ID.fullmatch(transfer_id)
            else None,
        }
    more = len(lines) > PAGE_SIZE
    values |= {
        "lines": lines[:PAGE_SIZE],
        "next": next_link(request, write_cursor(lines[PAGE_SIZE - 1].seq) if more else None),
        "first": first_link(request),
        "live": live_rows(request, who.scope),
        "usage": await _usage(running, code),
        "periods": periods(running.now().date()),
        "done": DONE.get(done, ""),
        "typed": {name: text for name, text in typed.items() if "pin" not in name},
        "errors": errors,
        "key": new_key(),
    }
    return render(request, "account/home.html", who, values, status=422 if errors else 200)


async def _usage(running: Web, account: str) -> Usage | None:
    use = Subscriptions(engine=running.deps.engine, clock=running.deps.clock)
    try:
        found, left = await use.show(account)
    except UnknownSubscription:
        return None
    return Usage(subscription=found, left=tuple(left_words(found, left)))


async def live(request: web.Request, who: Who) -> web.Response:
    """Answer the caller's live calls alone."""
    return live_fragment(request, who)


PAGES: Final = (
    Page(method="GET", path="/account", roles=CALLERS, handler=show),
    Page(method="GET", path="/account/calls/live", roles=CALLERS, handler=live),
    Page(method="GET", path=f"/account/calls/{CALL_PATH}", roles=CALLERS, handler=detail_page),
)
