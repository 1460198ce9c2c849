"""Monthly fees on both databases: once per service and month."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.errors import IdempotencyConflict, InvalidInput
from billing.fees import FeesCharged, MonthlyFee, charge_monthly_fees
from billing.storage.tables import accounts
from tests.books import Desk, open_desk

FEES = [
    MonthlyFee(service="18005550100", client="acme", currency="USD", amount=15_000_000),
    MonthlyFee(service="18005550200", client="acme", currency="USD", amount=9_990_000),
    MonthlyFee(service="18005550300", client="zeta", currency="EUR", amount=0),
]


@pytest.fixture
async def desk(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(engine, tmp_path) as desk:
        yield desk


async def charge(desk: Desk, fees: list[MonthlyFee], month: str = "2026-11") -> FeesCharged:
    return await charge_monthly_fees(desk.writer, fees, month=month, clock=desk.clock, actor="test")


async def owed(desk: Desk) -> dict[str, int]:
    async with desk.engine.connect() as connection:
        rows = await connection.execute(select(accounts.c.code, accounts.c.posted))
        return {row.code: row.posted for row in rows}


async def test_each_service_pays_once_a_month(desk: Desk) -> None:
    first = await charge(desk, FEES)
    again = await charge(desk, FEES)
    december = await charge(desk, FEES, "2026-12")

    assert (first.posted, first.before) == (tuple(FEES[:2]), 0)
    assert (again.posted, again.before) == ((), 2)
    assert len(december.posted) == 2
    assert await owed(desk) == {"acme": -49_980_000, "provider": 49_980_000}
    assert await desk.proved()


async def test_runs_at_the_same_time_charge_once(desk: Desk) -> None:
    runs = await asyncio.gather(*(charge(desk, FEES) for _ in range(10)))

    assert sum(len(run.posted) for run in runs) == 2
    assert (await owed(desk))["acme"] == -24_990_000


async def test_a_service_that_is_new_is_charged_by_the_next_run(desk: Desk) -> None:
    await charge(desk, FEES[:1])

    done = await charge(desk, FEES)

    assert done.posted == (FEES[1],)


async def test_a_fee_that_changed_after_it_was_charged_is_refused(desk: Desk) -> None:
    await charge(desk, FEES)

    with pytest.raises(IdempotencyConflict):
        await charge(desk, [replace(FEES[0], amount=1)])


@pytest.mark.parametrize("month", ["2026", "2026-13", "2026-1", "11-2026", "2026-11-01"])
async def test_what_is_no_month_is_refused(desk: Desk, month: str) -> None:
    with pytest.raises(InvalidInput):
        await charge(desk, FEES, month)
