"""Time comes in as an argument: wall time for records, monotonic time for durations."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

MICROSECONDS: Final = 1_000_000


def moment_of(at_us: int) -> datetime:
    """Turn microseconds since 1970 into an aware moment in UTC."""
    return datetime.fromtimestamp(at_us / MICROSECONDS, tz=UTC)


def microseconds_of(moment: datetime) -> int:
    """Turn an aware moment into microseconds since 1970."""
    return round(moment.timestamp() * MICROSECONDS)


class Clock(Protocol):
    """What the rest of the code may know of time."""

    def now(self) -> datetime:
        """Wall time, aware, in UTC. For records; never for durations."""
        ...

    def monotonic(self) -> float:
        """Seconds of a clock that never steps. For durations and deadlines."""
        ...


class SystemClock:
    """The clocks of this machine."""

    def now(self) -> datetime:
        """Wall time of this machine, aware, in UTC."""
        return datetime.now(tz=UTC)

    def monotonic(self) -> float:
        """Seconds since some fixed moment of this boot."""
        return time.monotonic()


class ManualClock:
    """A clock that moves only when told to, for tests and simulations."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._monotonic = 0.0

    def now(self) -> datetime:
        """Wall time as set."""
        return self._now

    def monotonic(self) -> float:
        """Seconds advanced since the start."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move both clocks forward."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def step_wall(self, seconds: float) -> None:
        """Step the wall clock alone, as an operator or NTP may do."""
        self._now += timedelta(seconds=seconds)
