"""Rows of `calls`: written when a call begins to wait for its agent, and when it ended.

A call that never came so far leaves one row at its end. Both writes ride in the batch that the
ledger commits anyway.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.storage.writer import GroupWriter
from ivr.calls.call import Call
from ivr.tables import calls
from ivr.telephony import CallFacts

_INSERT = insert(calls)
_END = (
    update(calls)
    .where(calls.c.id == bindparam("call_id"))
    .values(
        {
            name: bindparam(name)
            for name in ("state", "answered_us", "ended_us", "end_reason", "timeline")
        }
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFacts:
    """What a row tells recovery: where the call ran."""

    node: str
    boot: str
    call: CallFacts


class CallStore:
    """Reads and writes rows of `calls`."""

    def __init__(self, *, writer: GroupWriter, engine: AsyncEngine) -> None:
        self._writer = writer
        self._engine = engine
        self._inserted: set[str] = set()

    async def begin(self, call: Call) -> None:
        """Write the row of a call that now waits for its agent."""
        await self._writer.write(_INSERT, _row(call))
        self._inserted.add(call.id)

    async def end(self, call: Call) -> None:
        """Write how a call ended."""
        if call.id in self._inserted or call.adopted:
            self._inserted.discard(call.id)
            row = _row(call)
            await self._writer.write(
                _END,
                {
                    "call_id": call.id,
                    "state": row["state"],
                    "answered_us": row["answered_us"],
                    "ended_us": row["ended_us"],
                    "end_reason": row["end_reason"],
                    "timeline": row["timeline"],
                },
            )
        else:
            await self._writer.write(_INSERT, _row(call))

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
            call=CallFacts(
                node=row.node,
                channel=row.channel,
                uniqueid=row.uniqueid,
                did=row.did,
                caller_number=row.caller,
                caller_name="",
            ),
        )


def _row(call: Call) -> dict[str, Any]:  # Any: values of many column types
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
        "end_reason": call.end_reason.value if call.end_reason else None,
        "timeline": json.dumps(call.timeline),
    }
