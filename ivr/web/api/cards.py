"""Operations on card payments and kept cards: begin, list, compare, close; auto top-up."""

from __future__ import annotations

from typing import Final

from billing.domain.cards import SavedCard
from billing.money import format_amount
from ivr.calls.history import moment
from ivr.payments.desk import CardDesk
from ivr.web.account.cards import desk_of, open_page, wrong_amount
from ivr.web.admin.cards import agrees
from ivr.web.admin.cards import compare as ask_processor
from ivr.web.api import card_models as models
from ivr.web.api.gate import Answer, Ask, Operation, idempotency_key
from ivr.web.api.places import ACCOUNT, PAYMENT
from ivr.web.problems import Refusal, wrong_fields
from ivr.web.queries.accounts import find_account
from ivr.web.queries.cards import CardFilter, CardRow, find_payment, list_payments
from ivr.web.scope import CALLERS, OPERATORS, Right, Role


async def list_all(ask: Ask) -> Answer:
    """List card payments, newest first."""
    assert isinstance(ask.query, models.CardPaymentsQuery)
    query = ask.query
    async with ask.web.reading() as connection:
        found = await list_payments(
            connection,
            ask.who.scope,
            CardFilter(state=query.state, account=query.account),
            after=query.place(int, str),
            limit=query.reach,
        )
    items, after = query.cut(found, lambda one: (one.payment.created_us, one.payment.id))
    return Answer(
        model=models.CardPayments(items=tuple(_view(ask, one) for one in items), next=after)
    )


async def show(ask: Ask) -> Answer:
    """Show where a payment stands."""
    return Answer(model=_view(ask, await _row(ask)))


async def begin(ask: Ask) -> Answer:
    """Make the processor's page for an amount, once per key."""
    assert isinstance(ask.body, models.NewCardPayment)
    body, cards = ask.body, desk_of(ask.request)
    async with ask.web.reading() as connection:
        account = await find_account(connection, ask.who.scope, ask.named("account"))
    if wrong := wrong_amount(cards, body.amount, account.currency):
        raise wrong_fields({"amount": wrong})
    if account.status == "blocked":
        raise Refusal("account_blocked", "The account is blocked. Please contact your provider.")
    key = f"api:{account.code}:{idempotency_key(ask)}"
    payment = await open_page(
        ask.request, ask.who, account, body.amount, key=key, saves_card=body.save_card
    )
    async with ask.web.reading() as connection:
        row = await find_payment(connection, ask.who.scope, payment.id)
    return Answer(
        model=_view(ask, row),
        headers=(("Location", f"/api/v1/payments/{payment.id}"),),
    )


async def compare(ask: Ask) -> Answer:
    """Ask the processor about a payment, write down what it says, and compare."""
    cards, row = desk_of(ask.request), await _row(ask)
    outcome = await ask_processor(ask.web, ask.who, cards, row.payment)
    after = await _row(ask)
    return Answer(
        model=models.Compared(
            **_view(ask, after).model_dump(),
            processor_says=outcome.status,
            processor_amount=format_amount(outcome.amount),
            agrees=agrees(after, outcome),
        )
    )


async def close(ask: Ask) -> Answer:
    """Close a payment that was for review, with what was decided."""
    assert isinstance(ask.body, models.Closing)
    row, note = await _row(ask), ask.body.note
    done = await desk_of(ask.request).payments.close(row.payment.id, note)
    await ask.web.note(ask.who, "close card payment", done.id, before="review", after=note)
    return await show(ask)


async def show_card(ask: Ask) -> Answer:
    """Show the card that is kept."""
    cards, code = await _own(ask)
    return Answer(model=await _kept(cards, code))


async def set_auto(ask: Ask) -> Answer:
    """Let the kept card be charged by itself, within limits that its owner sets."""
    assert isinstance(ask.body, models.AutoTopUp)
    body, (cards, code) = ask.body, await _own(ask)
    async with ask.web.reading() as connection:
        account = await find_account(connection, ask.who.scope, code)
    if wrong := wrong_amount(cards, body.amount, account.currency):
        raise wrong_fields({"amount": wrong})
    await cards.autos.set_limits(
        code, threshold=body.threshold, amount=body.amount, month_max=body.month_max
    )
    facts = (
        f"below {format_amount(body.threshold)} charge {format_amount(body.amount)}, "
        f"at most {format_amount(body.month_max)} a month"
    )
    await ask.web.note(ask.who, "switch auto top-up on", code, after=facts)
    return Answer(model=await _kept(cards, code))


async def stop_auto(ask: Ask) -> Answer:
    """Switch it off, and keep the card."""
    cards, code = await _own(ask)
    await cards.autos.switch_off(code)
    await ask.web.note(ask.who, "switch auto top-up off", code)
    return Answer(model=await _kept(cards, code))


