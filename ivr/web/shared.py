"""Reads that all viewers share: one of them asks the database, the others get the same answer.

A page that ticks on a hundred screens costs one read each few seconds. What is kept is small and
keyed by what it is and whose; a failed read is kept by nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from billing.clock import Clock

KEYS_MAX: Final = 500

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class _Kept:
    until: float
    value: Any  # what the reader of this key made


class Shared:
    """Keeps each answer for some seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def get(self, key: str, make: Callable[[], Awaitable[Read]], *, seconds: float) -> Read:
        """Return what is kept, or read it; whoever asks meanwhile waits for the same answer."""
        found = self._fresh(key)
        if found is None:
            lock = self._locks.setdefault(key, asyncio.Lock())
            async with lock:
                found = self._fresh(key)
                if found is None:
                    found = _Kept(self._clock.monotonic() + seconds, await make())
                    self._keep(key, found)
        return cast("Read", found.value)  # each key has one reader, and so one type

    def _fresh(self, key: str) -> _Kept | None:
        found = self._kept.get(key)
        return found if found is not None and self._clock.monotonic() < found.until else None

    def _keep(self, key: str, kept: _Kept) -> None:
        self._kept.pop(key, None)
        self._kept[key] = kept
        while len(self._kept) > KEYS_MAX:
            oldest = next(iter(self._kept))
            del self._kept[oldest]
            self._locks.pop(oldest, None)
