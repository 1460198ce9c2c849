"""Payouts on both databases: what is payable, once, and the way of each payout."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.clock import microseconds_of
from billing.domain.operations import AccountRef, Post, PostedEntry
from billing.domain.payouts import BankAccount, PayoutStatus, PayoutTerms
from billing.errors import (
    IdempotencyConflict,
    InvalidInput,
    NothingPayable,
    PayoutNotMovable,
    UnknownAccount,
    UnknownPayout,
)
from billing.money import parse_amount
from billing.payouts import Payouts
from billing.reports import Span
from billing.statements import party_statement
from tests.books import START, Desk, flat, open_desk

ACME = AccountRef(kind="client", code="acme", currency="USD")
BANK = BankAccount(name="Acme IT Support", iban="LT121000011101001000", bic="HABALT22")
DAY = 86_400
PRICE = flat("0.60")


@pytest.fixture
async def desk(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(engine, tmp_path) as desk:
        await desk.caller("alice", "100")
        yield desk


@pytest.fixture
def payouts(desk: Desk) -> Payouts:
    return Payouts(engine=desk.engine, clock=desk.clock)


async def earn(desk: Desk, name: str, seconds: int) -> None:
    """Let the client earn 70 % of a cent a second."""
    terms = await desk.terms(name, "alice", PRICE)
    grant = await desk.charging.open(terms, slice_seconds=seconds, expires_seconds=300)
    await desk.settle(terms, seconds, grant.seconds)


async def test_shares_are_payable_after_the_hold_back(desk: Desk, payouts: Payouts) -> None:
    await earn(desk, "s1", 1_000)
    fresh = await payouts.payable(ACME)
    desk.clock.advance(20 * DAY)
    await earn(desk, "s2", 500)
    desk.clock.advance(11 * DAY)

    later = await payouts.payable(ACME)

    assert (fresh.posted, fresh.pending, fresh.payable) == (7_000_000, 7_000_000, 0)
    assert (later.posted, later.pending, later.payable) == (10_500_000, 3_500_000, 7_000_000)


async def test_a_payout_is_whole_cents_and_the_rest_stays(desk: Desk, payouts: Payouts) -> None:
    await earn(desk, "s1", 1_001)
    desk.clock.advance(31 * DAY)

    payout = await payouts.request(ACME, key="october", actor="test")
    left = await payouts.payable(ACME)

    assert payout.amount == 7_000_000
    assert (left.posted, left.requested, left.payable) == (7_000, 7_000_000, 0)
    assert await desk.proved()


async def test_a_refund_of_a_pending_share_lowers_what_is_pending_only(
    desk: Desk, payouts: Payouts
) -> None:
    await earn(desk, "s1", 1_000)
    desk.clock.advance(31 * DAY)
    await earn(desk, "s2", 1_000)
    transfer = await desk.transfer_of("s2")
    alice = AccountRef(kind="caller", code="alice", currency="USD")
    entries = (
        PostedEntry(account=ACME, amount=-7_000_000),
        PostedEntry(account=alice, amount=7_000_000),
    )
    await desk.writer.submit(
        Post(
            key="refund",
            transfer_id="refund",
            kind="refund",
            entries=entries,
            at_us=microseconds_of(desk.clock.now()),
            reverses=transfer,
        )
    )

    found = await payouts.payable(ACME)

    assert (found.posted, found.pending, found.payable) == (7_000_000, 0, 7_000_000)


async def test_twenty_requests_at_once_pay_once(desk: Desk, payouts: Payouts) -> None:
    await earn(desk, "s1", 1_000)
    desk.clock.advance(31 * DAY)

    answers = await asyncio.gather(
        *(payouts.request(ACME, key=f"try-{number}", actor="test") for number in range(20)),
        return_exceptions=True,
    )

    paid = [answer for answer in answers if not isinstance(answer, BaseException)]
    refused = [answer for answer in answers if isinstance(answer, NothingPayable)]
    assert (len(paid), len(refused)) == (1, 19)
    assert (await payouts.payable(ACME)).posted == 0
    assert await desk.proved()


async def test_the_same_key_asks_once(desk: Desk, payouts: Payouts) -> None:
    await earn(desk, "s1", 1_000)
    desk.clock.advance(31 * DAY)
    first = await payouts.request(ACME, key="october", actor="test")

    again = await payouts.request(ACME, key="october", actor="test")

    assert again == first
    with pytest.raises(IdempotencyConflict):
        await payouts.request(ACME, key="october", actor="test", amount=10_000)


async def test_a_payout_goes_from_requested_to_approved_to_paid(
    desk: Desk, payouts: Payouts
) -> None:
    await payouts.set_terms("client", "acme", PayoutTerms(bank=BANK))
    await earn(desk, "s1", 1_000)
    desk.clock.advance(31 * DAY)
    requested = await payouts.request(ACME, key="october", actor="acme")

    with pytest.raises(PayoutNotMovable):
        await payouts.pay(requested.id, actor="op")
    approved = await payouts.approve(requested.id, actor="op")
    paid = await payouts.pay(requested.id, actor="op")

    assert approved.bank == BANK
    assert await payouts.pay(requested.id, actor="op") == paid
    assert paid.status is PayoutStatus.PAID
    with pytest.raises(PayoutNotMovable):
        await payouts.reject(requested.id, actor="op", note="too late")
    assert await payouts.list_payouts(status=PayoutStatus.PAID) == [paid]
    assert await desk.proved()


async def test_a_rejected_payout_gives_the_money_back(desk: Desk, payouts: Payouts) -> None:
    await earn(desk, "s1", 1_000)
    desk.clock.advance(31 * DAY)
    requested = await payouts.request(ACME, key="october", actor="acme")

    with pytest.raises(InvalidInput):
        await payouts.reject(requested.id, actor="op", note=" ")
    rejected = await payouts.reject(requested.id, actor="op", note="IBAN is missing")

    assert (rejected.status, rejected.note) == (PayoutStatus.REJECTED, "IBAN is missing")
    assert (await payouts.payable(ACME)).payable == 7_000_000
    assert await desk.proved()


async def test_a_request_is_withdrawn_by_its_party_until_somebody_decides(
    desk: Desk, payouts: Payouts
) -> None:
    await earn(desk, "s1", 1_000)
    desk.clock.advance(31 * DAY)
    await payouts.set_terms("client", "acme", PayoutTerms(bank=BANK))
    first = await payouts.request(ACME, key="first", actor="acme")

    gone = await payouts.withdraw(first.id, actor="acme")
    again = await payouts.withdraw(first.id, actor="acme")
    second = await payouts.request(ACME, key="second", actor="acme")
    await payouts.approve(second.id, actor="olga")

    assert (gone.status, gone.withdrawn, again) == (PayoutStatus.REJECTED, True, gone)
    assert second.amount == first.amount
    with pytest.raises(PayoutNotMovable):
        await payouts.withdraw(second.id, actor="acme")
    with pytest.raises(UnknownPayout):
        await payouts.withdraw("nothing", actor="acme")
    assert await desk.proved()


async def test_of_withdrawal_and_approval_at_once_one_happens(desk: Desk, payouts: Payouts) -> None:
    await earn(desk, "s1", 1_000)
    desk.clock.advance(31 * DAY)
    await payouts.set_terms("client", "acme", PayoutTerms(bank=BANK))
    for number in range(5):
        asked = await payouts.request(ACME, key=f"k{number}", actor="acme", amount=1_000_000)

        ended = await asyncio.gather(
            payouts.withdraw(asked.id, actor="acme"),
            payouts.approve(asked.id, actor="olga"),
            return_exceptions=True,
        )

        refused = [one for one in ended if isinstance(one, BaseException)]
        assert [type(one) for one in refused] == [PayoutNotMovable]
    assert await desk.proved()


async def test_what_cannot_be_paid_is_refused_by_name(desk: Desk, payouts: Payouts) -> None:
    await earn(desk, "s1", 1_000)
    desk.clock.advance(31 * DAY)
    await payouts.set_terms("client", "acme", PayoutTerms(minimum=parse_amount("50")))

    with pytest.raises(NothingPayable):
        await payouts.request(ACME, key="small", actor="acme")
    await payouts.set_terms("client", "acme", PayoutTerms())
    payout = await payouts.request(ACME, key="small", actor="acme", amount=parse_amount("1.50"))
    with pytest.raises(InvalidInput, match="no bank account"):
        await payouts.approve(payout.id, actor="op")
    with pytest.raises(NothingPayable):
        await payouts.request(ACME, key="big", actor="acme", amount=parse_amount("5.51"))
    with pytest.raises(UnknownAccount):
        await payouts.payable(AccountRef(kind="referrer", code="nobody", currency="USD"))
    with pytest.raises(UnknownPayout):
        await payouts.approve("nothing", actor="op")
    with pytest.raises(InvalidInput):
        await payouts.set_terms("caller", "alice", PayoutTerms())


async def test_a_statement_leads_from_the_opening_to_the_closing_balance(
    desk: Desk, payouts: Payouts
) -> None:
    await earn(desk, "s1", 1_000)
    desk.clock.advance(40 * DAY)
    await earn(desk, "s2", 100)
    await earn(desk, "s3", 100)
    await payouts.request(ACME, key="october", actor="acme")
    today = desk.clock.now().date()

    async with desk.engine.connect() as connection:
        found = await party_statement(connection, ACME, Span(first=today, last=today))
        whole = await party_statement(connection, ACME, Span(first=START.date(), last=today))

    assert (found.opening, found.closing) == (7_000_000, 1_400_000)
    assert [(line.kind, line.count, line.amount) for line in found.movements] == [
        ("payout", 1, -7_000_000),
        ("settle", 2, 1_400_000),
    ]
    assert (whole.opening, whole.closing) == (0, found.closing)
    assert found.closing == (await payouts.payable(ACME)).posted