async def forget_card(ask: Ask) -> Answer:
    """Forget the kept card; again changes nothing."""
    cards, code = await _own(ask)
    if await cards.autos.forget(code):
        await ask.web.note(ask.who, "forget card", code)
    return Answer(model=await _kept(cards, code))


async def _own(ask: Ask) -> tuple[CardDesk, str]:
    async with ask.web.reading() as connection:
        account = await find_account(connection, ask.who.scope, ask.named("account"))
    return desk_of(ask.request), account.code


async def _row(ask: Ask) -> CardRow:
    async with ask.web.reading() as connection:
        return await find_payment(connection, ask.who.scope, ask.named("payment"))


async def _kept(cards: CardDesk, code: str) -> models.KeptCard:
    card: SavedCard | None = await cards.autos.find(code)
    on = card is not None and card.enabled
    return models.KeptCard(
        account=code,
        card=card.label if card else None,
        enabled=on,
        threshold=format_amount(card.threshold) if card and on else None,
        amount=format_amount(card.amount) if card and on else None,
        month_max=format_amount(card.month_max) if card and on else None,
        charged_this_month=format_amount(await cards.autos.spent(code)),
        failures=card.failures if card else 0,
        notice=card.notice if card else None,
    )


def _view(ask: Ask, row: CardRow) -> models.CardPaymentView:
    one = row.payment
    # What was decided about a payment by hand is the provider's to know.
    told = ask.who.role is Role.OPERATOR or one.state in {"failed", "expired"}
    return models.CardPaymentView(
        id=one.id,
        account=one.account,
        amount=format_amount(one.amount),
        currency=one.currency,
        kind=one.kind,
        state=one.state,
        url=one.url if one.state == "open" and ask.who.role is Role.CALLER else None,
        saves_card=one.saves_card,
        transfer_id=one.transfer_id,
        went_back=format_amount(row.claimed),
        owed=format_amount(row.owed),
        disputed=row.disputed,
        reason=one.reason if told else None,
        created_at=moment(one.created_us) or "",
        ended_at=moment(one.ended_us),
    )


KEPT: Final = ("not_found", "invalid_input")
OPERATIONS: Final = (
    Operation(
        method="GET", path="/payments", name="listCardPayments",
        summary="List card payments, newest first", roles=OPERATORS | CALLERS, handler=list_all,
        query=models.CardPaymentsQuery, answer=models.CardPayments,
    ),
    Operation(
        method="GET", path=f"/payments/{PAYMENT}", name="showCardPayment",
        summary="Show where a card payment stands", roles=OPERATORS | CALLERS, handler=show,
        answer=models.CardPaymentView, problems=("not_found",),
    ),
    Operation(
        method="POST", path=f"/payments/{PAYMENT}/check", name="compareCardPayment",
        summary="Ask the processor about a payment, write down what it says, and compare",
        roles=OPERATORS, right=Right.MONEY, handler=compare, answer=models.Compared,
        problems=("not_found", "cards_unavailable"),
    ),
    Operation(
        method="POST", path=f"/payments/{PAYMENT}/close", name="closeCardPayment",
        summary="Close a payment that was for review", roles=OPERATORS, right=Right.MONEY,
        handler=close, body=models.Closing, answer=models.CardPaymentView,
        problems=("not_found", "unknown_card_payment", "invalid_input"),
    ),
    Operation(
        method="POST", path=f"/accounts/{ACCOUNT}/payments", name="beginCardPayment",
        summary="Begin to top up by card, once per key; `url` is where it is paid", roles=CALLERS,
        handler=begin, body=models.NewCardPayment, answer=models.CardPaymentView, needs_key=True,
        statuses=(201,), located="showCardPayment",
        problems=("not_found", "invalid_input", "account_blocked", "cards_unavailable"),
        description="Card numbers are typed at the processor alone; the end is told by it.",
    ),
    Operation(
        method="GET", path=f"/accounts/{ACCOUNT}/card", name="showCard",
        summary="Show the card that is kept and when it is charged by itself", roles=CALLERS,
        handler=show_card, answer=models.KeptCard, problems=("not_found",),
    ),
    Operation(
        method="DELETE", path=f"/accounts/{ACCOUNT}/card", name="forgetCard",
        summary="Forget the card; again changes nothing", roles=CALLERS, handler=forget_card,
        answer=models.KeptCard, problems=("not_found",),
    ),
    Operation(
        method="PUT", path=f"/accounts/{ACCOUNT}/auto-topup", name="setAutoTopUp",
        summary="Let the kept card be charged by itself, within limits", roles=CALLERS,
        handler=set_auto, body=models.AutoTopUp, answer=models.KeptCard, problems=KEPT,
    ),
    Operation(
        method="DELETE", path=f"/accounts/{ACCOUNT}/auto-topup", name="stopAutoTopUp",
        summary="Charge nothing by itself any more, and keep the card", roles=CALLERS,
        handler=stop_auto, answer=models.KeptCard, problems=KEPT,
    ),
)  # fmt: skip
