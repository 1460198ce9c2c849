"""How a caller tops up: with a voucher, or by hand as the provider says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from aiohttp import web
from pydantic import Field

from billing.money import format_amount
from billing.vouchers import Vouchers
from ivr.web.account.frame import TRANSFER_ID, code_of
from ivr.web.fields import Line, PageInput
from ivr.web.forms import FormKey, attempt, new_key, read_sent
from ivr.web.guard import Page, render
from ivr.web.language import gettext as _
from ivr.web.queries.accounts import find_account, top_up_amount
from ivr.web.queries.cards import CardFilter, list_payments
from ivr.web.scope import CALLERS, Who
from ivr.web.state import web_of

CARDS_SHOWN: Final = 10
# What was done, as the address names it: nothing of the address is shown itself.
DONE: Final = {
    "auto-on": "Your balance is topped up by itself from now on.",
    "auto-off": "Nothing is charged by itself any more. The card is kept.",
    "forgotten": "The card is forgotten.",
}


class VoucherForm(PageInput):
    """A voucher; `key` came with the form, so that sending it twice is one try."""

    code: Annotated[Line, Field(min_length=1)]
    key: FormKey


async def show(request: web.Request, who: Who) -> web.Response:
    """Show the ways to top up."""
    return await top_up_page(request, who, typed={}, errors={})


async def top_up_page(
    request: web.Request, who: Who, *, typed: Mapping[str, str], errors: Mapping[str, str]
) -> web.Response:
    """Show them with what is wrong in one of the forms."""
    running = web_of(request)
    transfer_id = request.query.get("topped_up", "")
    async with running.reading() as connection:
        account = await find_account(connection, who.scope, code_of(who))
        # Read back, so that what is confirmed is what was booked.
        added = (
            await top_up_amount(connection, account.id, transfer_id)
            if TRANSFER_ID.fullmatch(transfer_id)
            else None
        )
        paid = await list_payments(connection, who.scope, CardFilter(), limit=CARDS_SHOWN)
    cards = running.deps.cards
    done = request.query.get("done", "")
    values = {
        "cards": cards,
        "card": await cards.autos.find(account.code) if cards else None,
        "spent": await cards.autos.spent(account.code) if cards else 0,
        "card_rows": paid,
        "done": _(DONE[done]) if done in DONE else "",
        "account": account,
        "added": added,
        "transfer_id": transfer_id,
        "issuer": running.deps.issuer,
        "typed": typed,
        "errors": errors,
        "key": new_key(),
    }
    return render(request, "account/topup.html", who, values, status=422 if errors else 200)


async def redeem(request: web.Request, who: Who) -> web.StreamResponse:
    """Turn a voucher into money; wrong codes count together with those keyed in by phone."""
    sent = await read_sent(request, VoucherForm)
    form = sent.value
    if form is None:
        return await top_up_page(request, who, typed=sent.typed, errors=sent.errors)
    running, account = web_of(request), code_of(who)
    deps = running.deps
    vouchers = Vouchers(engine=deps.engine, clock=deps.clock, secret=deps.voucher_key)
    done, refused = await attempt(
        running.pins.redeem(
            account,
            lambda: vouchers.redeem(account, form.code, key=f"web:{form.key}", actor=who.login),
        )
    )
    if done is None:
        return await top_up_page(request, who, typed=sent.typed, errors={"code": refused})
    if not done.replayed:
        facts = f"{format_amount(done.amount)} {done.currency}"
        await running.note(who, "redeem voucher", account, after=facts)
    raise web.HTTPSeeOther(f"/account/topup?topped_up={done.transfer_id}")


PAGES: Final = (
    Page(method="GET", path="/account/topup", roles=CALLERS, handler=show),
    Page(method="POST", path="/account/vouchers", roles=CALLERS, handler=redeem),
)
