"""Did this process stand still? A heartbeat that notices when it was not let run.

A frozen or overloaded process sees events late, so its own measure of a talk is worthless for
that time; `evidence.weigh` then believes the switch.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, NoReturn

import structlog

from billing.clock import Clock

BEAT_SECONDS: Final = 0.25
STALL_SECONDS: Final = 0.75
STALLS_KEPT: Final = 256

log = structlog.get_logger()


class StallWatch:
    """Remembers the spans in which the event loop did not run."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._beat = clock.monotonic()
        self._stalls: deque[tuple[float, float]] = deque(maxlen=STALLS_KEPT)

    async def run(self) -> NoReturn:
        """Beat for ever."""
        while True:
            self.beat()
            await asyncio.sleep(BEAT_SECONDS)

    def beat(self) -> None:
        """Note that we run; a long silence before this moment was a stall."""
        now = self._clock.monotonic()
        if now - self._beat > STALL_SECONDS:
            self._stalls.append((self._beat, now))
            log.warning("process stood still", seconds=round(now - self._beat, 3))
        self._beat = now

    def between(self, start: float, end: float) -> bool:
        """Tell whether any stall touches this span of monotonic time, one in progress included."""
        if end - self._beat > STALL_SECONDS:
            return True
        return any(begin < end and start < stop for begin, stop in self._stalls)
