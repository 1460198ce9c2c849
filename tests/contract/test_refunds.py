"""Refunds on both databases: every party gives back its share, together never too much."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.errors import IdempotencyConflict, InvalidInput, NothingToRefund, UnknownSession
from billing.refunds import Refund, Refunds
from tests.books import Desk, flat, open_desk

PRICE = flat("0.60")


@pytest.fixture
async def desk(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(engine, tmp_path) as desk:
        await desk.caller("alice", "10")
        terms = await desk.terms("s1", "alice", PRICE)
        grant = await desk.charging.open(terms, slice_seconds=101, expires_seconds=300)
        await desk.settle(terms, 101, grant.seconds)
        yield desk


@pytest.fixture
def refunds(desk: Desk) -> Refunds:
    return Refunds(engine=desk.engine, clock=desk.clock)


async def give(refunds: Refunds, key: str, amount: int | None = None, **more: bool) -> Refund:
    return await refunds.refund("s1", key=key, actor="op", reason="bad line", amount=amount, **more)


def shares(refund: Refund) -> dict[str, int]:
    return {ref.kind: amount for ref, amount in refund.parts}


async def test_a_full_refund_takes_back_every_share(desk: Desk, refunds: Refunds) -> None:
    done = await give(refunds, "k")

    assert (done.amount, shares(done)) == (1_010_000, {"client": 707_000, "provider": 303_000})
    assert await desk.spendable("alice") == 10_000_000
    assert await desk.proved()


async def test_parts_add_up_to_exactly_what_each_party_got(desk: Desk, refunds: Refunds) -> None:
    parts = [await give(refunds, f"k{number}", 333_333) for number in range(3)]
    rest = await give(refunds, "rest")

    taken: dict[str, int] = {}
    for part in [*parts, rest]:
        for kind, amount in shares(part).items():
            taken[kind] = taken.get(kind, 0) + amount
    assert rest.amount == 10_001
    assert taken == {"client": 707_000, "provider": 303_000}
    assert await desk.proved()


async def test_goodwill_is_paid_by_the_provider_alone(desk: Desk, refunds: Refunds) -> None:
    done = await give(refunds, "k", 500_000, goodwill=True)
    rest = await give(refunds, "rest")

    assert shares(done) == {"provider": 500_000}
    assert (rest.amount, shares(rest)) == (510_000, {"client": 357_000, "provider": 153_000})
    assert await desk.proved()


async def test_twenty_refunds_at_once_never_exceed_the_cost(desk: Desk, refunds: Refunds) -> None:
    answers = await asyncio.gather(
        *(give(refunds, f"k{number}", 100_000) for number in range(20)), return_exceptions=True
    )

    given = [answer for answer in answers if isinstance(answer, Refund)]
    refused = [answer for answer in answers if isinstance(answer, NothingToRefund)]
    assert (len(given), len(refused)) == (10, 10)
    assert await desk.spendable("alice") == 9_990_000
    assert await desk.proved()


async def test_the_same_key_gives_back_once(desk: Desk, refunds: Refunds) -> None:
    first = await give(refunds, "k", 200_000)
    again = await give(refunds, "k", 200_000)

    assert (again.transfer_id, again.amount, again.replayed) == (
        first.transfer_id, 200_000, True,
    )  # fmt: skip
    assert shares(again) == shares(first)
    with pytest.raises(IdempotencyConflict):
        await give(refunds, "k", 200_001)
    with pytest.raises(IdempotencyConflict):
        await give(refunds, "k", 200_000, goodwill=True)
    assert await refunds.of_session("s1") == [again]


async def test_what_cannot_be_refunded_is_refused_by_name(desk: Desk, refunds: Refunds) -> None:
    open_one = await desk.terms("s2", "alice", PRICE)
    await desk.charging.open(open_one, slice_seconds=10, expires_seconds=300)

    with pytest.raises(NothingToRefund):
        await give(refunds, "k", 1_010_001)
    with pytest.raises(InvalidInput):
        await give(refunds, "k", 0)
    with pytest.raises(InvalidInput):
        await give(refunds, "")
    for missing in ("s2", "nothing"):
        with pytest.raises(UnknownSession):
            await refunds.refund(missing, key="k", actor="op", reason="why")
