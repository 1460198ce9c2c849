"""How the database is: its kind, size, revision, how fast it answers, and what waits in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.clock import MICROSECONDS, Clock
from ivr.migrations import newest
from ivr.webhook_tables import webhook_outbox

COUNTED_MAX: Final = 10_000
LATE_US: Final = 300 * MICROSECONDS
DAY_US: Final = 86_400 * MICROSECONDS
_SIZES: Final = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": "SELECT pg_database_size(current_database())",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFacts:
    """What was read; counts stop at `COUNTED_MAX`."""

    kind: str
    seconds: float
    bytes: int | None
    revision: str
    newest: str
    webhooks_pending: int
    webhooks_late: int
    webhooks_failed: int


async def read_database(connection: AsyncConnection, now_us: int, clock: Clock) -> DatabaseFacts:
    """Look at the database."""
    began = clock.monotonic()
    await connection.execute(text("SELECT 1"))
    seconds = clock.monotonic() - began
    kind = connection.dialect.name
    size = await connection.scalar(text(_SIZES[kind])) if kind in _SIZES else None
    revision = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    state, next_us = webhook_outbox.c.state, webhook_outbox.c.next_us
    return DatabaseFacts(
        kind=kind,
        seconds=seconds,
        bytes=None if size is None else int(size),
        revision=str(revision),
        newest=newest(),
        webhooks_pending=await _count(connection, state == "pending"),
        webhooks_late=await _count(connection, (state == "pending") & (next_us < now_us - LATE_US)),
        webhooks_failed=await _count(connection, (state == "failed") & (next_us > now_us - DAY_US)),
    )


async def _count(connection: AsyncConnection, condition: object) -> int:
    some = select(webhook_outbox.c.id).where(condition).limit(COUNTED_MAX).subquery()  # type: ignore[arg-type]  # an SQL condition
    return int(await connection.scalar(select(func.count()).select_from(some)) or 0)
