"""One account for operators: balance, statement, top-up, block."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Annotated, Final

from aiohttp import web
from pydantic import Field, ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.errors import IdempotencyConflict
from billing.money import Micros, format_amount
from billing.reports import statement
from ivr.web.call_pages import RECENT
from ivr.web.fields import PAGE_SIZE, Line, PageInput, TopUpAmount, read_cursor, write_cursor
from ivr.web.guard import Page, read_form, render
from ivr.web.lists import first_link, next_link
from ivr.web.problems import messages
from ivr.web.queries.accounts import find_account, has_pin, phones_of, top_up_amount
from ivr.web.queries.calls import CallFilter, list_calls
from ivr.web.scope import OPERATORS, Right, Who
from ivr.web.state import web_of

PRESETS: Final = ("10", "20", "50", "100")
ACCOUNT_PATH: Final = "{code:[a-z0-9][a-z0-9_.-]*}"
TRANSFER_ID: Final = re.compile(r"[0-9a-f-]{36}", re.ASCII)


class TopUpForm(PageInput):
    """A top-up. `key` came with the form, so that sending it twice adds the money once."""

    amount: TopUpAmount
    reason: Annotated[Line, Field(min_length=1)]
    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{16,64}$")]


async def show(request: web.Request, who: Who) -> web.Response:
    """Show an account."""
    return await _page(request, who, typed={}, errors={})


async def _page(
    request: web.Request, who: Who, *, typed: Mapping[str, str], errors: Mapping[str, str]
) -> web.Response:
    code = request.match_info["code"]
    place = read_cursor(request.query.get("after", ""), int)
    async with web_of(request).reading() as connection:
        account = await find_account(connection, who.scope, code)
        lines = await statement(
            connection, account.id, before=place[0] if place else None, limit=PAGE_SIZE + 1
        )
        values = {
            "account": account,
            "phones": await phones_of(connection, code),
            "has_pin": await has_pin(connection, code),
            "calls": await list_calls(
                connection, who.scope, CallFilter(account=code), limit=RECENT
            ),
            "added": await _added(request, connection, account.id),
        }
    more = len(lines) > PAGE_SIZE
    cursor = write_cursor(lines[PAGE_SIZE - 1].seq) if more else None
    values |= {
        "lines": lines[:PAGE_SIZE],
        "next": next_link(request, cursor),
        "first": first_link(request),
        "presets": PRESETS,
        "typed": typed,
        "errors": errors,
        "key": secrets.token_urlsafe(18),
    }
    return render(request, "admin/account.html", who, values, status=422 if errors else 200)


async def _added(
    request: web.Request, connection: AsyncConnection, account_id: int
) -> Micros | None:
    """Read back the top-up that led here, so that what is confirmed is what was booked."""
    transfer_id = request.query.get("topped_up", "")
    if not TRANSFER_ID.fullmatch(transfer_id):
        return None
    return await top_up_amount(connection, account_id, transfer_id)


async def top_up(request: web.Request, who: Who) -> web.StreamResponse:
    """Add money to an account, once per form."""
    code = request.match_info["code"]
    running = web_of(request)
    typed = await read_form(request)
    amount = typed.get("amount", "").strip() or typed.get("preset", "")
    sent = {name: text for name, text in typed.items() if text.strip()} | {"amount": amount}
    try:
        form = TopUpForm.model_validate(sent)
    except ValidationError as error:
        errors = messages(error)
        if not amount:
            errors["amount"] = "Choose an amount or write one."
        return await _page(request, who, typed=typed, errors=errors)
    try:
        done = await running.deps.wallet.top_up(
            code, form.amount, key=form.key, actor=who.login, memo=form.reason
        )
    except IdempotencyConflict:
        errors = {
            "amount": "This form was sent before with another amount. Look at the statement; "
            "if the money is still to be added, send it again."
        }
        return await _page(request, who, typed=typed, errors=errors)
    if not done.replayed:
        await running.note(
            who,
            "top up",
            code,
            before=format_amount(done.balance - done.amount),
            after=f"{format_amount(done.balance)} {done.currency}",
        )
    raise web.HTTPSeeOther(f"/admin/accounts/{code}?topped_up={done.transfer_id}")


async def set_status(request: web.Request, who: Who) -> web.StreamResponse:
    """Block an account, or let it spend again."""
    code = request.match_info["code"]
    wanted = (await read_form(request)).get("status", "")
    running = web_of(request)
    before = await running.deps.wallet.account(code)
    after = await running.deps.wallet.set_status(code, wanted)
    await running.note(who, "set status", code, before=before.status, after=after.status)
    raise web.HTTPSeeOther(f"/admin/accounts/{code}")


PAGES: Final = (
    Page(method="GET", path=f"/admin/accounts/{ACCOUNT_PATH}", roles=OPERATORS, handler=show),
    Page(
        method="POST",
        path=f"/admin/accounts/{ACCOUNT_PATH}/topups",
        roles=OPERATORS,
        handler=top_up,
        right=Right.MONEY,
    ),
    Page(
        method="POST",
        path=f"/admin/accounts/{ACCOUNT_PATH}/status",
        roles=OPERATORS,
        handler=set_status,
        right=Right.ACCOUNTS,
    ),
)
