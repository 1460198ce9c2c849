"""Tries to log in are counted in the database: across restarts and processes, on both databases."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.clock import ManualClock
from billing.storage.engine import create
from ivr.tables import login_tries
from ivr.web.limits import WINDOW_SECONDS
from ivr.web.login_tries import LoginTries

START = datetime(2026, 3, 4, tzinfo=UTC)


def make(engine: AsyncEngine) -> tuple[LoginTries, ManualClock]:
    clock = ManualClock(START)
    return LoginTries(engine=engine, clock=clock), clock


async def _rows(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return await connection.scalar(select(func.count()).select_from(login_tries)) or 0


async def test_a_restart_forgets_no_try(engine: AsyncEngine):
    before, clock = make(engine)
    for _ in range(2):
        assert await before.take({"login": 2}) == 0

    after = LoginTries(engine=engine, clock=clock)
    clock.advance(60)
    wait = await after.take({"login": 2})

    assert wait == WINDOW_SECONDS - 60


async def test_processes_side_by_side_never_allow_more_than_the_limit(engine: AsyncEngine):
    others = [create(engine.url.render_as_string(hide_password=False)) for _ in range(2)]
    try:
        counters = [make(each)[0] for each in (engine, *others)]
        waits = await asyncio.gather(
            *(counter.take({"a": 5, "b": 50}) for _ in range(5) for counter in counters)
        )
    finally:
        for other in others:
            await other.dispose()

    assert sum(wait == 0 for wait in waits) == 5


async def test_a_refused_try_is_counted_nowhere(engine: AsyncEngine):
    tries, _ = make(engine)
    await tries.take({"full": 1})

    for _ in range(3):
        await tries.take({"full": 1, "other": 1})

    assert await tries.take({"other": 1}) == 0


async def test_a_try_that_succeeded_does_not_count(engine: AsyncEngine):
    tries, _ = make(engine)

    for _ in range(3):
        assert await tries.take({"a": 1}) == 0
        await tries.give_back({"a": 1})


async def test_a_window_ends_and_is_swept_out(engine: AsyncEngine):
    tries, clock = make(engine)
    await tries.take({"a": 1})
    await tries.take({"b": 1})

    clock.advance(WINDOW_SECONDS - 1)
    before = await tries.take({"a": 1})
    clock.advance(61)
    after = await tries.take({"a": 1})

    assert (before, after) == (1, 0)
    assert await _rows(engine) == 1


async def test_a_wall_clock_that_is_set_back_locks_nobody_out(engine: AsyncEngine):
    tries, clock = make(engine)
    await tries.take({"a": 1})

    clock.step_wall(-86_400)

    assert await tries.take({"a": 1}) == 0
