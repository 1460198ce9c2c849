"""A client's payouts: what it has, what it can ask for, what became of that, its statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from aiohttp import web

from billing.domain.operations import AccountRef
from billing.domain.payouts import Payable
from billing.errors import UnknownAccount
from billing.money import format_amount
from billing.payouts import Payout
from billing.statements import PartyStatement, party_statement
from ivr.web import grid
from ivr.web.admin.payouts import payouts_of
from ivr.web.fields import PageInput, TopUpAmount
from ivr.web.forms import FormKey, attempt, new_key, read_sent
from ivr.web.grid import Grid
from ivr.web.guard import Page, render
from ivr.web.lists import read_filter
from ivr.web.portal.report import PeriodForm, periods
from ivr.web.scope import CLIENTS, NotYours, Right, Who
from ivr.web.state import web_of
from ivr.web.words import KINDS

LISTED_MAX: Final = 500


class RequestForm(PageInput):
    """A request; without an amount it is for all that is payable."""

    amount: TopUpAmount | None = None
    key: FormKey


async def show(request: web.Request, who: Who) -> web.Response:
    """Show what the client has and asked for."""
    return await _page(request, who, typed={}, errors={})


def _party(request: web.Request, who: Who) -> AccountRef:
    """Name the client's own account; nothing that is sent says whose it is."""
    client = web_of(request).deps.directory().clients.get(who.scope.client(None) or "")
    if client is None:
        raise NotYours
    return AccountRef(kind="client", code=client.code, currency=client.currency)


async def _page(
    request: web.Request, who: Who, *, typed: Mapping[str, str], errors: Mapping[str, str]
) -> web.Response:
    running = web_of(request)
    party = _party(request, who)
    form = read_filter(request, PeriodForm)
    today = running.now().date()
    span = form.value.span(today)
    use = payouts_of(running)
    try:
        payable = await use.payable(party)
        async with running.reading() as connection:
            statement = await party_statement(connection, party, span)
    except UnknownAccount:
        # Who has not earned anything yet has no account either.
        payable = Payable(posted=0, pending=0, requested=0)
        statement = PartyStatement(party=party, span=span, opening=0, movements=(), closing=0)
    terms = await use.terms(party.kind, party.code)
    found = await use.list_payouts(party=party, limit=LISTED_MAX)
    values = {
        "payable": payable,
        "terms": terms,
        "currency": party.currency,
        "payouts": _payouts(list(reversed(found))),
        "statement": statement,
        "movements": _movements(statement),
        "form": form,
        "span": span,
        "periods": periods(today),
        "typed": typed,
        "errors": errors,
        "key": new_key(),
    }
    return render(request, "portal/payouts.html", who, values, status=422 if errors else 200)


def _payouts(found: Sequence[Payout]) -> Grid:
    return Grid(
        caption="Payouts, newest first",
        titles=("Requested", "State", "Amount", "Paid"),
        rows=tuple(
            (
                grid.moment(one.requested_us),
                grid.badge(one.status.value),
                grid.money(one.amount, one.party.currency),
                grid.moment(one.paid_us),
            )
            for one in found
        ),
        empty="Nothing was requested yet.",
    )


def _movements(statement: PartyStatement) -> Grid:
    return Grid(
        caption="Statement",
        titles=("Day", "What", "Count", "Amount"),
        rows=tuple(
            (
                grid.day(one.day),
                grid.word(KINDS.get(one.kind, one.kind.replace("_", " ").capitalize())),
                grid.count(one.count),
                grid.money(one.amount, statement.party.currency),
            )
            for one in statement.movements
        ),
        empty="Nothing moved in this time.",
    )


async def ask(request: web.Request, who: Who) -> web.StreamResponse:
    """Request a payout, once per form."""
    party = _party(request, who)
    sent = await read_sent(request, RequestForm)
    form = sent.value
    if form is None:
        return await _page(request, who, typed=sent.typed, errors=sent.errors)
    running = web_of(request)
    done, refused = await attempt(
        payouts_of(running).request(
            party, key=f"web:{party.code}:{form.key}", actor=who.login, amount=form.amount
        )
    )
    if done is None:
        return await _page(request, who, typed=sent.typed, errors={"amount": refused})
    facts = f"{format_amount(done.amount)} {party.currency} to {party.code}"
    await running.note(who, "request payout", done.id, after=facts)
    raise web.HTTPSeeOther("/portal/payouts")


PAGES: Final = (
    Page(method="GET", path="/portal/payouts", roles=CLIENTS, handler=show),
    Page(method="POST", path="/portal/payouts", roles=CLIENTS, handler=ask, right=Right.MONEY),
)
