"""Compare every charge with Asterisk's own record: is any talk charged that was not talked.

    ours   sessions.talk_us, by whatever evidence
    theirs bridge to bridge in the channel event log

A difference beyond the tolerance is listed with both measures; nothing is changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.storage.tables import sessions
from ivr.calls.call import record_since
from ivr.tables import calls
from ivr.telephony import TalkRecords

TOLERANCE_US: Final = 50_000
CALLS_MAX: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One call whose measures differ; `record_us` is None where the record tells no talk."""

    call_id: str
    talk_us: int
    record_us: int | None
    evidence: str | None
    review: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """How many calls were compared, and which differ."""

    compared: int
    differences: tuple[Difference, ...]


async def reconcile(
    engine: AsyncEngine, records: TalkRecords, *, node: str, since_us: int
) -> Reconciliation:
    """Compare the settled calls of one node since a moment."""
    query = (
        select(
            calls.c.id,
            calls.c.uniqueid,
            calls.c.part,
            calls.c.started_us.label("began_us"),
            sessions,
        )
        .select_from(calls.join(sessions, sessions.c.id == calls.c.id))
        .where(calls.c.node == node, calls.c.started_us >= since_us, sessions.c.state == "settled")
        .order_by(calls.c.id)
        .limit(CALLS_MAX)
    )
    async with engine.connect() as connection:
        rows = (await connection.execute(query)).all()
    differences: list[Difference] = []
    for row in rows:
        record = await records.of(
            uniqueid=row.uniqueid,
            since_us=min(since_us, record_since(row.began_us, row.part)),
            talk=row.part,
        )
        record_us = (
            record.ended_us - record.started_us
            if record.started_us is not None and record.ended_us is not None
            else None
        )
        if record_us is None or abs(record_us - row.talk_us) > TOLERANCE_US:
            differences.append(
                Difference(
                    call_id=row.id,
                    talk_us=row.talk_us,
                    record_us=record_us,
                    evidence=row.evidence,
                    review=bool(row.review),
                )
            )
    return Reconciliation(compared=len(rows), differences=tuple(differences))
