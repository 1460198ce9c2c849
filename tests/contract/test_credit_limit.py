"""Many calls at once on one postpaid account: together they never pass its credit limit."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.charging import Charging
from billing.errors import InsufficientFunds
from billing.money import parse_amount
from billing.storage.writer import GroupWriter
from tests.books import Desk, flat, open_desk

CALLS = 20
LIMIT = parse_amount("10")
TARIFF = flat("0.60", setup_fee="0.10")


@pytest.fixture
async def desk(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(engine, tmp_path) as desk:
        await desk.caller("bob", credit_limit="10")
        yield desk


async def talk(desk: Desk, charging: Charging, number: int, dice: random.Random) -> int:
    """One call that goes on until nothing more is granted; return its cost."""
    terms = await desk.terms(f"call-{number}", "bob", TARIFF)
    try:
        grant = await charging.open(terms, slice_seconds=15, expires_seconds=600)
    except InsufficientFunds:
        return 0
    for step in range(2, 60):
        try:
            grant = await charging.extend(
                terms, step=step, to_seconds=grant.seconds + 15, proven_us=0
            )
        except InsufficientFunds:
            break
    seconds = dice.randint(0, grant.seconds)
    settlement = await charging.settle(
        terms,
        talk_us=seconds * 1_000_000,
        granted_seconds=grant.seconds,
        started_us=terms.priced_us,
        ended_us=terms.priced_us + seconds * 1_000_000,
        evidence="ami",
    )
    return settlement.cost


async def watch(desk: Desk, seen: list[int]) -> None:
    while True:
        account = await desk.wallet.account("bob")
        seen.append(account.posted - account.held)
        await asyncio.sleep(0.005)


async def test_twenty_calls_at_once_from_two_nodes_stay_within_the_limit(desk: Desk) -> None:
    dice = random.Random(7)
    await desk.version(TARIFF)
    seen: list[int] = []
    watching = asyncio.create_task(watch(desk, seen), name="watch")
    async with GroupWriter(desk.engine) as writer:
        other = Charging(writer=writer, engine=desk.engine, clock=desk.clock, journal=desk.journal)

        costs = await asyncio.gather(
            *(talk(desk, (desk.charging, other)[n % 2], n, dice) for n in range(CALLS))
        )
    watching.cancel()

    account = await desk.wallet.account("bob")
    assert account.posted == -sum(costs)
    assert account.held == 0
    assert sum(cost > 0 for cost in costs) > 1
    assert -LIMIT <= account.posted < 0
    assert seen
    assert min(seen) >= -LIMIT
    assert await desk.proved()


async def test_calls_that_all_talk_to_the_end_of_their_money_use_the_limit_and_no_more(
    desk: Desk,
) -> None:
    class Longest(random.Random):
        def randint(self, low: int, high: int) -> int:
            return high

    await desk.version(TARIFF)

    costs = await asyncio.gather(
        *(talk(desk, desk.charging, number, Longest()) for number in range(CALLS))
    )
    late = await talk(desk, desk.charging, CALLS, Longest())

    account = await desk.wallet.account("bob")
    assert account.posted == -sum(costs) - late
    assert account.posted >= -LIMIT
    # What is left buys no first second: the setup fee and one hundredth.
    assert LIMIT + account.posted < parse_amount("0.11")
    assert await desk.proved()
