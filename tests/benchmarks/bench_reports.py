"""Reports on a large installation: p95 of each, at two sizes, on both databases.

    100,000 and 1,000,000 calls of a year, 100,000 accounts, 50 clients with 2 DIDs and 5 topics

The floor of each figure is what a page may take (150 ms; the goal is 50 ms).
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import date

import uvloop
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.business import count_callers, revenue, top_callers
from billing.reports import Span, split_by_day, split_report, statement
from billing.storage.engine import create
from ivr.calls.unanswered import unanswered
from tests.benchmarks.large import ALLOWED_MS, WISHED, prepare
from tests.benchmarks.report import Figure
from tests.postgres import find_binaries, running_postgres

SIZES = (100_000, 1_000_000)
TURNS = 20
PREPARED_SECONDS_MAX = 600
MONTH = Span(first=date(2026, 9, 1), last=date(2026, 9, 30))

Report = Callable[[AsyncConnection], Awaitable[object]]
REPORTS: dict[str, Report] = {
    "split, a month": lambda c: split_report(c, MONTH),
    "split by day, a month": lambda c: split_by_day(c, MONTH),
    "split of one client, a month": lambda c: split_report(c, MONTH, client="client7"),
    "revenue by topic, a month": lambda c: revenue(c, MONTH, by="topic"),
    "revenue by tariff, a month": lambda c: revenue(c, MONTH, by="tariff"),
    "top callers, a month": lambda c: top_callers(c, MONTH),
    "ARPU, a month": lambda c: count_callers(c, MONTH),
    "unanswered by DID, a month": lambda c: unanswered(c, MONTH, by="did"),
    "statement of the provider": lambda c: statement(c, 1),
}


def figures() -> list[Figure]:
    """Measure both databases at both sizes."""
    found: list[Figure] = []
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            found += _measured(f"sqlite+aiosqlite:///{folder}/reports.db", "SQLite", size)
        if find_binaries() is not None:
            with running_postgres() as server:
                found += _measured(server.create("reports"), "PostgreSQL", size)
    return found


def _measured(url: str, database: str, size: int) -> Iterator[Figure]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        times = runner.run(_run(url, size))
    for name, milliseconds in times.items():
        yield Figure(
            f"{name}: {database}, {size:,} calls", milliseconds, "p95 ms allowed", ALLOWED_MS,
            1, WISHED,
        )  # fmt: skip


async def _run(url: str, size: int) -> dict[str, float]:
    engine = create(url, statement_seconds=PREPARED_SECONDS_MAX)
    try:
        await prepare(engine, size)
        async with engine.connect() as connection:
            return {name: await _p95(connection, report) for name, report in REPORTS.items()}
    finally:
        await engine.dispose()


async def _p95(connection: AsyncConnection, report: Report) -> float:
    await report(connection)
    times = []
    for _ in range(TURNS):
        begin = time.perf_counter()
        assert await report(connection)
        times.append((time.perf_counter() - begin) * 1_000)
    return statistics.quantiles(times, n=20)[-1]


if __name__ == "__main__":
    for figure in figures():
        print(figure.line(), flush=True)
