"""Settlements per second through the group writer, beside what the database does without us.

    PostgreSQL   32 callers settle on one client and provider  / pgbench TPC-B, 32 clients, prepared
    SQLite       the same                                      / raw commits one by one, FULL sync

The sessions are opened before the clock runs; each settlement is acknowledged once it is durable.
"""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import uvloop

from billing.domain.operations import OpenHold, SessionResult, SessionRow, Settle
from billing.domain.splits import Part
from billing.storage.engine import create
from ivr.migrations import upgrade
from tests.benchmarks.report import Figure
from tests.books import SHARES, STANDARD, Desk, open_desk
from tests.postgres import PostgresServer, find_binaries, running_postgres

CALLERS = 32
SESSIONS_EACH = 200
OPENED_AT_ONCE = 500
SECONDS = 6
COMMITS = 1_500
TURNS = 3
COST, CLIENT, PROVIDER = 5_125_000, 3_587_500, 1_537_500


def figures() -> list[Figure]:
    """Measure both databases, each in turns with its floor."""
    return [*_postgresql(), *_sqlite()]


def _postgresql() -> Iterator[Figure]:
    if find_binaries() is None:
        return
    with running_postgres() as server:
        server.create("floor")
        _pgbench(server, "-i", "-q", "-s", str(CALLERS))
        ours, floor = [], []
        for turn in range(TURNS):
            ours.append(_run(server.create(f"bench_{turn}")))
            floor.append(_tpcb(server))
        yield Figure(
            "settles/s on PostgreSQL, 32 callers", statistics.median(ours),
            "pgbench TPC-B", statistics.median(floor), 1, 3, more_is_better=True,
        )  # fmt: skip


def _sqlite() -> Iterator[Figure]:
    ours, floor = [], []
    for _ in range(TURNS):
        with tempfile.TemporaryDirectory(prefix="talkmeter-bench-") as name:
            ours.append(_run(f"sqlite+aiosqlite:///{name}/talkmeter.db"))
            floor.append(_raw_commits(Path(name) / "raw.db"))
    yield Figure(
        "settles/s on SQLite, 32 callers", statistics.median(ours),
        "raw commits", statistics.median(floor), 1, 5, more_is_better=True,
    )  # fmt: skip


def _run(url: str) -> float:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_settles_per_second(url))


async def _settles_per_second(url: str) -> float:
    engine = create(url)
    await upgrade(engine)
    with tempfile.TemporaryDirectory() as folder:
        async with open_desk(engine, Path(folder)) as desk:
            await _open(desk)
            began = time.monotonic()
            await asyncio.gather(*(_caller(desk, number) for number in range(CALLERS)))
            seconds = time.monotonic() - began
            assert await desk.proved()
    await engine.dispose()
    return CALLERS * SESSIONS_EACH / seconds


async def _open(desk: Desk) -> None:
    for number in range(CALLERS):
        await desk.caller(f"caller-{number}", "1000000")
    terms = await desk.terms("any", "caller-0")
    session = SessionRow(
        client="acme", service="18005550100", detail=None, timezone="UTC", shares=SHARES,
        tariff_version_id=await desk.version(STANDARD),
    )  # fmt: skip
    opened = [
        OpenHold(
            hold_id=f"{number}-{turn}",
            account=_payer(terms, number),
            table=terms.table,
            seconds=15,
            at_us=terms.priced_us,
            expires_us=terms.priced_us + 60_000_000,
            fair=False,
            session=session,
        )
        for number in range(CALLERS)
        for turn in range(SESSIONS_EACH)
    ]
    for start in range(0, len(opened), OPENED_AT_ONCE):
        await asyncio.gather(
            *(desk.writer.submit(operation) for operation in opened[start : start + OPENED_AT_ONCE])
        )


def _payer(terms, number: int):
    payer = terms.payer
    return type(payer)(kind=payer.kind, code=f"caller-{number}", currency=payer.currency)


async def _caller(desk: Desk, number: int) -> None:
    payer = _payer(await desk.terms("any", "caller-0"), number)
    for turn in range(SESSIONS_EACH):
        await desk.writer.submit(
            Settle(
                hold_id=f"{number}-{turn}",
                account=payer,
                transfer_id=f"transfer-{number}-{turn}",
                amount=COST,
                parts=(
                    Part(kind="provider", account="provider", amount=PROVIDER),
                    Part(kind="client", account="acme", amount=CLIENT),
                ),
                at_us=turn,
                result=SessionResult(
                    started_us=0,
                    ended_us=15_000_000,
                    talk_us=15_000_000,
                    billed_seconds=15,
                    evidence="ami",
                ),
            )
        )


def _tpcb(server: PostgresServer) -> float:
    output = _pgbench(
        server, "-n", "-M", "prepared", "-c", str(CALLERS), "-j", "2", "-T", str(SECONDS)
    )
    found = re.search(r"tps = ([\d.]+)", output)
    assert found, output
    return float(found[1])


def _pgbench(server: PostgresServer, *options: str) -> str:
    return subprocess.run(
        [server.bin / "pgbench", "-h", "127.0.0.1", "-p", str(server.port), "-U", "talkmeter",
         *options, "floor"],
        capture_output=True, text=True, check=True, timeout=120,
    ).stdout  # fmt: skip


def _raw_commits(path: Path) -> float:
    """Commit one row at a time, as durable as ours: the least that a settlement can be."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE settled (id INTEGER PRIMARY KEY, amount INTEGER NOT NULL)")
    began = time.monotonic()
    for number in range(COMMITS):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO settled VALUES (?, ?)", (number, COST))
        connection.execute("COMMIT")
    seconds = time.monotonic() - began
    connection.close()
    return COMMITS / seconds


if __name__ == "__main__":
    measured = figures()
    for figure in measured:
        print(figure.line())
    print(json.dumps([figure.document() for figure in measured]))
