"""Tries to log in, counted in the database: a restart forgets none, all processes count together.

Names and limits are those of `ivr.web.limits.buckets`. A refused try is counted nowhere and writes
nothing, so that a flood of them costs one read each.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy import case, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import MICROSECONDS, Clock, microseconds_of
from billing.errors import LedgerUnavailable
from billing.storage.engine import for_writing
from ivr.tables import login_tries
from ivr.web.limits import WINDOW_SECONDS

WINDOW_US: Final = int(WINDOW_SECONDS) * MICROSECONDS
WAIT_SECONDS: Final = 5.0
# How often one process sweeps out windows that are over.
SWEEP_US: Final = 60 * MICROSECONDS


class _Full(Exception):
    """Undoes a try that is over a limit."""

    def __init__(self, since_us: int) -> None:
        self.since_us = since_us


class LoginTries:
    """Counts tries per name; takes one connection at most, since calls use the same pool."""

    def __init__(self, *, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._turn = asyncio.Semaphore(1)
        self._swept_us = 0

    async def take(self, keys: Mapping[str, int]) -> int:
        """Count a try on every key and return 0; or count nothing and return seconds to wait.

        Counting comes before checking the password, so that tries that run side by side are no
        way around a limit.
        """
        now_us = microseconds_of(self._clock.now())
        async with self._alone():
            async with self._engine.connect() as connection:
                full = await _full(connection, keys, now_us)
            if full is None:
                full = await self._count(keys, now_us)
        if full is None:
            return 0
        return max(1, -(-(full + WINDOW_US - now_us) // MICROSECONDS))

    async def _count(self, keys: Mapping[str, int], now_us: int) -> int | None:
        async with self._writing() as connection:
            await self._sweep(connection, now_us)
            try:
                async with connection.begin():
                    # In one order everywhere, so that no two tries wait in a circle.
                    for name in sorted(keys):
                        await _count(connection, name, keys[name], now_us)
            except _Full as over:
                return over.since_us
        return None

    async def give_back(self, keys: Mapping[str, int]) -> None:
        """A try that succeeded does not count."""
        async with self._alone(), self._writing() as connection, connection.begin():
            for name in sorted(keys):
                await connection.execute(
                    update(login_tries)
                    .where(login_tries.c.name == name, login_tries.c.tries > 0)
                    .values(tries=login_tries.c.tries - 1)
                )

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._turn.acquire()
        except TimeoutError:
            raise LedgerUnavailable(reason="too many people log in at once") from None
        try:
            yield
        finally:
            self._turn.release()

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        connection = await for_writing(self._engine)
        try:
            yield connection
        finally:
            await connection.close()

    async def _sweep(self, connection: AsyncConnection, now_us: int) -> None:
        if now_us - self._swept_us < SWEEP_US:
            return
        # What another process is counting just now is left alone; SQLite has one writer anyway.
        over = (
            select(login_tries.c.name)
            .where(login_tries.c.since_us <= now_us - WINDOW_US)
            .with_for_update(skip_locked=True)
        )
        async with connection.begin():
            await connection.execute(delete(login_tries).where(login_tries.c.name.in_(over)))
        self._swept_us = now_us


async def _full(connection: AsyncConnection, keys: Mapping[str, int], now_us: int) -> int | None:
    """Return when the youngest full window began; None when a try is allowed."""
    query = select(login_tries).where(
        login_tries.c.name.in_(keys),
        login_tries.c.since_us > now_us - WINDOW_US,
        login_tries.c.since_us <= now_us,
    )
    rows = (await connection.execute(query)).all()
    return max((row.since_us for row in rows if row.tries >= keys[row.name]), default=None)


async def _count(connection: AsyncConnection, name: str, tries_max: int, now_us: int) -> None:
    # A window in the future is one that a wrong wall clock began.
    over = or_(login_tries.c.since_us <= now_us - WINDOW_US, login_tries.c.since_us > now_us)
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    row = (
        await connection.execute(
            dialect.insert(login_tries)
            .values(name=name, since_us=now_us, tries=1)
            .on_conflict_do_update(
                index_elements=[login_tries.c.name],
                set_={
                    "tries": case((over, 1), else_=login_tries.c.tries + 1),
                    "since_us": case((over, now_us), else_=login_tries.c.since_us),
                },
            )
            .returning(login_tries.c.tries, login_tries.c.since_us)
        )
    ).one()
    if row.tries > tries_max:
        raise _Full(row.since_us)
