"""What all viewers share is read once, and again when it is old."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from billing.clock import ManualClock
from ivr.web.shared import KEYS_MAX, Shared

CLOCK = datetime(2026, 3, 4, tzinfo=UTC)


class Reads:
    def __init__(self) -> None:
        self.times = 0
        self.broken = False

    async def read(self) -> int:
        self.times += 1
        await asyncio.sleep(0)
        if self.broken:
            raise ConnectionResetError
        return self.times


async def test_a_hundred_viewers_at_once_cost_one_read():
    shared, reads = Shared(ManualClock(CLOCK)), Reads()

    found = await asyncio.gather(*(shared.get("k", reads.read, seconds=3) for _ in range(100)))

    assert set(found) == {1}
    assert reads.times == 1


async def test_what_is_old_is_read_again():
    clock, reads = ManualClock(CLOCK), Reads()
    shared = Shared(clock)
    await shared.get("k", reads.read, seconds=3)
    clock.advance(3)

    assert await shared.get("k", reads.read, seconds=3) == 2


async def test_a_read_that_fails_is_kept_by_nobody():
    shared, reads = Shared(ManualClock(CLOCK)), Reads()
    reads.broken = True
    with pytest.raises(ConnectionResetError):
        await shared.get("k", reads.read, seconds=3)
    reads.broken = False

    assert await shared.get("k", reads.read, seconds=3) == 2


async def test_the_oldest_gives_way():
    shared, reads = Shared(ManualClock(CLOCK)), Reads()
    for number in range(KEYS_MAX + 1):
        await shared.get(str(number), reads.read, seconds=3)

    await shared.get("0", reads.read, seconds=3)

    assert reads.times == KEYS_MAX + 2
