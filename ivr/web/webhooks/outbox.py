"""The outbox of webhooks: what happened becomes a delivery per endpoint, once, until it is heard.

    committed rows ─ sources ─▶ pending ─ claimed, sent ─▶ delivered | pending again | failed

Nothing is told from memory: a service that dies tells after its next start. A delivery may be sent
twice (at least once); the id of its event is the same then, and that is what receivers go by.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, and_, delete, func, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import Clock, microseconds_of
from billing.errors import InvalidInput
from billing.ids import new_id
from billing.storage.engine import for_writing
from ivr.calls.history import moment
from ivr.web.webhooks.endpoints import Endpoint, endpoint_of, list_endpoints
from ivr.web.webhooks.events import TEST, Facts, sample_of, seen_by
from ivr.web.webhooks.sources import SOURCES
from ivr.webhook_tables import webhook_endpoints, webhook_marks, webhook_outbox

MINUTE_US: Final = 60_000_000
HOUR_US: Final = 60 * MINUTE_US
DAY_US: Final = 24 * HOUR_US
# Rows are looked at again for so long: they may be committed out of order.
OVERLAP_US: Final = 10 * MINUTE_US
BACKOFF_MINUTES: Final = (1, 5, 30, 120, 360, 1440)
# Who sends has a delivery to itself for so long; after a crash another one sends it then.
CLAIM_US: Final = MINUTE_US
PER_ENDPOINT: Final = 5
# An endpoint that has heard nothing for so long is switched off.
FAILING_DAYS: Final = 3
KEPT_DAYS: Final = 30
REASON_MAX: Final = 200
ANSWER_MAX: Final = 300
LISTED_MAX: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event on its way to one endpoint, ours alone until `claimed_us`."""

    id: str
    endpoint: Endpoint
    event: str
    body: str
    attempts: int
    claimed_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of an attempt."""

    heard: bool
    reason: str
    status: int | None = None
    answer: str | None = None
    took_ms: int = 0


async def collect(engine: AsyncEngine, *, clock: Clock) -> int:
    """Make deliveries of what happened since the last look; returns how many."""
    made = 0
    for endpoint in await list_endpoints(engine):
        for event in endpoint.events if endpoint.enabled else ():
            made += await _collect(engine, endpoint, event, clock)
    return made


async def _collect(engine: AsyncEngine, endpoint: Endpoint, event: str, clock: Clock) -> int:
    """Look by the moment at which rows were written, so that one written late is not missed.

    Reading comes first and locks nothing; of two who find the same, the outbox takes one.
    """
    here = and_(webhook_marks.c.endpoint == endpoint.id, webhook_marks.c.event == event)
    async with engine.connect() as connection:
        mark = (await connection.execute(select(webhook_marks).where(here))).one_or_none()
        if mark is None:
            return 0  # deleted, or no longer wanted, a moment ago
        since_us = max(mark.seen_us - OVERLAP_US, mark.since_us)
        found = await SOURCES[event](connection, endpoint, since_us)
    if found:
        seen_us = max(mark.seen_us, *(one.at_us for one in found))
    else:
        # Nothing for long: what is forgotten by and by is not looked at any more.
        looked_us = microseconds_of(clock.now()) - OVERLAP_US
        seen_us = looked_us if looked_us > mark.seen_us + HOUR_US else mark.seen_us
    if seen_us == mark.seen_us and not found:
        return 0
    made = 0
    connection = await for_writing(engine)
    try:
        async with connection.begin():
            known = select(webhook_endpoints.c.id).where(webhook_endpoints.c.id == endpoint.id)
            if await connection.scalar(known) is None:
                return 0
            for one in found:
                facts = seen_by(endpoint.owner, event, one.facts)
                made += await _enqueue(
                    connection, endpoint.id, one.id, event, facts, clock, at_us=one.at_us
                )
            later = and_(here, webhook_marks.c.seen_us < seen_us)
            await connection.execute(update(webhook_marks).where(later).values(seen_us=seen_us))
    finally:
        await connection.close()
    return made


async def send_test(
    engine: AsyncEngine, endpoint_id: str, *, clock: Clock, event: str = TEST
) -> str:
    """Put a test, or the sample of an event, on its way; returns the id of its delivery."""
    async with engine.begin() as connection:
        query = select(webhook_endpoints).where(webhook_endpoints.c.id == endpoint_id)
        row = (await connection.execute(query)).first()
        if row is None:
            raise InvalidInput(reason=f"there is no webhook {endpoint_id}")
        facts = sample_of(endpoint_of(row).owner, event)
        event_id = f"test:{new_id(clock)}"
        await _enqueue(connection, endpoint_id, event_id, event, facts, clock, test=True)
        found = select(webhook_outbox.c.id).where(
            webhook_outbox.c.endpoint == endpoint_id, webhook_outbox.c.event_id == event_id
        )
        return str(await connection.scalar(found))


async def replay(engine: AsyncEngine, delivery: str, *, clock: Clock) -> None:
    """Send a delivery once more, whatever came of it.

    Raises:
        InvalidInput: there is none.

    """
    async with engine.begin() as connection:
        done = await connection.execute(
            update(webhook_outbox)
            .where(webhook_outbox.c.id == delivery)
            .values(state="pending", attempts=0, next_us=microseconds_of(clock.now()))
        )
        if not done.rowcount:
            raise InvalidInput(reason=f"there is no delivery {delivery}")


async def list_deliveries(
    engine: AsyncEngine,
    endpoint_id: str,
    *,
    limit: int = 50,
    state: str | None = None,
    after: tuple[int, str] | None = None,
    delivery: str | None = None,
) -> list[dict[str, Any]]:  # Any: columns of many types
    """Read the newest deliveries of an endpoint, with what came of them."""
    place = (webhook_outbox.c.created_us, webhook_outbox.c.id)
    query = (
        select(webhook_outbox)
        .where(webhook_outbox.c.endpoint == endpoint_id)
        .order_by(*(each.desc() for each in place))
        .limit(limit)
    )
    if state is not None:
        query = query.where(webhook_outbox.c.state == state)
    if after is not None:
        query = query.where(tuple_(*place) < tuple_(*after))
    if delivery is not None:
        query = query.where(webhook_outbox.c.id == delivery)
    async with engine.connect() as connection:
        return [dict(row) for row in (await connection.execute(query)).mappings()]


async def count_pending(engine: AsyncEngine) -> int:
    """Count what waits to be sent."""
    query = select(func.count()).where(webhook_outbox.c.state == "pending")
    async with engine.connect() as connection:
        return int(await connection.scalar(query) or 0)


async def claim_due(
    engine: AsyncEngine, *, clock: Clock, limit: int, busy: Collection[str] = ()
) -> list[Delivery]:
    """Take what is to be sent now, a few of each endpoint, oldest first; those of `busy` wait.

    While claimed, nobody else gets the same.
    """
    now_us = microseconds_of(clock.now())
    place = func.row_number().over(
        partition_by=webhook_outbox.c.endpoint,
        order_by=(webhook_outbox.c.next_us, webhook_outbox.c.id),
    )
    due = (
        select(webhook_outbox.c.id, place.label("place"))
        .join(webhook_endpoints, webhook_endpoints.c.id == webhook_outbox.c.endpoint)
        .where(
            webhook_outbox.c.state == "pending",
            webhook_outbox.c.next_us <= now_us,
            webhook_outbox.c.endpoint.not_in(list(busy)),
            webhook_endpoints.c.enabled,
        )
        .subquery()
    )
    query = (
        select(webhook_outbox)
        .join(due, due.c.id == webhook_outbox.c.id)
        .where(due.c.place <= PER_ENDPOINT)
        .order_by(webhook_outbox.c.next_us)
        .limit(limit)
    )
    async with engine.connect() as connection:
        rows = (await connection.execute(query)).all()
        wanted = {row.endpoint for row in rows}
        known = select(webhook_endpoints).where(webhook_endpoints.c.id.in_(wanted))
        endpoints = {row.id: endpoint_of(row) for row in await connection.execute(known)}
    mine: list[Delivery] = []
    if rows:
        async with engine.begin() as connection:
            # Always in the same order, so that two who claim at once do not wait for each other.
            mine = [
                _delivery(row, endpoints[row.endpoint], now_us + CLAIM_US)
                for row in sorted(rows, key=lambda each: each.id)
                if row.endpoint in endpoints and await _claim(connection, row, now_us)
            ]
    return mine


async def note(engine: AsyncEngine, delivery: Delivery, tried: Tried, *, clock: Clock) -> None:
    """Keep what came of an attempt: heard, to be tried again later, or given up.

    Nothing is kept when the claim is over, such as by a replay that came in between. An endpoint
    that heard nothing for days is switched off, and its page says so.
    """
    now_us = microseconds_of(clock.now())
    state, next_us = "delivered" if tried.heard else "pending", now_us
    if not tried.heard:
        if delivery.attempts >= len(BACKOFF_MINUTES):
            state = "failed"
        else:
            next_us = now_us + BACKOFF_MINUTES[delivery.attempts] * MINUTE_US
    async with engine.begin() as connection:
        await connection.execute(
            update(webhook_outbox)
            .where(
                webhook_outbox.c.id == delivery.id,
                webhook_outbox.c.next_us == delivery.claimed_us,
            )
            .values(
                state=state,
                attempts=delivery.attempts + 1,
                next_us=next_us,
                reason=tried.reason[:REASON_MAX],
                status=tried.status,
                answer=tried.answer,
                took_ms=tried.took_ms,
                tried_us=now_us,
            )
        )
        await _note_health(connection, delivery.endpoint.id, heard=tried.heard, now_us=now_us)


async def _note_health(
    connection: AsyncConnection, endpoint_id: str, *, heard: bool, now_us: int
) -> None:
    here = webhook_endpoints.c.id == endpoint_id
    failing = webhook_endpoints.c.failing_us
    change = update(webhook_endpoints)
    if heard:
        await connection.execute(change.where(here, failing.is_not(None)).values(failing_us=None))
        return
    await connection.execute(change.where(here, failing.is_(None)).values(failing_us=now_us))
    long_ago = failing <= now_us - FAILING_DAYS * DAY_US
    await connection.execute(
        change.where(here, long_ago, webhook_endpoints.c.enabled).values(
            enabled=False, off_reason=f"Nothing was heard for {FAILING_DAYS} days."
        )
    )


async def forget_old(engine: AsyncEngine, *, clock: Clock) -> int:
    """Drop the log of what is long over; returns how many deliveries that were."""
    before_us = microseconds_of(clock.now()) - KEPT_DAYS * DAY_US
    async with engine.begin() as connection:
        done = await connection.execute(
            delete(webhook_outbox).where(
                webhook_outbox.c.state != "pending", webhook_outbox.c.created_us < before_us
            )
        )
        return done.rowcount


async def _enqueue(
    connection: AsyncConnection,
    endpoint_id: str,
    event_id: str,
    event: str,
    facts: Facts,
    clock: Clock,
    *,
    at_us: int | None = None,
    test: bool = False,
) -> bool:
    """Write a delivery, once per endpoint and event; tells whether it is new."""
    now_us = microseconds_of(clock.now())
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    body = {
        "id": event_id, "type": event, "at": moment(now_us if at_us is None else at_us),
        "test": test, "data": facts,
    }  # fmt: skip
    done = await connection.execute(
        dialect.insert(webhook_outbox).on_conflict_do_nothing(),
        {
            "id": new_id(clock), "endpoint": endpoint_id, "event_id": event_id, "event": event,
            "body": json.dumps(body, separators=(",", ":")), "state": "pending",
            "attempts": 0, "next_us": now_us, "created_us": now_us,
        },
    )  # fmt: skip
    return bool(done.rowcount)


async def _claim(connection: AsyncConnection, row: Row[Any], now_us: int) -> bool:  # Any: columns
    done = await connection.execute(
        update(webhook_outbox)
        .where(
            webhook_outbox.c.id == row.id,
            webhook_outbox.c.state == "pending",
            webhook_outbox.c.next_us == row.next_us,
        )
        .values(next_us=now_us + CLAIM_US)
    )
    return bool(done.rowcount)


def _delivery(
    row: Row[Any],  # Any: columns of many types
    endpoint: Endpoint,
    claimed_us: int,
) -> Delivery:
    return Delivery(
        id=row.id,
        endpoint=endpoint,
        event=row.event,
        body=row.body,
        attempts=row.attempts,
        claimed_us=claimed_us,
    )
