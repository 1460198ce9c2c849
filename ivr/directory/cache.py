"""The directory in memory: read by every call, reloaded when its stamp in the database moves."""

from __future__ import annotations

import asyncio
from typing import Final, NoReturn

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.clock import Clock, microseconds_of
from ivr.directory.model import Directory
from ivr.directory.store import load_directory, stamp

LOOK_SECONDS: Final = 1.0

log = structlog.get_logger()


class DirectoryCache:
    """The newest directory that could be read. A database that is away leaves the last one."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._stamp = (-1, -1)
        self._directory: Directory | None = None
        self._looked_at = clock.monotonic()

    def current(self) -> Directory:
        """Return the directory; `load` must have succeeded once."""
        assert self._directory is not None
        return self._directory

    @property
    def age_seconds(self) -> float:
        """How long ago the database was last asked whether anything changed."""
        return self._clock.monotonic() - self._looked_at

    async def load(self) -> None:
        """Reload when the stamp moved."""
        now_us = microseconds_of(self._clock.now())
        async with self._engine.connect() as connection:
            found = await stamp(connection, now_us)
            if found != self._stamp or self._directory is None:
                self._directory = await load_directory(connection, now_us)
                self._stamp = found
                log.info("directory loaded", stamp=found[0], price_lists=found[1])
        self._looked_at = self._clock.monotonic()

    async def run(self) -> NoReturn:
        """Follow the database for ever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.load()
            except (SQLAlchemyError, OSError) as error:
                log.warning("directory not read", reason=type(error).__name__)
