"""A connection that is kept: opened when first needed, dropped when it fails, then opened anew."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.storage.drivers import DatabaseFailed, Driver, driver_of
from billing.storage.statements import Find, Found, Steps, Values

T = TypeVar("T")


class Line:
    """Keeps one connection out of the pool."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._connection: AsyncConnection | None = None
        self._driver: Driver | None = None
        self._lock = asyncio.Lock()

    async def transact(self, steps: Steps[T]) -> T:
        """Run steps in a transaction; after a failure the owner calls `drop`."""
        async with self._lock:
            return await (await self._reached()).transact(steps)

    async def look(self, find: Find, keys: Sequence[Values]) -> Found:
        """Read; a connection that was lost while idle is opened anew, once."""
        async with self._lock:
            try:
                return await (await self._reached()).look(find, keys)
            except DatabaseFailed:
                await self.drop()
            try:
                return await (await self._reached()).look(find, keys)
            except (DatabaseFailed, OSError):
                await self.drop()
                raise

    async def drop(self) -> None:
        """Throw the connection away, whatever its state: it was set up for us alone."""
        connection, self._connection, self._driver = self._connection, None, None
        if connection is not None:
            with suppress(SQLAlchemyError, OSError, TimeoutError):
                async with asyncio.timeout(1):
                    await connection.invalidate()
                    await connection.close()

    async def _reached(self) -> Driver:
        if self._driver is None:
            self._connection = await self._engine.connect()
            driver = await driver_of(self._connection)
            await driver.prepare()
            self._driver = driver
        return self._driver
