"""One account for operators: its money. Top-up, correction, block; the page itself is beside it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import Field, ValidationError

from billing.errors import IdempotencyConflict, InsufficientFunds
from billing.money import format_amount
from billing.wallet import ToppedUp
from ivr.web.admin.account_page import ACCOUNT_PATH, account_page, show
from ivr.web.fields import Line, PageInput, TopUpAmount
from ivr.web.forms import FormKey, read_sent
from ivr.web.guard import Page, read_form
from ivr.web.language import gettext as _
from ivr.web.problems import messages
from ivr.web.scope import OPERATORS, Right, Who
from ivr.web.state import Web, web_of
from ivr.web.words import plain_money


class TopUpForm(PageInput):
    """A top-up. `key` came with the form, so that sending it twice adds the money once."""

    amount: TopUpAmount
    reason: Annotated[Line, Field(min_length=1)]
    key: FormKey


class AdjustForm(PageInput):
    """A correction of the balance, once per form."""

    direction: Literal["credit", "debit"]
    adjust_amount: TopUpAmount
    adjust_reason: Annotated[Line, Field(min_length=1)]
    key: FormKey


async def top_up(request: web.Request, who: Who) -> web.StreamResponse:
    """Add money to an account, once per form."""
    code = request.match_info["code"]
    typed = await read_form(request)
    amount = typed.get("amount", "").strip() or typed.get("preset", "")
    sent = {name: text for name, text in typed.items() if text.strip()} | {"amount": amount}
    try:
        form = TopUpForm.model_validate(sent)
    except ValidationError as error:
        errors = messages(error)
        if not amount:
            errors["amount"] = _("Choose an amount or write one.")
        return await account_page(request, who, typed=typed, errors=errors)

    async def book() -> ToppedUp:
        return await web_of(request).deps.wallet.top_up(
            code, form.amount, key=form.key, actor=who.login, memo=form.reason
        )

    done, refused = await _booked(book)
    if done is None:
        return await account_page(request, who, typed=typed, errors={"amount": refused})
    await note_movement(web_of(request), who, "top up", done)
    raise web.HTTPSeeOther(f"/admin/accounts/{code}?topped_up={done.transfer_id}")


async def adjust(request: web.Request, who: Who) -> web.StreamResponse:
    """Correct a balance with a reason, once per form; never below what may be spent."""
    code = request.match_info["code"]
    sent = await read_sent(request, AdjustForm)
    form = sent.value
    if form is None:
        return await account_page(request, who, typed=sent.typed, errors=sent.errors)
    amount = form.adjust_amount if form.direction == "credit" else -form.adjust_amount

    async def book() -> ToppedUp:
        return await web_of(request).deps.wallet.adjust(
            code, amount, key=form.key, actor=who.login, memo=form.adjust_reason
        )

    done, refused = await _booked(book)
    if done is None:
        return await account_page(request, who, typed=sent.typed, errors={"adjust_amount": refused})
    await note_movement(web_of(request), who, "adjust", done, reason=form.adjust_reason)
    raise web.HTTPSeeOther(f"/admin/accounts/{code}?adjusted={done.transfer_id}")


async def _booked(book: Callable[[], Awaitable[ToppedUp]]) -> tuple[ToppedUp | None, str]:
    """Book it, or say why not in words for people."""
    try:
        return await book(), ""
    except IdempotencyConflict:
        return None, _(
            "This form was sent before with another amount. Look at the statement; "
            "if the money is still to be moved, send it again."
        )
    except InsufficientFunds as error:
        left = error.facts["spendable"]
        assert isinstance(left, int)
        return None, _("At most %(amount)s can be taken.", amount=plain_money(left))


async def note_movement(
    running: Web, who: Who, action: str, done: ToppedUp, *, reason: str = ""
) -> None:
    """Write down who moved the money of an account; a form that was sent twice did so once."""
    if done.replayed:
        return
    after = f"{format_amount(done.balance)} {done.currency}"
    await running.note(
        who,
        action,
        done.account,
        before=format_amount(done.balance - done.amount),
        after=f"{after}: {reason}" if reason else after,
    )


async def set_status(request: web.Request, who: Who) -> web.StreamResponse:
    """Block an account, or let it spend again."""
    code = request.match_info["code"]
    wanted = (await read_form(request)).get("status", "")
    running = web_of(request)
    before = await running.deps.wallet.account(code)
    after = await running.deps.wallet.set_status(code, wanted)
    await running.note(who, "set status", code, before=before.status, after=after.status)
    raise web.HTTPSeeOther(f"/admin/accounts/{code}?done=status")


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
        path=f"/admin/accounts/{ACCOUNT_PATH}/adjustments",
        roles=OPERATORS,
        handler=adjust,
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
