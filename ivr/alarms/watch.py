"""The job that looks each minute, and what others may be told: `on_open` for each new alarm."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NoReturn

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.clock import MICROSECONDS, Clock, microseconds_of
from billing.errors import BillingError
from ivr.alarms import findings, reads
from ivr.alarms.findings import WEBHOOKS_SECONDS, Condition, Finding
from ivr.alarms.store import Alarm, counted, keep, open_alarms
from ivr.directory.model import Directory

ROUND_SECONDS: Final = 60.0
# Of one process and its machine; all others are looked for by every process.
OF_NODE: Final = ("link_down", "journal", "disk", "clock")
OF_ALL: Final = (
    "pumping_number", "pumping_prefix", "long_talks", "short_talks", "revenue", "spending", "pins",
    "webhooks",
)  # fmt: skip

OnOpen = Callable[[Alarm], Awaitable[None]]

log = structlog.get_logger()


async def nobody(alarm: Alarm) -> None:
    """Tell nobody of a new alarm."""
    del alarm


class Watch:
    """Finds alarms and keeps them; `on` counts those that are on, by kind and severity."""

    def __init__(
        self,
        engine: AsyncEngine,
        clock: Clock,
        *,
        directory: Callable[[], Directory],
        condition: Callable[[int], Awaitable[Condition]],
        on_open: OnOpen = nobody,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._directory = directory
        self._condition = condition
        self._on_open = on_open
        self.on: Mapping[tuple[str, str], int] = {}
        self.looked_us: int | None = None

    async def run(self) -> NoReturn:
        """Look for ever."""
        while True:
            try:
                await self.round()
            except (SQLAlchemyError, BillingError, OSError, TimeoutError) as error:
                log.warning("alarms not looked for", reason=type(error).__name__)
            await asyncio.sleep(ROUND_SECONDS)

    async def round(self) -> list[Alarm]:
        """Look once; returns what was opened."""
        found, node = await self._look()
        mine = {*OF_ALL, *(f"{kind}@{node}" for kind in OF_NODE)}
        opened = await keep(self._engine, found, mine=mine, clock=self._clock)
        async with self._engine.connect() as connection:
            self.on = counted(await open_alarms(connection))
        self.looked_us = microseconds_of(self._clock.now())
        for alarm in opened:
            log.warning("alarm", kind=alarm.kind, severity=alarm.severity, alarm_id=alarm.id)
            await self._on_open(alarm)
        return opened

    async def _look(self) -> tuple[list[Finding], str]:
        limits, now_us = self._directory().limits, microseconds_of(self._clock.now())
        late_us = now_us - WEBHOOKS_SECONDS * MICROSECONDS
        async with self._engine.connect() as connection:
            found = [
                *findings.pumping(await reads.caller_calls(connection, now_us), limits),
                *findings.odd_talks(await reads.talk_shapes(connection, now_us, limits), limits),
                *findings.revenue(await reads.revenues(connection, now_us), limits),
                *findings.spending(await reads.spendings(connection, now_us), limits),
                *findings.pins(await reads.locked_pins(connection, now_us), limits),
            ]
            late = await reads.late_webhooks(connection, late_us)
        state = await self._condition(late)
        return [*found, *findings.condition(state, limits)], state.node
