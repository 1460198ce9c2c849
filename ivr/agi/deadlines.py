"""Deadlines of all sessions behind one timer.

A timer per command costs more than the command itself. So each session notes until when it waits,
and one sweep, some times a second, fails the readers that waited too long.
"""

from __future__ import annotations

import asyncio
import math
from typing import Final

SWEEP_SECONDS: Final = 0.25


class Deadline:
    """Until when one session waits for its peer; on time, or at most one sweep late."""

    __slots__ = ("_loop", "at", "reader")

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._loop = asyncio.get_running_loop()
        self.reader = reader
        self.at = math.inf

    def begin(self, seconds: float) -> None:
        """Wait so many seconds from now."""
        self.at = self._loop.time() + seconds

    def end(self) -> None:
        """Wait no longer."""
        self.at = math.inf


class Deadlines:
    """All sessions that may wait."""

    def __init__(self, sweep_seconds: float = SWEEP_SECONDS) -> None:
        self._sweep_seconds = sweep_seconds
        self._members: set[Deadline] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, reader: asyncio.StreamReader) -> Deadline:
        """Take a session in; the sweep runs while there is any."""
        deadline = Deadline(reader)
        self._members.add(deadline)
        if self._timer is None:
            self._arm()
        return deadline

    def remove(self, deadline: Deadline) -> None:
        """Let a session go."""
        self._members.discard(deadline)

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._sweep_seconds, self._sweep)

    def _sweep(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for deadline in self._members:
            if deadline.at <= now:
                deadline.end()
                deadline.reader.set_exception(TimeoutError())
        if self._members:
            self._arm()
