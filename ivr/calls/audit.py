"""Proofs about calls: each call's money ended with it, and no talk was free."""

from __future__ import annotations

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.audit import ROWS_SHOWN, Check

_QUERIES: Final = {
    "each session belongs to a call": (
        "SELECT s.id FROM sessions s LEFT JOIN calls c ON c.id = s.id WHERE c.id IS NULL"
    ),
    "no session is open after its call ended": (
        "SELECT c.id, s.state FROM calls c JOIN sessions s ON s.id = c.id "
        "WHERE c.ended_us IS NOT NULL AND s.state = 'open'"
    ),
    "no call with talk was left unsettled": (
        "SELECT c.id FROM calls c LEFT JOIN sessions s ON s.id = c.id "
        "WHERE c.ended_us IS NOT NULL AND c.answered_us IS NOT NULL "
        "AND (s.id IS NULL OR s.state <> 'settled')"
    ),
    "no session was charged longer than its call lasted": (
        "SELECT c.id, s.talk_us, c.ended_us - c.started_us FROM calls c "
        "JOIN sessions s ON s.id = c.id WHERE s.state = 'settled' AND NOT s.review "
        "AND c.ended_us IS NOT NULL AND s.talk_us > c.ended_us - c.started_us + 1000000"
    ),
}


async def verify(engine: AsyncEngine) -> list[Check]:
    """Prove what must hold between calls and their sessions."""
    checks: list[Check] = []
    async with engine.connect() as connection:
        for name, query in _QUERIES.items():
            rows = (await connection.execute(text(query))).fetchmany(ROWS_SHOWN)
            shown = tuple(" ".join(map(str, row)) for row in rows)
            checks.append(Check(name=name, ok=not shown, rows=shown))
    return checks
