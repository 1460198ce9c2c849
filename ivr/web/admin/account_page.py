"""The page of one account: everything an operator must see of it, read in one go.

Its forms are handled beside it (money, identity, terms, plan); each shows this page again, with
what was typed and what is wrong, or leads back to it with a word about what was done. What the
page confirms it reads from the database: nothing of the address is shown itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Final

from aiohttp import web
from pydantic import AfterValidator, model_validator
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.errors import UnknownSubscription
from billing.invoicing import Invoicing
from billing.reports import Span, statement
from billing.storage.plan_rows import PlanVersion, Subscription, newest_plans
from billing.subscriptions import Subscriptions
from billing.wallet import Account
from ivr.directory.care import read_access, read_notes
from ivr.directory.rules import LANGUAGES
from ivr.web.account.frame import TRANSFER_ID
from ivr.web.call_pages import RECENT, LiveList, live_rows
from ivr.web.fields import (
    PAGE_SIZE,
    YEAR_MAX,
    YEAR_MIN,
    OptionalDay,
    PageInput,
    read_cursor,
    write_cursor,
)
from ivr.web.forms import new_key
from ivr.web.guard import render
from ivr.web.lists import first_link, next_link, read_filter
from ivr.web.queries.accounts import booked, find_account, phones_of, top_up_amount
from ivr.web.queries.calls import CallFilter, list_calls
from ivr.web.queries.plans import left_words
from ivr.web.scope import Who
from ivr.web.state import Web, web_of

PRESETS: Final = ("10", "20", "50", "100")
ACCOUNT_PATH: Final = "{code:[a-z0-9][a-z0-9_.-]*}"
KINDS: Final = (
    "top_up", "settle", "adjustment", "refund", "goodwill", "voucher", "payment", "opening",
    "fee", "subscription", "bundle",
)  # fmt: skip
DONE: Final = frozenset(
    {"status", "phone", "unlocked", "language", "limit", "terms", "note", "plan", "bundle", "pin"}
)
# Typed again by nobody else's eyes.
SECRET: Final = frozenset({"pin", "csrf"})


def _kind(text: str) -> str:
    if text and text not in KINDS:
        raise ValueError("choose one of the list")
    return text


class StatementForm(PageInput):
    """Which movements are shown."""

    kind: Annotated[str, AfterValidator(_kind)] = ""
    first: OptionalDay = None
    last: OptionalDay = None

    @model_validator(mode="after")
    def _in_order(self) -> StatementForm:
        if self.first is not None and self.last is not None and self.last < self.first:
            raise ValueError("the last day is before the first")
        return self

    def span(self) -> Span | None:
        """Return the days; None for all."""
        if self.first is None and self.last is None:
            return None
        oldest, newest = date(YEAR_MIN, 1, 1), date(YEAR_MAX, 12, 31)
        return Span(first=self.first or oldest, last=self.last or newest)


async def show(request: web.Request, who: Who) -> web.Response:
    """Show an account."""
    return await account_page(request, who, typed={}, errors={})


async def account_page(
    request: web.Request,
    who: Who,
    *,
    typed: Mapping[str, str],
    errors: Mapping[str, str],
    pin: str = "",
) -> web.Response:
    """Show an account, with what is wrong in one of its forms; a new `pin` is shown this once."""
    running, code = web_of(request), request.match_info["code"]
    async with running.reading() as connection:
        account = await find_account(connection, who.scope, code)
        values = await _values(request, who, connection, account)
    found, left = await _subscription(running, code)
    invoicing = Invoicing(engine=running.deps.engine, clock=running.deps.clock)
    values |= {
        "terms": await invoicing.terms(code),
        "invoices": await invoicing.list_invoices(account=code, unpaid=True),
        "subscription": found,
        "left": left_words(found, left) if found else [],
        "bundles": _bundles(found),
        "live": _live(request, who, code),
        "limits": _limits(running, account),
        "now_us": running.now_us(),
        "presets": PRESETS,
        "languages": LANGUAGES,
        "kinds": KINDS,
        "typed": {name: text for name, text in typed.items() if name not in SECRET},
        "errors": errors,
        "key": new_key(),
        "pin": pin,
        "incomplete": request.query.get("incomplete", "")
        if request.query.get("incomplete", "") in {"access", "plan"}
        else "",
        "done": request.query.get("done", "") if request.query.get("done", "") in DONE else "",
    }
    response = render(request, "admin/account.html", who, values, status=422 if errors else 200)
    if pin:
        response.headers["Cache-Control"] = "no-store"
    return response


async def _values(
    request: web.Request, who: Who, connection: AsyncConnection, account: Account
) -> dict[str, Any]:  # Any: what pages show
    form = read_filter(request, StatementForm)
    place = read_cursor(request.query.get("after", ""), int)
    lines = await statement(
        connection,
        account.id,
        before=place[0] if place else None,
        limit=PAGE_SIZE + 1,
        kind=form.value.kind or None,
        span=form.value.span(),
    )
    topped_up, adjusted = (request.query.get(name, "") for name in ("topped_up", "adjusted"))
    plans: dict[str, PlanVersion] = await newest_plans(connection)
    more = len(lines) > PAGE_SIZE
    return {
        "account": account,
        "phones": await phones_of(connection, account.code),
        "access": await read_access(connection, account.code, web_of(request).now_us()),
        "notes": await read_notes(connection, account.code),
        "calls": await list_calls(
            connection, who.scope, CallFilter(account=account.code), limit=RECENT
        ),
        "plans": [one for _, one in sorted(plans.items())],
        # Read back, so that what is confirmed is what was booked.
        "added": await top_up_amount(connection, account.id, topped_up)
        if TRANSFER_ID.fullmatch(topped_up)
        else None,
        "adjusted": await booked(connection, account.id, adjusted, ("adjustment",))
        if TRANSFER_ID.fullmatch(adjusted)
        else None,
        "form": form,
        "filtered": any(form.value.model_dump().values()),
        "lines": lines[:PAGE_SIZE],
        "next": next_link(request, write_cursor(lines[PAGE_SIZE - 1].seq) if more else None),
        "first": first_link(request),
    }


async def _subscription(running: Web, code: str) -> tuple[Subscription | None, list[Any]]:
    use = Subscriptions(engine=running.deps.engine, clock=running.deps.clock)
    try:
        return await use.show(code)
    except UnknownSubscription:
        return None, []


def _bundles(found: Subscription | None) -> list[tuple[str, str, int]]:
    """List what can be bought ahead: `meter:bundle`, in words, price."""
    if found is None:
        return []
    return [
        (f"{meter.unit}:{each.name}", f"{each.name}: {each.units // meter.one:,} {meter.unit}",
         each.price)
        for meter in found.plan.meters
        for each in meter.bundles
    ]  # fmt: skip


def _live(request: web.Request, who: Who, code: str) -> LiveList:
    found = live_rows(request, who.scope)
    return LiveList(
        calls=tuple(call for call in found.calls if call.account == code), mark=found.mark
    )


def _limits(running: Web, account: Account) -> list[tuple[str, int | None, int | None]]:
    """List the lines that limit what an account spends there: in a day, and without a PIN."""
    directory = running.deps.directory()
    return [
        (did.number, did.rules.daily_limit, did.rules.spend_limit)
        for did in sorted(directory.dids.values(), key=lambda did: did.number)
        if directory.client(did.client).currency == account.currency
        and (did.rules.daily_limit is not None or did.rules.spend_limit is not None)
    ]
