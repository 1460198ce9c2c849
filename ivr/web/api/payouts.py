"""Operations on payouts: what is payable, request, approve, reject, note that it was paid."""

from __future__ import annotations

from typing import Final

from billing import payouts
from billing.domain.operations import AccountRef
from billing.domain.payouts import PayoutStatus
from billing.errors import NothingPayable, UnknownAccount
from billing.money import format_amount
from billing.payouts import Payouts
from ivr.calls.history import moment
from ivr.web.admin.payouts import DUE_LOOKED_AT, payouts_of
from ivr.web.api import payout_models as models
from ivr.web.api.gate import Answer, Ask, Operation, idempotency_key
from ivr.web.api.places import PAYOUT
from ivr.web.party_accounts import accounts_of_party
from ivr.web.party_money import read_money
from ivr.web.problems import wrong_fields
from ivr.web.queries.parties import KIND_OF_ROLE
from ivr.web.queries.payouts import due_parties, find_payout, list_own_payouts, moved_before
from ivr.web.scope import CLIENTS, OPERATORS, REFERRERS, RESELLERS, NotYours, Right, Role

PARTIES: Final = CLIENTS | RESELLERS | REFERRERS
Named = models.PayableQuery | models.NewPayout


async def payable(ask: Ask) -> Answer:
    """Say what a party has."""
    assert isinstance(ask.query, models.PayableQuery)
    party = await _party(ask, ask.query)
    async with ask.web.reading() as connection:
        money = await read_money(connection, party, ask.web.now_us())
    return Answer(
        model=models.Payable(
            party=party.kind,
            account=party.code,
            client=party.code if party.kind == "client" else None,
            currency=party.currency,
            posted=format_amount(money.payable.posted),
            pending=format_amount(money.payable.pending),
            requested=format_amount(money.payable.requested),
            payable=format_amount(money.payable.payable),
            minimum=format_amount(money.terms.minimum),
            held=money.held is not None,
        )
    )


async def list_payouts(ask: Ask) -> Answer:
    """List payouts."""
    assert isinstance(ask.query, models.PayoutsQuery)
    query = ask.query
    async with ask.web.reading() as connection:
        found = await list_own_payouts(
            connection,
            ask.who.scope,
            status=PayoutStatus(query.status) if query.status else None,
            kind=query.party,
            code=query.account,
            after=query.place(str) or "",
            limit=query.reach,
        )
    items, after = query.cut(found, lambda one: one.id)
    return Answer(
        model=models.PayoutPage(items=tuple(_payout(ask, one) for one in items), next=after)
    )


async def show(ask: Ask) -> Answer:
    """Show a payout, and what it was taken from."""
    async with ask.web.reading() as connection:
        one = await find_payout(connection, ask.who.scope, ask.named("payout"))
        opening, moved, closing = await moved_before(connection, ask.who.scope, one)
    return Answer(
        model=models.PayoutDetail(
            **_payout(ask, one).model_dump(),
            opening=format_amount(opening),
            moved=tuple(
                models.Movements(
                    kind=each.kind, count=each.count, amount=format_amount(each.amount)
                )
                for each in moved
            ),
            closing=format_amount(closing),
        )
    )


async def list_due(ask: Ask) -> Answer:
    """List who could be paid now."""
    async with ask.web.reading() as connection:
        found = await due_parties(
            connection, ask.who.scope, now_us=ask.web.now_us(), limit=DUE_LOOKED_AT
        )
    return Answer(
        model=models.Due(
            items=tuple(
                models.DueParty(
                    party=one.party.kind,
                    account=one.party.code,
                    currency=one.party.currency,
                    payable=format_amount(one.payable.payable),
                    held=one.held,
                )
                for one in found
            )
        )
    )


async def ask_for(ask: Ask) -> Answer:
    """Request a payout, once per key."""
    assert isinstance(ask.body, models.NewPayout)
    party = await _party(ask, ask.body)
    kind = "" if party.kind == "client" else f"{party.kind}:"
    try:
        done = await _use(ask).request(
            party,
            key=f"api:{kind}{party.code}:{idempotency_key(ask)}",
            actor=ask.who.login,
            amount=ask.body.amount,
        )
    except UnknownAccount:
        # The party is known; nothing was earned yet.
        terms = await _use(ask).terms(party.kind, party.code)
        raise NothingPayable(party=party.code, payable=0, minimum=terms.minimum) from None
    await ask.web.note(ask.who, "request payout", done.id, after=_said(done))
    return Answer(model=_payout(ask, done))


async def approve(ask: Ask) -> Answer:
    """Release a payout to the bank; again changes nothing."""
    done = await _use(ask).approve(ask.named("payout"), actor=ask.who.login)
    return await _decided(ask, "approve payout", done)


async def reject(ask: Ask) -> Answer:
    """Give the money back; again changes nothing."""
    assert isinstance(ask.body, models.Rejection)
    done = await _use(ask).reject(ask.named("payout"), actor=ask.who.login, note=ask.body.note)
    return await _decided(ask, "reject payout", done)


