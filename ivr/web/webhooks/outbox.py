"""Webhooks and their deliveries in the database; the rows of ended calls are the outbox.

    call ended -> a delivery per webhook of its client, once -> sent, or tried again, or failed

Nothing is told from memory: a service that dies tells after its next start.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy import Row, delete, exists, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import Clock, microseconds_of
from billing.errors import InvalidInput
from billing.ids import new_id
from billing.storage.tables import clients
from ivr.calls.history import find
from ivr.tables import calls, webhook_deliveries, webhooks

MINUTE_US: Final = 60_000_000
# Calls are looked at again for so long: their rows may be committed out of order.
OVERLAP_US: Final = 10 * MINUTE_US
CALLS_AT_ONCE: Final = 500
BACKOFF_MINUTES: Final = (1, 5, 30, 120, 360, 1440)
# Who sends has a delivery to itself for so long; after a crash another one sends it then.
CLAIM_US: Final = MINUTE_US
URL_MAX: Final = 500
REASON_MAX: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Where a client wants to be told; `secret` signs what is sent."""

    id: str
    client: str
    url: str
    secret: str
    enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event on its way to one webhook, ours alone until `claimed_us`."""

    id: str
    webhook: Webhook
    event: str
    body: str
    attempts: int
    claimed_us: int


async def add_webhook(
    engine: AsyncEngine, client: str, url: str, *, clock: Clock, allow_plain: bool = False
) -> Webhook:
    """Tell a client's server of every call that ends from now on.

    Args:
        engine: The database.
        client: Whose calls.
        url: Where to tell of them.
        clock: What time it is.
        allow_plain: Take http, too: for servers in our own network.

    Raises:
        InvalidInput: no such client, or no address that can be called.

    """
    parts = urlsplit(url)
    schemes = {"http", "https"} if allow_plain else {"https"}
    if parts.scheme not in schemes or not parts.hostname or parts.username:
        raise InvalidInput(reason="write an address such as https://example.com/talkmeter")
    if len(url) > URL_MAX or not url.isprintable():
        raise InvalidInput(reason=f"an address has at most {URL_MAX} printable characters")
    hook = Webhook(
        id=new_id(clock), client=client, url=url, secret=secrets.token_hex(32), enabled=True
    )
    now_us = microseconds_of(clock.now())
    async with engine.begin() as connection:
        known = await connection.scalar(select(clients.c.code).where(clients.c.code == client))
        if known is None:
            raise InvalidInput(reason=f"there is no client {client!r}")
        await connection.execute(
            insert(webhooks),
            {
                "id": hook.id, "client": client, "url": url, "secret": hook.secret,
                "enabled": True, "seen_us": now_us, "created_us": now_us,
            },
        )  # fmt: skip
    return hook


async def set_enabled(engine: AsyncEngine, hook_id: str, *, enabled: bool) -> None:
    """Switch a webhook on or off.

    Raises:
        InvalidInput: there is none.

    """
    async with engine.begin() as connection:
        done = await connection.execute(
            update(webhooks).where(webhooks.c.id == hook_id).values(enabled=enabled)
        )
        if not done.rowcount:
            raise InvalidInput(reason=f"there is no webhook {hook_id}")


async def delete_webhook(engine: AsyncEngine, hook_id: str) -> None:
    """Forget a webhook and its deliveries.

    Raises:
        InvalidInput: there is none.

    """
    async with engine.begin() as connection:
        await connection.execute(
            delete(webhook_deliveries).where(webhook_deliveries.c.webhook == hook_id)
        )
        done = await connection.execute(delete(webhooks).where(webhooks.c.id == hook_id))
        if not done.rowcount:
            raise InvalidInput(reason=f"there is no webhook {hook_id}")


async def list_webhooks(engine: AsyncEngine, client: str | None = None) -> list[Webhook]:
    """Read webhooks, oldest first."""
    query = select(webhooks).order_by(webhooks.c.created_us, webhooks.c.id)
    if client is not None:
        query = query.where(webhooks.c.client == client)
    async with engine.connect() as connection:
        return [_webhook(row) for row in await connection.execute(query)]


async def list_deliveries(
    engine: AsyncEngine, hook_id: str, *, limit: int = 50
) -> list[dict[str, Any]]:  # Any: columns of many types
    """Read the newest deliveries of a webhook, with what came of them."""
    query = (
        select(webhook_deliveries)
        .where(webhook_deliveries.c.webhook == hook_id)
        .order_by(webhook_deliveries.c.created_us.desc(), webhook_deliveries.c.id.desc())
        .limit(limit)
    )
    async with engine.connect() as connection:
        return [dict(row) for row in (await connection.execute(query)).mappings()]


async def send_test(engine: AsyncEngine, hook_id: str, *, clock: Clock) -> str:
    """Put a test event on its way; returns the id of its delivery."""
    async with engine.begin() as connection:
        row = (await connection.execute(select(webhooks).where(webhooks.c.id == hook_id))).first()
        if row is None:
            raise InvalidInput(reason=f"there is no webhook {hook_id}")
        event_id = new_id(clock)
        return await _enqueue(connection, hook_id, event_id, "test", {"hello": "world"}, clock)


async def replay(engine: AsyncEngine, delivery: str, *, clock: Clock) -> None:
    """Send a delivery once more, whatever came of it.

    Raises:
        InvalidInput: there is none.

    """
    async with engine.begin() as connection:
        done = await connection.execute(
            update(webhook_deliveries)
            .where(webhook_deliveries.c.id == delivery)
            .values(state="pending", attempts=0, next_us=microseconds_of(clock.now()))
        )
        if not done.rowcount:
            raise InvalidInput(reason=f"there is no delivery {delivery}")


async def collect(engine: AsyncEngine, *, clock: Clock) -> int:
    """Make deliveries of the calls that ended since the last look; returns how many."""
    made = 0
    for hook in await list_webhooks(engine):
        if hook.enabled:
            async with engine.begin() as connection:
                made += await _collect(connection, hook, clock)
    return made


async def claim_due(engine: AsyncEngine, *, clock: Clock, limit: int) -> list[Delivery]:
    """Take what is to be sent now, oldest first; while claimed, nobody else gets the same."""
    now_us = microseconds_of(clock.now())
    query = (
        select(webhook_deliveries, webhooks.c.client, webhooks.c.url, webhooks.c.secret)
        .join(webhooks, webhooks.c.id == webhook_deliveries.c.webhook)
        .where(
            webhook_deliveries.c.state == "pending",
            webhook_deliveries.c.next_us <= now_us,
            webhooks.c.enabled,
        )
        .order_by(webhook_deliveries.c.next_us)
        .limit(limit)
    )
    async with engine.connect() as connection:
        rows = (await connection.execute(query)).all()
    if not rows:
        return []
    mine = []
    async with engine.begin() as connection:
        # Always in the same order, so that two who claim at once do not wait for each other.
        for row in sorted(rows, key=lambda each: each.id):
            done = await connection.execute(
                update(webhook_deliveries)
                .where(
                    webhook_deliveries.c.id == row.id,
                    webhook_deliveries.c.state == "pending",
                    webhook_deliveries.c.next_us == row.next_us,
                )
                .values(next_us=now_us + CLAIM_US)
            )
            if done.rowcount:
                mine.append(_delivery(row, now_us + CLAIM_US))
    return mine


async def note(
    engine: AsyncEngine, delivery: Delivery, *, heard: bool, reason: str, clock: Clock
) -> None:
    """Keep what came of an attempt: heard, to be tried again later, or given up.

    Nothing is kept when the claim is over, such as by a replay that came in between.
    """
    now_us = microseconds_of(clock.now())
    attempts = delivery.attempts + 1
    state, next_us = "delivered" if heard else "pending", now_us
    if not heard:
        if delivery.attempts >= len(BACKOFF_MINUTES):
            state = "failed"
        else:
            next_us = now_us + BACKOFF_MINUTES[delivery.attempts] * MINUTE_US
    async with engine.begin() as connection:
        await connection.execute(
            update(webhook_deliveries)
            .where(
                webhook_deliveries.c.id == delivery.id,
                webhook_deliveries.c.next_us == delivery.claimed_us,
            )
            .values(
                state=state,
                attempts=attempts,
                next_us=next_us,
                reason=reason[:REASON_MAX],
                tried_us=now_us,
            )
        )


async def _collect(connection: AsyncConnection, hook: Webhook, clock: Clock) -> int:
    """Look by the moment at which ends were written, so that one written late is not missed."""
    looked = (
        await connection.execute(
            select(webhooks.c.seen_us, webhooks.c.created_us).where(webhooks.c.id == hook.id)
        )
    ).one()
    told = exists().where(
        webhook_deliveries.c.webhook == hook.id, webhook_deliveries.c.event_id == calls.c.id
    )
    rows = await connection.execute(
        select(calls.c.id, calls.c.closed_us)
        .where(
            calls.c.client == hook.client,
            calls.c.closed_us > max(looked.seen_us - OVERLAP_US, looked.created_us),
            ~told,
        )
        .order_by(calls.c.closed_us)
        .limit(CALLS_AT_ONCE)
    )
    made, newest_us = 0, looked.seen_us
    for row in rows.all():
        if record := await find(connection, row.id):
            await _enqueue(connection, hook.id, row.id, "call.ended", record.document(), clock)
            made, newest_us = made + 1, max(newest_us, row.closed_us)
    if made:
        await connection.execute(
            update(webhooks).where(webhooks.c.id == hook.id).values(seen_us=newest_us)
        )
    return made


async def _enqueue(
    connection: AsyncConnection,
    hook_id: str,
    event_id: str,
    event: str,
    facts: dict[str, Any],
    clock: Clock,
) -> str:
    now_us = microseconds_of(clock.now())
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    delivery = new_id(clock)
    body = {"id": event_id, "type": event, "data": facts}
    await connection.execute(
        dialect.insert(webhook_deliveries).on_conflict_do_nothing(),
        {
            "id": delivery, "webhook": hook_id, "event_id": event_id, "event": event,
            "body": json.dumps(body, separators=(",", ":")), "state": "pending",
            "attempts": 0, "next_us": now_us, "created_us": now_us,
        },
    )  # fmt: skip
    return delivery


def _webhook(row: Row[Any]) -> Webhook:  # Any: columns of many types
    return Webhook(
        id=row.id, client=row.client, url=row.url, secret=row.secret, enabled=row.enabled
    )


def _delivery(row: Row[Any], claimed_us: int) -> Delivery:  # Any: columns of many types
    hook = Webhook(id=row.webhook, client=row.client, url=row.url, secret=row.secret, enabled=True)
    return Delivery(
        id=row.id,
        webhook=hook,
        event=row.event,
        body=row.body,
        attempts=row.attempts,
        claimed_us=claimed_us,
    )
