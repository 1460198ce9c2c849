"""Card payments for operators: what came in, what went back, and whether the processor agrees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import Field

from billing.domain.cards import CardPayment
from billing.errors import BillingError
from billing.money import format_amount
from ivr.payments.desk import CardDesk
from ivr.payments.port import CardsUnavailable, Outcome
from ivr.web.account.cards import PAYMENT_PATH, desk_of
from ivr.web.fields import PAGE_SIZE, Line, OptionalCode, PageInput, read_cursor, write_cursor
from ivr.web.forms import attempt, read_sent
from ivr.web.guard import Page, render
from ivr.web.language import gettext as _
from ivr.web.lists import first_link, next_link, read_filter
from ivr.web.queries.cards import CardFilter, CardRow, find_payment, list_payments
from ivr.web.scope import OPERATORS, Right, Who
from ivr.web.state import Web, web_of

STATES: Final = {
    "open": "Open",
    "paid": "Paid",
    "failed": "Failed",
    "expired": "Expired",
    "review": "For review",
    "closed": "Closed",
    "back": "Refunded or disputed",
    "owed": "Owed to us",
}


class CardsForm(PageInput):
    """Which payments."""

    state: Literal["", "open", "paid", "failed", "expired", "review", "closed", "back", "owed"] = ""
    account: OptionalCode = None


class CloseForm(PageInput):
    """What was decided about a payment for review."""

    note: Annotated[Line, Field(min_length=1)]


async def show(request: web.Request, who: Who) -> web.Response:
    """List card payments, newest first."""
    running = web_of(request)
    form = read_filter(request, CardsForm)
    place = read_cursor(request.query.get("after", ""), int, str)
    async with running.reading() as connection:
        rows = await list_payments(
            connection,
            who.scope,
            CardFilter(state=form.value.state or None, account=form.value.account),
            after=(place[0], place[1]) if place else None,
            limit=PAGE_SIZE + 1,
        )
    more, rows = len(rows) > PAGE_SIZE, rows[:PAGE_SIZE]
    last = rows[-1].payment if rows else None
    values = {
        "rows": rows,
        "form": form,
        "states": [("", _("All")), *((key, _(text)) for key, text in STATES.items())],
        "filtered": any(form.value.model_dump().values()),
        "configured": running.deps.cards is not None,
        "next": next_link(
            request, write_cursor(last.created_us, last.id) if more and last else None
        ),
        "first": first_link(request),
    }
    return render(request, "admin/cards.html", who, values)


async def detail(request: web.Request, who: Who) -> web.Response:
    """Show one payment."""
    return await _detail(request, who)


async def _detail(
    request: web.Request,
    who: Who,
    *,
    outcome: Outcome | None = None,
    problem: str = "",
    errors: Mapping[str, str] | None = None,
    status: int = 200,
) -> web.Response:
    """Show one payment; `outcome` is what the processor said a moment ago."""
    running = web_of(request)
    async with running.reading() as connection:
        row = await find_payment(connection, who.scope, request.match_info["payment"])
    values = {
        "row": row,
        "payment": row.payment,
        "outcome": outcome,
        "agrees": agrees(row, outcome) if outcome else None,
        "problem": problem,
        "errors": errors or {},
        "configured": running.deps.cards is not None,
        "done": _("It is closed.") if request.query.get("done") == "closed" else "",
    }
    return render(request, "admin/card.html", who, values, status=status)


def agrees(row: CardRow, outcome: Outcome) -> bool:
    """Tell whether the books say the same as the processor."""
    payment = row.payment
    if outcome.status != "paid":
        return payment.state not in {"paid", "review"}
    same = (outcome.amount, outcome.currency) == (payment.amount, payment.currency)
    return payment.state == "paid" and same and outcome.returned <= row.claimed


async def check(request: web.Request, who: Who) -> web.Response:
    """Ask the processor about a payment, write down what it says, and compare."""
    cards, running = desk_of(request), web_of(request)
    async with running.reading() as connection:
        row = await find_payment(connection, who.scope, request.match_info["payment"])
    try:
        outcome = await compare(running, who, cards, row.payment)
    except CardsUnavailable as error:
        return await _detail(request, who, problem=_sentence(error), status=503)
    return await _detail(request, who, outcome=outcome)


async def compare(running: Web, who: Who, cards: CardDesk, payment: CardPayment) -> Outcome:
    """Ask the processor about a payment, and write down what it says.

    Raises:
        CardsUnavailable: it does not answer.

    """
    # One that has ended is only looked at; one that is open may end by it.
    outcome = (
        await cards.ask(payment)
        if payment.state in {"open", "failed", "expired"}
        else await cards.processor.look(payment)
    )
    said = f"{outcome.status} {format_amount(outcome.amount)} {outcome.currency}".strip()
    await running.note(who, "compare card payment", payment.id, before=payment.state, after=said)
    return outcome


async def close(request: web.Request, who: Who) -> web.StreamResponse:
    """Close a payment that was for review, with what was decided."""
    sent = await read_sent(request, CloseForm)
    running = web_of(request)
    async with running.reading() as connection:
        row = await find_payment(connection, who.scope, request.match_info["payment"])
    if sent.value is None:
        return await _detail(request, who, errors=sent.errors, status=422)
    done, refused = await attempt(desk_of(request).payments.close(row.payment.id, sent.value.note))
    if done is None:
        return await _detail(request, who, errors={"note": refused}, status=422)
    await running.note(who, "close card payment", done.id, before="review", after=sent.value.note)
    raise web.HTTPSeeOther(f"/admin/payments/{done.id}?done=closed")


def _sentence(error: BillingError) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


PAGES: Final = (
    Page(method="GET", path="/admin/payments", roles=OPERATORS, handler=show),
    Page(method="GET", path=f"/admin/payments/{PAYMENT_PATH}", roles=OPERATORS, handler=detail),
    Page(
        method="POST",
        path=f"/admin/payments/{PAYMENT_PATH}/check",
        roles=OPERATORS,
        handler=check,
        right=Right.MONEY,
    ),
    Page(
        method="POST",
        path=f"/admin/payments/{PAYMENT_PATH}/close",
        roles=OPERATORS,
        handler=close,
        right=Right.MONEY,
    ),
)
