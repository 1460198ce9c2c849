"""Engines for both databases, set up so that a commit is durable and a writer never starves.

SQLite: WAL, synchronous=FULL, foreign keys, and BEGIN IMMEDIATE for a connection that will write,
since a read that turns into a write is refused without waiting. PostgreSQL: READ COMMITTED, a
limit on each statement and on each wait for a lock.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from sqlalchemy import Connection, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from billing.errors import InvalidInput

BUSY_MILLISECONDS: Final = 10_000
# Fewer and longer checkpoints: 16 MiB of log hold some thousand calls.
CHECKPOINT_PAGES: Final = 4_000
CACHE_KIB: Final = 8_192
STATEMENT_SECONDS: Final = 15
LOCK_SECONDS: Final = 10
CONNECT_SECONDS: Final = 5
POOL_SIZE: Final = 8
POOL_OVERFLOW: Final = 8
WRITES: Final = "talkmeter_writes"
DRIVERS: Final = frozenset({"sqlite+aiosqlite", "postgresql+asyncpg"})


def create(
    url: str, *, pool_size: int = POOL_SIZE, statement_seconds: int = STATEMENT_SECONDS
) -> AsyncEngine:
    """Build the engine of a database URL; nothing is connected yet.

    A proof or a migration of a large database takes more `statement_seconds` than a call may wait.

    Raises:
        InvalidInput: the URL is none, or names a driver that is not supported.

    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise InvalidInput(reason="the database URL cannot be read") from error
    if parsed.drivername not in DRIVERS:
        raise InvalidInput(
            reason=f"database driver {parsed.drivername!r}: use {' or '.join(sorted(DRIVERS))}"
        )
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(url, pool_size)
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=POOL_OVERFLOW,
        pool_timeout=CONNECT_SECONDS,
        connect_args={
            "timeout": CONNECT_SECONDS,
            # The server's own limit is what ends it when we are gone.
            "command_timeout": statement_seconds + 1,
            "server_settings": {
                "application_name": "talkmeter",
                "default_transaction_isolation": "read committed",
                "statement_timeout": str(statement_seconds * 1000),
                "lock_timeout": str(LOCK_SECONDS * 1000),
                "idle_in_transaction_session_timeout": str(STATEMENT_SECONDS * 4 * 1000),
                "timezone": "UTC",
            },
        },
    )


async def for_writing(engine: AsyncEngine) -> AsyncConnection:
    """Open a connection whose transactions begin as writers; the caller closes it."""
    connection = await engine.connect()
    return await connection.execution_options(**{WRITES: True})


@asynccontextmanager
async def snapshot(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Read one state of the database throughout, whatever is written meanwhile."""
    async with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            await connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        yield connection


def _sqlite(url: str, pool_size: int) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=POOL_OVERFLOW,
        connect_args={"timeout": BUSY_MILLISECONDS / 1000},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: Any, _record: object) -> None:  # Any: the driver's own class
        # The driver must not begin transactions by its own rules; `_begin` does.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout = {BUSY_MILLISECONDS}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            f"cache_size = -{CACHE_KIB}",
            f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
