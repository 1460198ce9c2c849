"""Daily sums: written with each settlement, filled by the migration, proved by the audit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.audit import verify
from billing.clock import microseconds_of
from billing.storage.report_tables import (
    agent_days,
    party_days,
    revenue_days,
    share_days,
)
from ivr.migrations import downgrade, upgrade
from tests.books import START, Desk, flat, open_desk

PRICE = flat("0.60")
START_US = microseconds_of(START)


@pytest.fixture
async def desk(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(engine, tmp_path) as desk:
        await desk.caller("alice", "100")
        yield desk


async def talk(desk: Desk, name: str, seconds: int) -> None:
    terms = await desk.terms(name, "alice", PRICE)
    grant = await desk.charging.open(terms, slice_seconds=seconds, expires_seconds=300)
    await desk.settle(terms, seconds, grant.seconds)


async def stored(desk: Desk) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    async with desk.engine.connect() as connection:
        revenue = await connection.execute(select(revenue_days).order_by(revenue_days.c.day_us))
        shares = await connection.execute(
            select(share_days).order_by(share_days.c.day_us, share_days.c.kind)
        )
        return [tuple(row) for row in revenue], [tuple(row) for row in shares]


async def test_settlements_of_one_day_are_one_row(desk: Desk) -> None:
    for number in range(3):
        await talk(desk, f"s{number}", 100)
    desk.clock.advance(86_400)
    await talk(desk, "s9", 50)

    revenue, shares = await stored(desk)

    assert [row[6:] for row in revenue] == [
        (3, 300_000_000, 300, 3_000_000),
        (1, 50_000_000, 50, 500_000),
    ]
    assert [row[6:] for row in shares[:2]] == [
        ("client", "acme", 2_100_000),
        ("provider", "provider", 900_000),
    ]
    assert await desk.proved()


async def test_who_served_has_sums_of_its_own(desk: Desk) -> None:
    for number, agent in enumerate(("anna", "anna", "")):
        terms = await desk.terms(f"s{number}", "alice", PRICE)
        grant = await desk.charging.open(terms, slice_seconds=100, expires_seconds=300)
        await desk.charging.settle(
            terms, talk_us=100_000_000, granted_seconds=grant.seconds, started_us=START_US,
            ended_us=START_US + 100_000_000, evidence="ami", agent=agent,
        )  # fmt: skip

    async with desk.engine.connect() as connection:
        query = select(agent_days).order_by(agent_days.c.agent)
        rows = [tuple(row) for row in await connection.execute(query)]

    assert [(row[2], *row[6:12]) for row in rows] == [
        ("", 1, 100_000_000, 100, 1_000_000, 700_000, 300_000),
        ("anna", 2, 200_000_000, 200, 2_000_000, 1_400_000, 600_000),
    ]
    assert await desk.proved()


async def test_the_migration_fills_the_sums_from_what_is_settled(desk: Desk) -> None:
    await talk(desk, "s1", 100)
    await talk(desk, "s2", 33)
    before = await stored(desk)

    await downgrade(desk.engine, "0007")
    await upgrade(desk.engine)

    assert await stored(desk) == before
    assert await desk.proved()


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        (
            update(revenue_days).values(gross=revenue_days.c.gross + 1),
            "daily sums of revenue equal their sessions",
        ),
        (
            update(share_days).values(amount=share_days.c.amount - 1),
            "daily sums of shares equal their entries",
        ),
        (
            update(agent_days).values(gross=agent_days.c.gross + 1),
            "daily sums by agent equal their sessions",
        ),
        (
            update(agent_days).values(to_client=agent_days.c.to_client + 1),
            "daily sums of shares by agent equal their entries",
        ),
        (
            update(party_days).values(movements=party_days.c.movements + 1),
            "daily sums of parties equal their entries",
        ),
    ],
)
async def test_a_sum_that_is_wrong_is_named(desk: Desk, statement: object, name: str) -> None:
    await talk(desk, "s1", 100)
    async with desk.engine.begin() as connection:
        await connection.execute(statement)  # type: ignore[call-overload]

    broken = [check.name for check in await verify(desk.engine) if not check.ok]

    assert broken == [name]
