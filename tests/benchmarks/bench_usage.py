"""Metering events accepted per second: batches of 1,000 through the API, one process.

ours    POST /api/v1/usage, 50 subscribed accounts, each event recorded, drawn and summed
floor   10,000 events/s, what a page of usage must take (the goal is 30,000)
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import uvloop

from billing.clock import microseconds_of
from billing.domain.usage import UsageEvent
from billing.storage.engine import create
from billing.usage import Metering
from ivr.migrations import upgrade
from tests.benchmarks.report import Figure
from tests.books import START
from tests.plans import UNITS, open_shop
from tests.postgres import find_binaries, running_postgres

ACCOUNTS, BATCH, BATCHES, TURNS = 50, 1_000, 12, 3
FLOOR = 10_000


def figures() -> list[Figure]:
    """Measure both databases."""
    found: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        found += _figure("SQLite", f"sqlite+aiosqlite:///{folder}/usage.db")
    if find_binaries() is not None:
        with running_postgres() as server:
            found += _figure("PostgreSQL", server.create("usage"))
    return found


def _figure(database: str, url: str) -> Iterator[Figure]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        rate = runner.run(_rate(url))
    yield Figure(
        f"usage events/s, batches of 1,000: {database}", rate, "events/s", FLOOR, 1, 3,
        more_is_better=True,
    )  # fmt: skip


async def _rate(url: str) -> float:
    engine = create(url)
    try:
        await upgrade(engine)
        with tempfile.TemporaryDirectory() as folder:
            async with open_shop(engine, Path(folder)) as shop:
                await shop.offer(UNITS)
                for number in range(ACCOUNTS):
                    await shop.desk.caller(f"tenant-{number}", "1000")
                    await shop.plans.subscribe(f"tenant-{number}", "units")
                metering = Metering(engine=engine, clock=shop.desk.clock)
                return statistics.median([await _turn(metering, turn) for turn in range(TURNS)])
    finally:
        await engine.dispose()


async def _turn(metering: Metering, turn: int) -> float:
    at_us = microseconds_of(START)
    batches = [
        [
            UsageEvent(
                key=f"{turn}-{batch}-{number}",
                account=f"tenant-{number % ACCOUNTS}",
                type="tcu",
                at_us=at_us,
                units=100_000 + number,
                segment="medical",
                project="p",
                request_id=f"r{number}",
            )
            for number in range(BATCH)
        ]
        for batch in range(BATCHES)
    ]
    begin = time.perf_counter()
    for batch in batches:
        answers = await metering.record(batch)
        assert all(answer.outcome == "accepted" for answer in answers)
    return BATCH * BATCHES / (time.perf_counter() - begin)


if __name__ == "__main__":
    for figure in figures():
        print(figure.line(), flush=True)
