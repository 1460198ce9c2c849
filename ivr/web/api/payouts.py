"""Operations on payouts: what is payable, request, approve, reject, note that it was paid."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from billing import payouts
from billing.domain.operations import AccountRef
from billing.domain.payouts import PayoutStatus
from billing.errors import UnknownAccount
from billing.money import format_amount
from billing.payouts import Payouts
from ivr.calls.history import moment
from ivr.web.api.gate import Answer, Ask, Operation, idempotency_key
from ivr.web.api.models import Moment, Money, Output, Text
from ivr.web.api.paging import PageQuery
from ivr.web.api.places import PAYOUT
from ivr.web.fields import PAGE_SIZE, Code, Input, TopUpAmount
from ivr.web.problems import Refusal
from ivr.web.scope import CLIENTS, OPERATORS, NotYours, Right, Role

LISTED_MAX: Final = 200


class PayableQuery(Input):
    """Whose: a client's own by default, an operator names one."""

    client: Code | None = None


class Payable(Output):
    """What a client has: `pending` is held back for a time, `payable` may be requested."""

    client: str
    currency: str
    posted: Money
    pending: Money
    requested: Money
    payable: Money
    minimum: Money


class PayoutsQuery(PageQuery):
    """Which payouts."""

    status: Literal["requested", "approved", "paid", "rejected"] | None = None
    limit: Annotated[int, Field(ge=1, le=LISTED_MAX)] = PAGE_SIZE


class NewPayout(Input):
    """A request in whole cents; without an amount for all that is payable."""

    client: Code | None = None
    amount: TopUpAmount | None = None


class Rejection(Input):
    """Why a payout is rejected; its money goes back to the party."""

    note: Text


class Payout(Output):
    """A payout."""

    id: str
    party: str
    account: str
    amount: Money
    currency: str
    status: Literal["requested", "approved", "paid", "rejected"]
    requested_at: Moment
    requested_by: str | None
    decided_by: str | None
    paid_at: Moment | None
    note: str | None


class PayoutPage(Output):
    """A page of payouts, oldest first."""

    items: tuple[Payout, ...]
    next: str | None


async def payable(ask: Ask) -> Answer:
    """Say what a client has."""
    assert isinstance(ask.query, PayableQuery)
    party = _party(ask, ask.query.client)
    terms = await _use(ask).terms(party.kind, party.code)
    try:
        found = await _use(ask).payable(party)
        sums = (found.posted, found.pending, found.requested, found.payable)
    except UnknownAccount:
        sums = (0, 0, 0, 0)  # nothing was earned yet
    posted, pending, requested, free = map(format_amount, sums)
    return Answer(
        model=Payable(
            client=party.code,
            currency=party.currency,
            posted=posted,
            pending=pending,
            requested=requested,
            payable=free,
            minimum=format_amount(terms.minimum),
        )
    )


async def list_payouts(ask: Ask) -> Answer:
    """List payouts."""
    assert isinstance(ask.query, PayoutsQuery)
    query = ask.query
    found = await _use(ask).list_payouts(
        status=PayoutStatus(query.status) if query.status else None,
        party=None if ask.who.role is Role.OPERATOR else _party(ask, None),
        after=query.place(str) or "",
        limit=query.reach,
    )
    items, after = query.cut(found, lambda one: one.id)
    return Answer(
        model=PayoutPage(
            items=tuple(_payout(ask, one) for one in items),
            next=after,
        )
    )


async def ask_for(ask: Ask) -> Answer:
    """Request a payout, once per key."""
    assert isinstance(ask.body, NewPayout)
    party = _party(ask, ask.body.client)
    done = await _use(ask).request(
        party,
        key=f"api:{party.code}:{idempotency_key(ask)}",
        actor=ask.who.login,
        amount=ask.body.amount,
    )
    await ask.web.note(ask.who, "request payout", done.id, after=_said(done))
    return Answer(model=_payout(ask, done))


async def approve(ask: Ask) -> Answer:
    """Release a payout to the bank; again changes nothing."""
    done = await _use(ask).approve(ask.named("payout"), actor=ask.who.login)
    return await _decided(ask, "approve payout", done)