async def withdraw(ask: Ask) -> Answer:
    """Take back a request of one's own that nobody has decided yet; again changes nothing."""
    async with ask.web.reading() as connection:
        one = await find_payout(connection, ask.who.scope, ask.named("payout"))
    done = await _use(ask).withdraw(one.id, actor=ask.who.login)
    if one.status != done.status:
        await ask.web.note(ask.who, "withdraw payout", done.id, after=_said(done))
    return Answer(model=_payout(ask, done))


async def note_paid(ask: Ask) -> Answer:
    """Note that the bank paid it; again changes nothing."""
    done = await _use(ask).pay(ask.named("payout"), actor=ask.who.login)
    return await _decided(ask, "pay payout", done)


async def _decided(ask: Ask, action: str, done: payouts.Payout) -> Answer:
    await ask.web.note(ask.who, action, done.id, after=_said(done))
    return Answer(model=_payout(ask, done))


async def _party(ask: Ask, named: Named) -> AccountRef:
    """Name the account that is meant: the asker's own, or the one that an operator names.

    Raises:
        NotYours: there is no such party, or it is another's.
        Refusal: nobody is named, or the currency is not clear.

    """
    kind, code = _named(ask, named)
    refs = await accounts_of_party(ask.web, ask.who.scope, kind, code)
    known = {ref.currency: ref for ref in refs}
    if named.currency is None and kind == "client":
        client = ask.web.deps.directory().clients.get(code)
        return known[client.currency] if client else refs[0]
    if named.currency is None and len(refs) == 1:
        return refs[0]
    if named.currency not in known:
        raise wrong_fields({"currency": f"Name one of {', '.join(known)}."})
    return known[named.currency]


def _named(ask: Ask, named: Named) -> tuple[str, str]:
    wanted = ("client", named.client) if named.client else (named.party, named.account)
    if ask.who.role is Role.OPERATOR:
        kind, code = wanted
        if code is None:
            raise wrong_fields({"client": "Please fill this in."})
        return kind or "client", code
    own = (KIND_OF_ROLE[ask.who.role], ask.who.scope.subject or "")
    if wanted[0] not in {None, own[0]} or wanted[1] not in {None, own[1]}:
        raise NotYours
    return own


def _use(ask: Ask) -> Payouts:
    return payouts_of(ask.web)


def _said(one: payouts.Payout) -> str:
    return f"{format_amount(one.amount)} {one.party.currency} to {one.party.code}"


def _payout(ask: Ask, one: payouts.Payout) -> models.Payout:
    ours = ask.who.role is Role.OPERATOR
    return models.Payout(
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
        summary="Show what a party has earned, what is held back and what is payable",
        roles=OPERATORS | PARTIES,
        handler=payable,
        query=models.PayableQuery,
        answer=models.Payable,
        problems=("not_found", "invalid_input"),
    ),
    Operation(
        method="GET",
        path="/payouts/due",
        name="listDue",
        summary="List who could be paid now",
        roles=OPERATORS,
        handler=list_due,
        answer=models.Due,
    ),
    Operation(
        method="GET",
        path="/payouts",
        name="listPayouts",
        summary="List payouts, oldest first",
        roles=OPERATORS | PARTIES,
        handler=list_payouts,
        query=models.PayoutsQuery,
        answer=models.PayoutPage,
        problems=("not_found",),
    ),
    Operation(
        method="GET",
        path=f"/payouts/{PAYOUT}",
        name="showPayout",
        summary="Show a payout, and what it was taken from",
        roles=OPERATORS | PARTIES,
        handler=show,
        answer=models.PayoutDetail,
        problems=("not_found",),
    ),
    Operation(
        method="POST",
        path="/payouts",
        name="requestPayout",
        summary="Request a payout, once per key",
        roles=OPERATORS | PARTIES,
        right=Right.MONEY,
        handler=ask_for,
        body=models.NewPayout,
        answer=models.Payout,
        needs_key=True,
        problems=("not_found", "invalid_input", "nothing_payable", "payouts_held"),
    ),
    Operation(
        method="POST",
        path=f"/payouts/{PAYOUT}/approve",
        name="approvePayout",
        summary="Release a payout to the bank",
        roles=OPERATORS,
        right=Right.MONEY,
        handler=approve,
        answer=models.Payout,
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
        body=models.Rejection,
        answer=models.Payout,
        problems=("unknown_payout", "payout_not_movable", "invalid_input"),
    ),
    Operation(
        method="POST",
        path=f"/payouts/{PAYOUT}/withdraw",
        name="withdrawPayout",
        summary="Take back a request that nobody has decided yet",
        roles=PARTIES,
        right=Right.MONEY,
        handler=withdraw,
        answer=models.Payout,
        problems=("not_found", "payout_not_movable"),
    ),
    Operation(
        method="POST",
        path=f"/payouts/{PAYOUT}/paid",
        name="notePaid",
        summary="Note that the bank paid a payout",
        roles=OPERATORS,
        right=Right.MONEY,
        handler=note_paid,
        answer=models.Payout,
        problems=("unknown_payout", "payout_not_movable"),
    ),
)  # fmt: skip
