"""Paying by card: the amount here, the card on the processor's page, the end told by its message.

Browsers may not send our forms to other sites, so the answer is a page with a link to there.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import Field

from billing.domain.cards import CardPayment
from billing.errors import InvalidInput
from billing.money import Micros, format_amount
from billing.wallet import Account
from ivr.payments.desk import CardDesk
from ivr.payments.units import smallest
from ivr.web.account.frame import code_of, own_account
from ivr.web.account.money import top_up_page
from ivr.web.fields import Amount, PageInput
from ivr.web.forms import FormKey, attempt, read_sent
from ivr.web.guard import Page, render
from ivr.web.language import gettext as _
from ivr.web.problems import Refusal
from ivr.web.queries.accounts import find_account
from ivr.web.queries.cards import find_payment
from ivr.web.reauth import too_many
from ivr.web.scope import CALLERS, NotYours, Who
from ivr.web.security import is_secure
from ivr.web.state import web_of

PAYMENT_PATH: Final = "{payment:[0-9a-f-]{36}}"
PAGES_MAX: Final = 10


class CardForm(PageInput):
    """How much; a preset counts where nothing was typed."""

    preset: Amount | None = None
    amount: Amount | None = None
    save_card: Literal["yes"] | None = None
    key: FormKey

    def wanted(self) -> Micros | None:
        """Return the amount."""
        return self.amount if self.amount is not None else self.preset


class AutoForm(PageInput):
    """The limits of charges without the card's owner."""

    threshold: Amount
    auto_amount: Amount
    month_max: Amount
    agreed: Annotated[str, Field(pattern=r"^yes$")]


def desk_of(request: web.Request) -> CardDesk:
    """Return the desk for cards.

    Raises:
        NotYours: no processor is configured.

    """
    cards = web_of(request).deps.cards
    if cards is None:
        raise NotYours
    return cards


async def pay(request: web.Request, who: Who) -> web.StreamResponse:
    """Make the processor's page for an amount and lead to it."""
    cards = desk_of(request)
    sent = await read_sent(request, CardForm)
    form = sent.value
    account = await own_account(request, who)
    amount = form.wanted() if form else None
    errors = dict(sent.errors)
    if form is not None and amount is None:
        errors["amount"] = _("Choose or write an amount.")
    if amount is not None and (wrong := wrong_amount(cards, amount, account.currency)):
        errors["amount"] = wrong
    if form is None or amount is None or errors:
        errors = {("amount" if name == "preset" else name): text for name, text in errors.items()}
        return await top_up_page(request, who, typed=sent.typed, errors=errors)
    if account.status == "blocked":
        refusal = _("The account is blocked. Please contact your provider.")
        return await top_up_page(request, who, typed=sent.typed, errors={"amount": refusal})
    saves_card = form.save_card is not None
    try:
        payment = await open_page(
            request, who, account, amount, key=f"web:{form.key}", saves_card=saves_card
        )
    except InvalidInput as error:
        return await top_up_page(
            request, who, typed=sent.typed, errors={"amount": str(error.facts["reason"])}
        )
    raise web.HTTPSeeOther(f"/account/topup/{payment.id}")


async def open_page(
    request: web.Request, who: Who, account: Account, amount: Micros, *, key: str, saves_card: bool
) -> CardPayment:
    """Make the processor's page for an amount, once per key, and write down who began.

    Raises:
        Refusal: so many were made for this account that somebody tries cards.
        InvalidInput: the processor takes no such amount.

    """
    running, cards = web_of(request), desk_of(request)
    if wait := await running.logins.take({f"card page:{account.code}": PAGES_MAX}):
        raise Refusal("too_many_tries", too_many(wait), headers={"Retry-After": str(wait)})
    payment = await cards.open_page(
        account.code,
        amount,
        key=key,
        saves_card=saves_card,
        title=f"{running.deps.issuer.title}: {account.number}",
        back=f"{_base(request, cards)}/account/topup/",
    )
    facts = f"{format_amount(amount)} {account.currency}"
    await running.note(who, "begin card payment", account.code, after=facts)
    return payment


