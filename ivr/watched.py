"""The machine and the watch over it, which know of each other."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncEngine

from billing.clock import Clock
from ivr.alarms.watch import OnOpen, Watch, nobody
from ivr.directory.cache import DirectoryCache
from ivr.machine import Machine, Parts
from ivr.supervision import Jobs


class Watched:
    """Built before the jobs, which are known to it once they run."""

    def __init__(
        self,
        engine: AsyncEngine,
        clock: Clock,
        *,
        directory: DirectoryCache,
        parts: Parts,
        on_open: OnOpen = nobody,
    ) -> None:
        self.jobs: Jobs | None = None
        self.machine = Machine(
            parts,
            directory_seconds=lambda: directory.age_seconds,
            jobs=lambda: self.jobs.states() if self.jobs else (),
            alarms=lambda: self.watch.on,
            alarms_looked_us=lambda: self.watch.looked_us,
        )
        self.watch = Watch(
            engine,
            clock,
            directory=directory.current,
            condition=self.machine.condition,
            on_open=on_open,
        )
