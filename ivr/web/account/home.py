"""A caller's first page: what can be spent, the call that runs, the last ones, the plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aiohttp import web

from billing.errors import UnknownSubscription
from billing.storage.plan_rows import Subscription
from billing.subscriptions import Subscriptions
from ivr.web.account.frame import code_of
from ivr.web.call_pages import live_rows
from ivr.web.guard import Page, render
from ivr.web.queries.accounts import find_account, has_pin, phones_of
from ivr.web.queries.calls import CallFilter, list_calls
from ivr.web.queries.plans import LeftOf, left_of
from ivr.web.scope import CALLERS, Who
from ivr.web.state import Web, web_of

LAST_CALLS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The caller's plan and what is left of each of its allowances."""

    subscription: Subscription
    left: tuple[LeftOf, ...]


async def show(request: web.Request, who: Who) -> web.Response:
    """Show the overview."""
    running, code = web_of(request), code_of(who)
    async with running.reading() as connection:
        values = {
            "account": await find_account(connection, who.scope, code),
            "calls": await list_calls(connection, who.scope, CallFilter(), limit=LAST_CALLS),
            "phones": await phones_of(connection, code),
            "has_pin": await has_pin(connection, code),
        }
    values |= {"live": live_rows(request, who.scope), "usage": await usage_of(running, code)}
    return render(request, "account/home.html", who, values)


async def usage_of(running: Web, account: str) -> Usage | None:
    """Read the live subscription of an account; None where there is none."""
    use = Subscriptions(engine=running.deps.engine, clock=running.deps.clock)
    try:
        found, left = await use.show(account)
    except UnknownSubscription:
        return None
    return Usage(subscription=found, left=tuple(left_of(found, left)))


PAGES: Final = (Page(method="GET", path="/account", roles=CALLERS, handler=show),)
