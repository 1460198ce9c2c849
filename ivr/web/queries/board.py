"""How the queues did today: answered, abandoned, and how long callers waited, from the calls."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.clock import MICROSECONDS
from ivr.tables import calls

ROWS_MAX: Final = 5_000
SERVICE_SECONDS: Final = 20
PREFIX: Final = "queue:"
BASIS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDay:
    """A queue's day in UTC; the service level is the share answered within twenty seconds."""

    answered: int = 0
    abandoned: int = 0
    unanswered: int = 0
    longest_seconds: int = 0
    waited_seconds: int = 0
    in_time: int = 0

    @property
    def calls(self) -> int:
        """All that waited."""
        return self.answered + self.abandoned + self.unanswered

    @property
    def service_level(self) -> int | None:
        """Answered in time, in hundredths of a percent of all that waited."""
        return self.in_time * BASIS // self.calls if self.calls else None

    @property
    def average_seconds(self) -> float | None:
        """How long who was answered had waited."""
        return self.waited_seconds / self.answered if self.answered else None


async def queue_days(
    connection: AsyncConnection, since_us: int, *, client: str | None
) -> dict[str, QueueDay]:
    """Read the newest calls of today that waited in a queue, and add them up by its name."""
    query = (
        select(calls.c.destination, calls.c.answered_us, calls.c.end_reason, calls.c.timeline)
        .where(calls.c.started_us >= since_us, calls.c.destination.like(f"{PREFIX}%"))
        .order_by(calls.c.started_us.desc())
        .limit(ROWS_MAX)
    )
    if client is not None:
        query = query.where(calls.c.client == client)
    rows: dict[str, list[tuple[int | None, str | None, int | None]]] = {}
    for row in await connection.execute(query):
        name = row.destination.removeprefix(PREFIX)
        rows.setdefault(name, []).append(
            (row.answered_us, row.end_reason, waited_us(row.timeline, row.answered_us))
        )
    return {name: _day(found) for name, found in rows.items()}


def _day(rows: list[tuple[int | None, str | None, int | None]]) -> QueueDay:
    over = [row for row in rows if row[0] is not None or row[1] is not None]
    waits = [(row[2] or 0) // MICROSECONDS for row in over]
    answered = [wait for row, wait in zip(over, waits, strict=True) if row[0] is not None]
    left = sum(row[0] is None and row[1] == "caller_hung_up" for row in over)
    return QueueDay(
        answered=len(answered),
        abandoned=left,
        unanswered=len(over) - len(answered) - left,
        longest_seconds=max(waits, default=0),
        waited_seconds=sum(answered),
        in_time=sum(wait <= SERVICE_SECONDS for wait in answered),
    )


def waited_us(timeline: str, answered_us: int | None) -> int | None:
    """Find how long a call waited for an agent; None where it never did."""
    began: int | None = None
    for step in json.loads(timeline):
        if step[1] == "waiting":
            began = int(step[0])
        elif began is not None and len(step) == 2 and step[1] != "waiting":
            return (answered_us or int(step[0])) - began
    return None if began is None or answered_us is None else answered_us - began
