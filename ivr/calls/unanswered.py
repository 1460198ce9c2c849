"""Calls that nobody answered: where and when callers were lost, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.reports import DAY_US, Span
from ivr.tables import calls

HOUR_US: Final = DAY_US // 24
GROUPS: Final = ("did", "topic", "hour", "reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnansweredRow:
    """Calls without a talk in one group; the hour is 0 to 23 in UTC."""

    key: str
    calls: int
    seconds: int  # from the first ring to the end, in all


async def unanswered(
    connection: AsyncConnection, span: Span, *, by: str, client: str | None = None
) -> list[UnansweredRow]:
    """Count ended calls without a talk by one of `GROUPS`."""
    hour = calls.c.started_us % DAY_US // HOUR_US
    column = {
        "did": calls.c.did,
        "topic": func.coalesce(calls.c.topic, ""),
        "hour": hour,
        "reason": func.coalesce(calls.c.end_reason, ""),
    }[by]
    query = (
        select(
            column.label("key"),
            func.count().label("calls"),
            func.sum(calls.c.ended_us - calls.c.started_us).label("waited_us"),
        )
        .where(
            calls.c.answered_us.is_(None),
            calls.c.ended_us.is_not(None),
            calls.c.started_us >= span.from_us,
            calls.c.started_us < span.until_us,
        )
        .group_by("key")
        .order_by("key")
    )
    if client is not None:
        query = query.where(calls.c.client == client)
    return [
        UnansweredRow(
            key=str(int(row.key)) if by == "hour" else row.key,
            calls=row.calls,
            seconds=int(row.waited_us or 0) // 1_000_000,
        )
        for row in await connection.execute(query)
    ]
