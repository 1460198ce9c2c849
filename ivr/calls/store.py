"""Rows of `calls`: written when a call begins to wait for its agent, and when it ended.

A call that never came so far leaves one row at its end. Both writes ride in the batch that the
ledger commits anyway.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Container
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Executable, bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.errors import LedgerUnavailable
from billing.money import Micros
from billing.storage.tables import accounts, sessions
from billing.storage.writer import GroupWriter
from ivr.calls.call import Call
from ivr.tables import calls
from ivr.telephony import CallFacts

_INSERT = insert(calls)
Row = dict[str, Any]  # Any: values of many column types

END_COLUMNS: Final = ("state", "answered_us", "ended_us", "closed_us", "end_reason", "timeline")
LATE_MAX: Final = 10_000
FORGOTTEN_MAX: Final = 500
_END = (
    update(calls)
    .where(calls.c.id == bindparam("call_id"))
    .values({name: bindparam(name) for name in END_COLUMNS})
)
_CLOSE = (
    update(calls)
    .where(calls.c.id == bindparam("call_id"), calls.c.ended_us.is_(None))
    .values(
        state="ended",
        end_reason="service_lost",
        answered_us=bindparam("answered_us"),
        ended_us=bindparam("ended_us"),
        closed_us=bindparam("closed_us"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFacts:
    """What a row tells recovery: where the call ran."""

    node: str
    boot: str
    call: CallFacts
    part: int = 1
    language: str = "en"
    # The agent was rung first, and the caller is the other party.
    called_back: bool = False
    destination: str = ""


class CallStore:
    """Reads and writes rows of `calls`."""

    def __init__(self, *, writer: GroupWriter, engine: AsyncEngine) -> None:
        self._writer = writer
        self._engine = engine
        self._inserted: set[str] = set()
        self._late: deque[tuple[Executable, Row]] = deque()

    async def begin(self, call: Call) -> None:
        """Write the row of a call that now waits for its agent."""
        await self._writer.write(_INSERT, _row(call))
        self._inserted.add(call.id)

    async def rate(self, call_id: str, rating: int) -> None:
        """Keep what the caller thinks of the agent, 1 to 5."""
        async with self._engine.begin() as connection:
            await connection.execute(
                update(calls).where(calls.c.id == call_id).values(rating=rating)
            )

    async def spent(self, account: str, did: str, since_us: int) -> Micros:
        """Sum up what an account's calls of a line cost that ended since a moment."""
        query = (
            select(func.coalesce(func.sum(sessions.c.cost), 0))
            .select_from(sessions.join(accounts, accounts.c.id == sessions.c.account_id))
            .where(
                accounts.c.kind == "caller",
                accounts.c.code == account,
                sessions.c.service == did,
                sessions.c.ended_us >= since_us,
            )
        )
        async with self._engine.connect() as connection:
            return int(await connection.scalar(query) or 0)

    async def end(self, call: Call) -> None:
        """Write how a call ended; while the database is away, as soon as it is back."""
        row = _row(call)
        write: tuple[Executable, Row] = (_INSERT, row)
        if call.id in self._inserted or call.adopted:
            self._inserted.discard(call.id)
            write = (_END, {name: row[name] for name in END_COLUMNS} | {"call_id": call.id})
        try:
            await self._writer.write(*write)
        except LedgerUnavailable:
            if len(self._late) < LATE_MAX:
                self._late.append(write)

    async def write_late(self, *, now_us: int) -> None:
        """Write the ends that could not be written when they happened."""
        while self._late:
            statement, row = self._late[0]
            await self._writer.write(statement, {**row, "closed_us": now_us})
            self._late.popleft()

    async def close_forgotten(self, *, node: str, live: Container[str], now_us: int) -> None:
        """End the rows of calls that are over but whose end nobody could write down."""
        query = (
            select(calls.c.id, sessions.c.ended_us, sessions.c.started_us)
            .select_from(calls.join(sessions, sessions.c.id == calls.c.id))
            .where(calls.c.ended_us.is_(None), calls.c.node == node, sessions.c.state != "open")
            .limit(FORGOTTEN_MAX)
        )
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        for row in rows:
            if row.id not in live:
                await self._writer.write(
                    _CLOSE,
                    {
                        "call_id": row.id,
                        "ended_us": row.ended_us or now_us,
                        "closed_us": now_us,
                        "answered_us": row.started_us,
                    },
                )

    async def facts(self, call_id: str) -> StoredFacts | None:
        """Read where a call ran; None when it has no row."""
        async with self._engine.connect() as connection:
            row = (
                await connection.execute(select(calls).where(calls.c.id == call_id))
            ).one_or_none()
        if row is None:
            return None
        return StoredFacts(
            node=row.node,
            boot=row.boot,
            part=row.part,
            language=row.language or "en",
            called_back=row.destination == f"phone:{row.caller}",
            destination=row.destination or "",
            call=CallFacts(
                node=row.node,
                channel=row.channel,
                uniqueid=row.uniqueid,
                did=row.did,
                caller_number=row.caller,
                caller_name="",
            ),
        )


def _row(call: Call) -> Row:
    return {
        "id": call.id,
        "node": call.facts.node,
        "boot": call.boot,
        "channel": call.facts.channel,
        "uniqueid": call.facts.uniqueid,
        "did": call.facts.did,
        "client": call.client or None,
        "account": call.account or None,
        "caller": call.facts.caller_number,
        "digit": call.digit,
        "topic": call.topic or None,
        "destination": call.destination or None,
        "tariff": call.tariff or None,
        "tariff_version": call.tariff_version,
        "state": call.state.value,
        "started_us": call.started_us,
        "answered_us": call.talk.started_us,
        "ended_us": call.ended_us,
        "closed_us": call.ended_us,
        "end_reason": call.end_reason.value if call.end_reason else None,
        "timeline": json.dumps([*call.timeline, *call.marks]),
        "part": call.part,
        "follows": call.follows or None,
        "language": call.language,
    }
