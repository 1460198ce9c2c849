"""Recurring revenue as it moves month by month, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.money import parse_amount
from billing.mrr import MrrRow, recurring_revenue
from billing.reports import Span
from tests.plans import STARTER, Shop, open_shop

DAY = 24 * 3600
PRO = replace(STARTER, name="pro", price=parse_amount("199"), addons=(("number", 5_000_000),))
YEARLY = replace(STARTER, name="yearly", year=parse_amount("480"), payment="annual")


@pytest.fixture
async def shop(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Shop]:
    async with open_shop(engine, tmp_path) as shop:
        await shop.offer(STARTER, PRO, YEARLY)
        for name in ("ann", "bob", "cyd", "dan"):
            await shop.desk.caller(name, "1000")
        yield shop


async def month(shop: Shop, first: date, last: date) -> MrrRow:
    async with shop.desk.engine.connect() as connection:
        found = await recurring_revenue(connection, Span(first=first, last=last))
    assert [row.currency for row in found] == ["USD"]
    return found[0]


def money(row: MrrRow) -> dict[str, int]:
    return {kind: amount // 1_000_000 for kind, amount in row.moves.items() if amount}


async def test_recurring_revenue_begins_grows_shrinks_and_ends(shop: Shop) -> None:
    begin = shop.desk.clock.now().date()
    for name in ("ann", "bob", "cyd"):
        await shop.plans.subscribe(name, "starter")
    await shop.plans.subscribe("dan", "pro", addons={"number": 2})
    first = await month(shop, begin, begin + timedelta(days=9))

    shop.desk.clock.advance(10 * DAY)
    await shop.plans.change("ann", "pro")
    await shop.plans.cancel("bob", at_once=True)
    then = begin + timedelta(days=10)
    second = await month(shop, then, then + timedelta(days=5))

    assert (first.opening, first.subscriptions) == (0, 0)
    assert first.net_retention_basis_points is first.churn_basis_points is None
    assert money(first) == {"new": 3 * 49 + 199 + 10}
    assert money(second) == {"expansion": 150, "churned": -49}
    assert second.opening == first.closing == parse_amount("356")
    assert second.closing == parse_amount("457")
    assert (second.subscriptions, second.lost, second.churn_basis_points) == (4, 1, 2_500)
    assert second.net_retention_basis_points == 457 * 10_000 // 356
    assert second.gross_retention_basis_points == 307 * 10_000 // 356


async def test_a_year_paid_ahead_counts_by_the_month_and_an_unpaid_one_not_at_all(
    shop: Shop,
) -> None:
    begin = shop.desk.clock.now().date()
    await shop.plans.subscribe("ann", "yearly")
    await shop.plans.subscribe("bob", "starter")
    await shop.desk.wallet.adjust(
        "bob", -parse_amount("951"), key="spent", actor="test", memo="test"
    )
    shop.desk.clock.advance(31 * DAY)
    await shop.plans.run_cycles()
    unpaid = await month(shop, begin, begin + timedelta(days=31))
    await shop.desk.wallet.top_up(
        "bob", parse_amount("100"), key="again", actor="test", memo="test"
    )
    await shop.plans.run_cycles()
    paid = await month(shop, begin, begin + timedelta(days=31))

    assert money(unpaid) == {"new": 40 + 49, "churned": -49}
    assert money(paid) == {"new": 40 + 49, "churned": -49, "back": 49}
    assert paid.closing == parse_amount("89")


async def test_what_happens_again_is_noted_once(shop: Shop) -> None:
    begin = shop.desk.clock.now().date()
    await shop.plans.subscribe("ann", "starter")
    await shop.plans.cancel("ann")
    for _ in range(3):
        await shop.plans.run_cycles()
    shop.desk.clock.advance(32 * DAY)
    for _ in range(3):
        await shop.plans.run_cycles()

    row = await month(shop, begin, begin + timedelta(days=32))

    assert money(row) == {"new": 49, "churned": -49}
    assert row.closing == 0
