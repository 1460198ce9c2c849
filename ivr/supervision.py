"""Every long task has a name and an owner; one that dies stops the service loudly.

Half-alive is the worst state: no meter, but callers still talking.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Self

import structlog

STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

log = structlog.get_logger()

Job = Callable[[], Awaitable[object]]


class TaskDied(Exception):
    """A task that should run for ever returned or raised."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"the task {name!r} died; the service stops")


def stop_on_signals() -> asyncio.Event:
    """Return an event that SIGINT or SIGTERM sets."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop.set)
    return stop


class Jobs:
    """The long tasks of a service, in one group."""

    def __init__(self, jobs: Mapping[str, Job]) -> None:
        self._jobs = jobs
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [
            asyncio.create_task(self._forever(name, job), name=name)
            for name, job in self._jobs.items()
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def states(self) -> tuple[tuple[str, bool], ...]:
        """Tell of each task whether it runs."""
        return tuple((task.get_name(), not task.done()) for task in self._tasks)

    async def until(self, stop: asyncio.Event) -> None:
        """Wait for the stop.

        Raises:
            TaskDied: one of the tasks ended before, whatever the reason.

        """
        stopped = asyncio.create_task(stop.wait(), name="stop")
        try:
            await asyncio.wait([stopped, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in self._tasks:
                if task.done() and not stop.is_set():
                    raise TaskDied(task.get_name()) from task.exception()
        finally:
            stopped.cancel()

    async def _forever(self, name: str, job: Job) -> None:
        await job()
        log.error("task ended", task=name)