async def reject(ask: Ask) -> Answer:
    """Give the money back; again changes nothing."""
    assert isinstance(ask.body, Rejection)
    done = await _use(ask).reject(ask.named("payout"), actor=ask.who.login, note=ask.body.note)
    return await _decided(ask, "reject payout", done)


async def note_paid(ask: Ask) -> Answer:
    """Note that the bank paid it; again changes nothing."""
    done = await _use(ask).pay(ask.named("payout"), actor=ask.who.login)
    return await _decided(ask, "pay payout", done)


async def _decided(ask: Ask, action: str, done: payouts.Payout) -> Answer:
    await ask.web.note(ask.who, action, done.id, after=_said(done))
    return Answer(model=_payout(ask, done))


def _party(ask: Ask, wanted: str | None) -> AccountRef:
    """Name the client that is meant: its own, or the one that an operator names."""
    if wanted is None and ask.who.role is Role.OPERATOR:
        raise Refusal(
            "invalid_input",
            "Correct the fields that are named.",
            fields={"client": "Please fill this in."},
        )
    code = ask.who.scope.client(wanted)
    client = ask.web.deps.directory().clients.get(code or "")
    if client is None or wanted not in {None, code}:
        raise NotYours
    return AccountRef(kind="client", code=client.code, currency=client.currency)


def _use(ask: Ask) -> Payouts:
    return Payouts(engine=ask.web.deps.engine, clock=ask.web.deps.clock)


def _said(one: payouts.Payout) -> str:
    return f"{format_amount(one.amount)} {one.party.currency} to {one.party.code}"


def _payout(ask: Ask, one: payouts.Payout) -> Payout:
    ours = ask.who.role is Role.OPERATOR
    return Payout(
        id=one.id,
        party=one.party.kind,
        account=one.party.code,
        amount=format_amount(one.amount),
        currency=one.party.currency,
        status=one.status.value,
        requested_at=moment(one.requested_us) or "",
        requested_by=one.requested_by if ours else None,
        decided_by=one.decided_by if ours else None,
        paid_at=moment(one.paid_us),
        note=one.note,
    )


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/payouts/payable",
        name="showPayable",
        summary="Show what a client has earned, what is held back and what is payable",
        roles=OPERATORS | CLIENTS,
        handler=payable,
        query=PayableQuery,
        answer=Payable,
        problems=("not_found", "invalid_input"),
    ),
    Operation(
        method="GET",
        path="/payouts",
        name="listPayouts",
        summary="List payouts, oldest first",
        roles=OPERATORS | CLIENTS,
        handler=list_payouts,
        query=PayoutsQuery,
        answer=PayoutPage,
        problems=("not_found",),
    ),
    Operation(
        method="POST",
        path="/payouts",
        name="requestPayout",
        summary="Request a payout, once per key",
        roles=OPERATORS | CLIENTS,
        right=Right.MONEY,
        handler=ask_for,
        body=NewPayout,
        answer=Payout,
        needs_key=True,
        problems=(
            "not_found", "invalid_input", "unknown_account", "nothing_payable", "payouts_held",
        ),
    ),
    Operation(
        method="POST",
        path=f"/payouts/{PAYOUT}/approve",
        name="approvePayout",
        summary="Release a payout to the bank",
        roles=OPERATORS,
        right=Right.MONEY,
        handler=approve,
        answer=Payout,
        problems=("unknown_payout", "payout_not_movable", "payouts_held", "invalid_input"),
    ),
    Operation(
        method="POST",
        path=f"/payouts/{PAYOUT}/reject",
        name="rejectPayout",
        summary="Give the money of a payout back to its party",
        roles=OPERATORS,
        right=Right.MONEY,
        handler=reject,
        body=Rejection,
        answer=Payout,
        problems=("unknown_payout", "payout_not_movable", "invalid_input"),
    ),
    Operation(
        method="POST",
        path=f"/payouts/{PAYOUT}/paid",
        name="notePaid",
        summary="Note that the bank paid a payout",
        roles=OPERATORS,
        right=Right.MONEY,
        handler=note_paid,
        answer=Payout,
        problems=("unknown_payout", "payout_not_movable"),
    ),
)  # fmt: skip
