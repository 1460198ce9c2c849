"""A large installation, made by the database itself: a million calls of a year, and all around.

    100,000 accounts, 50 clients with 2 DIDs and 5 topics, 5 resellers above ten clients each

Nothing that a page reads is empty: invoices, vouchers, payouts, subscriptions, cards, changes,
messages, alarms, deliveries. One call in ten has no talk; those that have are settled and summed
by day.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import microseconds_of
from ivr.directory.destinations import Destination
from ivr.directory.queues import Agent, Queue
from ivr.migrations import upgrade
from ivr.web.rights import all_of, write_rights
from ivr.web.scope import Role
from tests.benchmarks.large_sql import AROUND, CALLS, MONEY, PEOPLE, SUMS
from tests.books import STANDARD
from tests.plans import STARTER
from tests.site import PASSWORD_HASH

# What a page may take, and which part of it is the goal.
ALLOWED_MS, WISHED = 150.0, 1 / 3
CALLERS: Final = 100_000
CLIENTS: Final = 50
# Now is in the middle of a day at the end of a month: what is shown of them is much.
BEGIN: Final = datetime(2025, 10, 28, 14, tzinfo=UTC)
DAY_US: Final = 86_400_000_000
YEAR_US: Final = 365 * DAY_US
END_US: Final = microseconds_of(BEGIN) + YEAR_US
MEMORY_KIB: Final = 500_000

SERIES: Final = {
    "postgresql": "(SELECT i FROM generate_series(0::bigint, {last}) AS g(i))",
    "sqlite": "(WITH RECURSIVE g(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM g WHERE i < {last}) "
    "SELECT i FROM g)",
}
LOOKS: Final = {"postgresql": "VACUUM (ANALYZE)", "sqlite": "ANALYZE"}
PADDED: Final = {
    "postgresql": "lpad(CAST(i AS text), 12, '0')",
    "sqlite": "printf('%012d', i)",
}
ANNA: Final = Agent(code="anna", destination=Destination.parse("sip:anna@127.0.0.1:5090"))
# Hundreds of thousands of rows go in faster without their indexes, which are built in one go after.
LATER: Final = ("calls", "sessions", "transfers", "entries")


class Rows:
    """Writes `{rows:20000}` as a table of the numbers 0 to 19,999 in a column `i`."""

    def __init__(self, dialect: str, calls: int) -> None:
        self._series = SERIES[dialect]
        self._calls = calls

    def __format__(self, size: str) -> str:
        return self._series.format(last=(int(size) if size else self._calls) - 1)


async def prepare(engine: AsyncEngine, size: int) -> None:
    """Fill an empty database and let it look at its rows."""
    await upgrade(engine)
    words = _words(engine.dialect.name, size)
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await _hurry(connection)
        later = await _drop_indexes(connection)
        for template in (PEOPLE + CALLS + MONEY + SUMS + AROUND).split(";"):
            if template.strip():
                await connection.exec_driver_sql(template.format(**words))
        for statement in later:
            await connection.exec_driver_sql(statement)
        # As the database would do by itself before long.
        await connection.execute(text(LOOKS[engine.dialect.name]))


def _words(dialect: str, size: int) -> dict[str, object]:
    begin_us = microseconds_of(BEGIN)
    return {
        "rows": Rows(dialect, size),
        "callers": CALLERS,
        "clients": CLIENTS,
        # Every hundredth call; with the others of its ten there was a talk.
        "refunded": f"(SELECT i * 100 + 3 AS i FROM {Rows(dialect, size // 100)} r) n",
        "uuid": "'00000000-0000-7000-8000-' || " + PADDED[dialect],
        "pad": PADDED[dialect],
        "client": f"'client' || (i % {CLIENTS})",
        "shares": """'[["provider","provider",3000],["client","client' || i || '",6000],"""
        """["reseller","reseller' || (i % 5) || '",1000]]'""",
        "payer": f"{CLIENTS} + 7 + i % {CALLERS}",
        "account": f"'caller' || (i % {CALLERS})",
        "did": f"'1800' || (5550000 + i % {CLIENTS} * 2 + i / {CLIENTS} % 2)",
        "topic": "'Topic ' || (i / 100 % 5)",
        "start": f"({begin_us} + i * {YEAR_US // size})",
        "begin": begin_us,
        "now": END_US,
        "year": YEAR_US,
        "day": DAY_US,
        "cost": "(10000 + i % 300 * 10000)",
        "tariff": STANDARD.to_json(),
        "plan": STARTER.to_json(),
        "queue": Queue(name="", client="", agents=(ANNA,)).to_json(),
        "password": PASSWORD_HASH,
        "client_rights": write_rights(all_of(Role.CLIENT)),
    }  # fmt: skip


async def _hurry(connection: AsyncConnection) -> None:
    """Let a database that is thrown away not wait for its disk."""
    if connection.dialect.name == "postgresql":
        for setting in (
            "synchronous_commit = off", "statement_timeout = 0", "maintenance_work_mem = '256MB'",
            "session_replication_role = replica",
        ):  # fmt: skip
            await connection.exec_driver_sql(f"SET {setting}")
        return
    # The engine has begun a transaction, and within one neither can be changed.
    await connection.exec_driver_sql("COMMIT")
    for pragma in ("synchronous = OFF", f"cache_size = -{MEMORY_KIB}", "foreign_keys = OFF"):
        await connection.exec_driver_sql(f"PRAGMA {pragma}")


async def _drop_indexes(connection: AsyncConnection) -> list[str]:
    """Drop the indexes of the large tables; returns what makes them again."""
    kind = connection.dialect.name
    tables = ", ".join(f"'{name}'" for name in LATER)
    if kind == "postgresql":
        # Those of constraints stay.
        found = await connection.exec_driver_sql(
            "SELECT indexname, indexdef FROM pg_indexes "
            f"WHERE tablename IN ({tables}) AND indexname LIKE 'ix_%'"
        )
    else:
        found = await connection.exec_driver_sql(
            f"SELECT name, sql FROM sqlite_master WHERE type = 'index' "
            f"AND tbl_name IN ({tables}) AND name LIKE 'ix_%' AND sql IS NOT NULL"
        )
    rows = found.all()
    for name, _ in rows:
        await connection.exec_driver_sql(f"DROP INDEX {name}")
    return [statement for _, statement in rows]
