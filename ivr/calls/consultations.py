"""Two agents talk about a caller who waits: who is asked, and who has the caller afterwards.

first agent keys *3 and a target -> the caller hears music -> both agents talk
first agent hangs up -> the other one has the caller
the other one does not answer, or hangs up -> the first one has the caller again
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

OPENED_SECONDS: Final = 10.0


@dataclass(slots=True, kw_only=True)
class Consultation:
    """One of them. `outcome` is the channel of who has the caller then, empty for nobody."""

    destination: str
    other: str = ""
    outcome: asyncio.Future[str] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def end(self, channel: str) -> None:
        """Say who has the caller; the first word counts."""
        if not self.outcome.done():
            self.outcome.set_result(channel)


class Consultations:
    """All of this process, by the caller's channel."""

    def __init__(self) -> None:
        self._live: dict[str, Consultation] = {}
        self._opened = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def soon(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something a moment later, when the agent's keys are done with."""
        task = asyncio.create_task(work, name="consult")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def open(self, uniqueid: str, destination: str) -> Consultation:
        """Let the first agent ask somebody."""
        consultation = self._live[uniqueid] = Consultation(destination=destination)
        self._opened.set()
        return consultation

    def find(self, uniqueid: str) -> Consultation | None:
        """Find the consultation about a caller."""
        return self._live.get(uniqueid)

    async def opened(self, uniqueid: str) -> Consultation | None:
        """Wait until the caller's flow is so far; the first agent may be here before."""
        try:
            async with asyncio.timeout(OPENED_SECONDS):
                while uniqueid not in self._live:
                    self._opened.clear()
                    await self._opened.wait()
        except TimeoutError:
            return None
        return self._live[uniqueid]

    def close(self, uniqueid: str) -> None:
        """Forget it; whoever still waits for its end learns that nobody has the caller."""
        if consultation := self._live.pop(uniqueid, None):
            consultation.end("")
