"""Logs, secrets and supervision: what every process of ours relies on."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest

from ivr import secrets
from ivr.logs import redact
from ivr.supervision import Jobs, TaskDied


def test_logs_shorten_numbers_and_never_hold_a_secret() -> None:
    event = redact(None, "info", {"caller": "15551230001", "pin": "4711", "digits": "1", "n": 1})

    assert event == {"caller": "…0001", "pin": "***", "digits": "***", "n": 1}


def test_a_secret_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "one"

    first, second = secrets.read_or_make(path), secrets.read_or_make(path)

    assert first == second
    assert len(first) == 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["one"]


async def test_a_task_that_dies_stops_the_service_and_is_named() -> None:
    async def dies() -> None:
        raise RuntimeError

    async def lives() -> None:
        await asyncio.Event().wait()

    with pytest.raises(TaskDied, match="'meter' died"):
        async with Jobs({"meter": dies, "recovery": lives}) as jobs:
            await jobs.until(asyncio.Event())


async def test_a_task_that_returns_is_as_bad_as_one_that_raises() -> None:
    async def returns() -> None:
        return

    with pytest.raises(TaskDied, match="'meter' died"):
        async with Jobs({"meter": returns}) as jobs:
            await jobs.until(asyncio.Event())


async def test_a_stop_ends_all_tasks() -> None:
    ended = asyncio.Event()

    async def works() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    stop = asyncio.Event()
    async with Jobs({"meter": works}) as jobs:
        stop.set()
        await jobs.until(stop)

    assert ended.is_set()
