"""Rows of `alarms`: opened once for each condition, acknowledged by somebody, over by themselves.

found -> open -> (acknowledged) -> not found for three minutes -> over
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import MICROSECONDS, Clock, microseconds_of
from billing.ids import new_id
from billing.storage.engine import for_writing
from ivr.alarms.findings import Facts, Finding
from ivr.operation_tables import alarms

OPEN_MAX: Final = 500
QUIET_US: Final = 180 * MICROSECONDS
NOTE_MAX: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One alarm; `over_us` is None while it is on."""

    id: str
    kind: str
    subject: str
    severity: str
    client: str
    facts: Facts
    opened_us: int
    seen_us: int
    acknowledged_us: int | None
    acknowledged_by: str | None
    note: str | None
    over_us: int | None

    @property
    def state(self) -> str:
        """Open, acknowledged or over."""
        if self.over_us is not None:
            return "over"
        return "open" if self.acknowledged_us is None else "acknowledged"


async def keep(
    engine: AsyncEngine, found: Collection[Finding], *, mine: Collection[str], clock: Clock
) -> list[Alarm]:
    """Open what is new, note what is still so, and end what was not found for a while.

    `mine` are the kinds that were looked for, or `kind@subject` where it was one subject only;
    alarms of others stay. Returns those that were opened.
    """
    now_us = microseconds_of(clock.now())
    opened: list[Alarm] = []
    connection = await for_writing(engine)
    try:
        async with connection.begin():
            on = {(alarm.kind, alarm.subject): alarm for alarm in await open_alarms(connection)}
            for one in found:
                known = on.get((one.kind, one.subject))
                if known is not None:
                    await _still(connection, known, one, now_us)
                elif len(on) + len(opened) < OPEN_MAX:
                    alarm = _new(one, new_id(clock), now_us)
                    try:
                        async with connection.begin_nested():
                            await connection.execute(insert(alarms), _row(alarm))
                    except IntegrityError:
                        continue  # another process found it a moment ago
                    opened.append(alarm)
            still = {(one.kind, one.subject) for one in found}
            for key, alarm in on.items():
                looked = alarm.kind in mine or f"{alarm.kind}@{alarm.subject}" in mine
                if looked and key not in still and now_us - alarm.seen_us >= QUIET_US:
                    await connection.execute(
                        update(alarms)
                        .where(alarms.c.id == alarm.id, alarms.c.over_us.is_(None))
                        .values(over_us=now_us)
                    )
    finally:
        await connection.close()
    return opened


async def acknowledge(
    engine: AsyncEngine, alarm_id: str, *, who: str, note: str, clock: Clock
) -> Alarm | None:
    """Note that somebody looks after an alarm; the first one counts. None: there is no such alarm.

    The alarm comes back as it is now, whoever acknowledged it.
    """
    connection = await for_writing(engine)
    try:
        async with connection.begin():
            await connection.execute(
                update(alarms)
                .where(alarms.c.id == alarm_id, alarms.c.acknowledged_us.is_(None))
                .values(
                    acknowledged_us=microseconds_of(clock.now()),
                    acknowledged_by=who,
                    note=note[:NOTE_MAX] or None,
                )
            )
            row = (
                await connection.execute(select(alarms).where(alarms.c.id == alarm_id))
            ).one_or_none()
    finally:
        await connection.close()
    return None if row is None else _alarm(row)


async def open_alarms(connection: AsyncConnection) -> list[Alarm]:
    """List what is on, newest first."""
    query = (
        select(alarms)
        .where(alarms.c.over_us.is_(None))
        .order_by(alarms.c.opened_us.desc(), alarms.c.id.desc())
        .limit(OPEN_MAX)
    )
    return [_alarm(row) for row in await connection.execute(query)]


async def list_alarms(
    connection: AsyncConnection, *, after: tuple[int, str] | None, limit: int, state: str = ""
) -> list[Alarm]:
    """List alarms, newest first; `after` is moment and id of the last one before."""
    query = select(alarms).order_by(alarms.c.opened_us.desc(), alarms.c.id.desc()).limit(limit)
    if after is not None:
        query = query.where(tuple_(alarms.c.opened_us, alarms.c.id) < after)
    if state == "over":
        query = query.where(alarms.c.over_us.is_not(None))
    elif state:
        seen = alarms.c.acknowledged_us
        query = query.where(
            alarms.c.over_us.is_(None), seen.is_(None) if state == "open" else seen.is_not(None)
        )
    return [_alarm(row) for row in await connection.execute(query)]


async def _still(connection: AsyncConnection, known: Alarm, one: Finding, now_us: int) -> None:
    await connection.execute(
        update(alarms)
        .where(alarms.c.id == known.id)
        .values(seen_us=now_us, severity=one.severity, facts=json.dumps(dict(one.facts)))
    )


def _new(one: Finding, alarm_id: str, now_us: int) -> Alarm:
    return Alarm(
        id=alarm_id, kind=one.kind, subject=one.subject, severity=one.severity, client=one.client,
        facts=one.facts, opened_us=now_us, seen_us=now_us, acknowledged_us=None,
        acknowledged_by=None, note=None, over_us=None,
    )  # fmt: skip


def _row(alarm: Alarm) -> dict[str, Any]:  # Any: values of many column types
    return {
        "id": alarm.id, "kind": alarm.kind, "subject": alarm.subject, "severity": alarm.severity,
        "client": alarm.client or None, "facts": json.dumps(dict(alarm.facts)),
        "opened_us": alarm.opened_us, "seen_us": alarm.seen_us,
    }  # fmt: skip


def _alarm(row: Row[Any]) -> Alarm:  # Any: as above
    return Alarm(
        id=row.id, kind=row.kind, subject=row.subject, severity=row.severity,
        client=row.client or "", facts=json.loads(row.facts), opened_us=row.opened_us,
        seen_us=row.seen_us, acknowledged_us=row.acknowledged_us,
        acknowledged_by=row.acknowledged_by, note=row.note, over_us=row.over_us,
    )  # fmt: skip


def counted(found: Sequence[Alarm]) -> dict[tuple[str, str], int]:
    """Count alarms that are on by kind and severity."""
    numbers: dict[tuple[str, str], int] = {}
    for alarm in found:
        key = (alarm.kind, alarm.severity)
        numbers[key] = numbers.get(key, 0) + 1
    return numbers