def wrong_amount(cards: CardDesk, amount: Micros, currency: str) -> str:
    """Say what is wrong with an amount; nothing when a card may be charged with it."""
    if not cards.minimum <= amount <= cards.maximum:
        return _("Write %(least)s to %(most)s %(currency)s.") % {
            "least": format_amount(cards.minimum),
            "most": format_amount(cards.maximum),
            "currency": currency,
        }
    if amount % smallest(currency):
        return _("A card is not charged smaller parts of the currency than it has coins for.")
    return ""


def _base(request: web.Request, cards: CardDesk) -> str:
    return cards.public_url or f"{'https' if is_secure(request) else 'http'}://{request.host}"


async def show(request: web.Request, who: Who) -> web.Response:
    """Show where a payment stands; the processor leads back to here."""
    running = web_of(request)
    async with running.reading() as connection:
        row = await find_payment(connection, who.scope, request.match_info["payment"])
        account = await find_account(connection, who.scope, code_of(who))
    cards = running.deps.cards
    values = {
        "row": row,
        "payment": row.payment,
        "account": account,
        "processor": cards.processor.name if cards else "",
    }
    return render(request, "account/card.html", who, values)


async def set_auto(request: web.Request, who: Who) -> web.StreamResponse:
    """Let the saved card be charged by itself, within limits that its owner sets."""
    cards, account = desk_of(request), await own_account(request, who)
    sent = await read_sent(request, AutoForm)
    form, errors = sent.value, dict(sent.errors)
    if "agreed" in errors:
        errors["agreed"] = _("Say that you agree.")
    if form is not None and (wrong := wrong_amount(cards, form.auto_amount, account.currency)):
        errors["auto_amount"] = wrong
    if form is None or errors:
        return await top_up_page(request, who, typed=sent.typed, errors=errors)
    card, refused = await attempt(
        cards.autos.set_limits(
            account.code,
            threshold=form.threshold,
            amount=form.auto_amount,
            month_max=form.month_max,
        )
    )
    if card is None:
        return await top_up_page(request, who, typed=sent.typed, errors={"threshold": refused})
    facts = (
        f"below {format_amount(form.threshold)} charge {format_amount(form.auto_amount)}, "
        f"at most {format_amount(form.month_max)} a month"
    )
    await web_of(request).note(who, "switch auto top-up on", account.code, after=facts)
    raise web.HTTPSeeOther("/account/topup?done=auto-on")


async def stop_auto(request: web.Request, who: Who) -> web.StreamResponse:
    """Switch it off, and keep the card."""
    cards, account = desk_of(request), code_of(who)
    _card, refused = await attempt(cards.autos.switch_off(account))
    if refused:
        return await top_up_page(request, who, typed={}, errors={"threshold": refused})
    await web_of(request).note(who, "switch auto top-up off", account)
    raise web.HTTPSeeOther("/account/topup?done=auto-off")


async def forget_card(request: web.Request, who: Who) -> web.StreamResponse:
    """Forget the saved card."""
    cards, account = desk_of(request), code_of(who)
    if await cards.autos.forget(account):
        await web_of(request).note(who, "forget card", account)
    raise web.HTTPSeeOther("/account/topup?done=forgotten")


PAGES: Final = (
    Page(method="POST", path="/account/topup/card", roles=CALLERS, handler=pay),
    Page(method="POST", path="/account/topup/auto", roles=CALLERS, handler=set_auto),
    Page(method="POST", path="/account/topup/auto/off", roles=CALLERS, handler=stop_auto),
    Page(method="POST", path="/account/topup/card/forget", roles=CALLERS, handler=forget_card),
    Page(method="GET", path=f"/account/topup/{PAYMENT_PATH}", roles=CALLERS, handler=show),
)
