"""Card payments on both databases: credited once, taken back as far as money is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import permutations
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.card_payments import CardPayments
from billing.domain.cards import Claim, Paid
from billing.errors import IdempotencyConflict, UnknownCardPayment
from billing.money import parse_amount
from tests.books import Desk, open_desk

SUM = parse_amount("20")


@pytest.fixture
async def desk(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(engine, tmp_path) as desk:
        await desk.caller("alice", "5")
        yield desk


def _cards(desk: Desk) -> CardPayments:
    return CardPayments(engine=desk.engine, clock=desk.clock)


def paid(payment: str, amount: int = SUM, currency: str = "USD") -> Paid:
    return Paid(payment=payment, intent=f"pi-{payment}", amount=amount, currency=currency)


def claim(payment: str, amount: str, kind: str = "refund", *, won: bool = False) -> Claim:
    return Claim(
        id=f"{kind}-{payment}", intent=f"pi-{payment}", kind=kind, amount=parse_amount(amount),
        currency="USD", won=won,
    )  # fmt: skip


async def _spendable(desk: Desk) -> str:
    return f"{await desk.spendable('alice') / 1_000_000:g}"


async def test_twenty_messages_at_once_credit_one_payment_once(desk: Desk):
    cards = _cards(desk)
    payment = await cards.begin("alice", SUM, key="form-1")

    answers = await asyncio.gather(*(cards.credit(paid(payment.id)) for _ in range(20)))

    assert {(one.state, one.transfer_id) for one in answers} == {("paid", answers[0].transfer_id)}
    assert await _spendable(desk) == "25"
    assert await desk.proved()


async def test_the_same_form_is_one_payment_and_another_amount_a_conflict(desk: Desk):
    cards = _cards(desk)

    first = await cards.begin("alice", SUM, key="form-1")
    again = await cards.begin("alice", SUM, key="form-1")
    other = await cards.begin("alice", SUM, key="form-2")

    assert first.id == again.id != other.id
    with pytest.raises(IdempotencyConflict):
        await cards.begin("alice", SUM + 1, key="form-1")


@pytest.mark.parametrize(("amount", "currency"), [(SUM - 10_000, "USD"), (SUM, "EUR")])
async def test_another_sum_than_was_asked_for_waits_for_a_person(
    desk: Desk, amount: int, currency: str
):
    cards = _cards(desk)
    payment = await cards.begin("alice", SUM, key="form-1")

    found = await cards.credit(paid(payment.id, amount, currency))
    again = await cards.credit(paid(payment.id))

    assert (found.state, again.state) == ("review", "review")
    assert await _spendable(desk) == "5"


async def test_money_that_comes_after_a_failure_is_still_credited_and_a_late_failure_ignored(
    desk: Desk,
):
    cards = _cards(desk)
    payment = await cards.begin("alice", SUM, key="form-1")

    await cards.fail(payment.id, "declined")
    credited = await cards.credit(paid(payment.id))
    late = await cards.fail(payment.id, "expired", state="expired")

    assert (credited.state, late.state) == ("paid", "paid")
    assert await _spendable(desk) == "25"


async def test_nobody_elses_payment_is_credited(desk: Desk):
    with pytest.raises(UnknownCardPayment):
        await _cards(desk).credit(paid("somebody-elses"))


async def test_events_in_any_order_end_in_the_same_books(desk: Desk):
    cards = _cards(desk)
    for order in permutations(range(4)):
        payment = await cards.begin("alice", SUM, key=f"form-{order}")
        steps = [
            lambda payment=payment: cards.credit(paid(payment.id)),
            lambda payment=payment: cards.claim(claim(payment.id, "5")),
            lambda payment=payment: cards.claim(claim(payment.id, "12")),
            lambda payment=payment: cards.claim(claim(payment.id, "3", "dispute")),
        ]
        for step in order:
            await steps[step]()
            await steps[step]()

        found = await cards.find(payment.id)
        assert (found.state, found.taken) == ("paid", parse_amount("15")), order
    assert await _spendable(desk) == f"{5 + 24 * 5}"
    assert await desk.proved()


async def test_credit_and_claim_side_by_side_never_miss_each_other(desk: Desk):
    cards = _cards(desk)
    payments = [await cards.begin("alice", SUM, key=f"form-{number}") for number in range(12)]

    await asyncio.gather(
        *(
            work
            for one in payments
            for work in (cards.credit(paid(one.id)), cards.claim(claim(one.id, "20")))
        )
    )

    assert {(await cards.find(one.id)).taken for one in payments} == {SUM}
    assert await _spendable(desk) == "5"
    assert await desk.proved()


async def test_what_is_not_there_any_more_is_owed_and_the_account_blocked(desk: Desk):
    cards = _cards(desk)
    payment = await cards.begin("alice", SUM, key="form-1")
    await cards.credit(paid(payment.id))
    await desk.wallet.adjust("alice", -parse_amount("22"), key="spent", actor="test", memo="spent")

    disputed = await cards.claim(claim(payment.id, "20", "dispute"))
    blocked = (await desk.wallet.account("alice")).status
    await desk.wallet.top_up("alice", parse_amount("50"), key="more", actor="test")
    collected = await cards.collect(payment)

    assert disputed
    assert disputed.taken == parse_amount("3")
    assert blocked == "blocked"
    assert collected.taken == SUM
    assert await _spendable(desk) == "33"
    assert await desk.proved()


async def test_a_dispute_that_is_won_gives_back_what_was_taken_once(desk: Desk):
    cards = _cards(desk)
    payment = await cards.begin("alice", SUM, key="form-1")
    await cards.credit(paid(payment.id))

    await cards.claim(claim(payment.id, "20", "dispute"))
    lost = await _spendable(desk)
    for _ in range(2):
        await cards.claim(claim(payment.id, "20", "dispute", won=True))
    late = await cards.claim(claim(payment.id, "20", "dispute"))

    assert (lost, await _spendable(desk)) == ("5", "25")
    assert late
    assert late.taken == 0
    assert await desk.proved()


async def test_a_claim_while_money_is_held_takes_what_is_free_and_the_rest_later(desk: Desk):
    cards = _cards(desk)
    payment = await cards.begin("alice", SUM, key="form-1")
    await cards.credit(paid(payment.id))
    terms = await desk.terms("call-1", "alice")
    grant = await desk.charging.open(terms, slice_seconds=600, expires_seconds=900)

    during = await cards.claim(claim(payment.id, "20"))
    await desk.settle(terms, 60, grant.seconds)
    after = await cards.collect(payment)

    assert during
    assert during.taken == parse_amount("15")
    assert after.taken == parse_amount("19.5")
    assert await _spendable(desk) == "0"
    assert await desk.proved()


async def test_only_what_is_for_review_is_closed_with_a_note(desk: Desk):
    cards = _cards(desk)
    payment = await cards.begin("alice", SUM, key="form-1")
    await cards.credit(paid(payment.id, SUM + 1))

    closed = await cards.close(payment.id, "paid back by hand")

    assert (closed.state, closed.reason) == ("closed", "paid back by hand")
    assert (await cards.credit(paid(payment.id))).state == "closed"
