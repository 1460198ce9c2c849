"""Endpoints of webhooks: whose they are, where they are, what they are told, what signs it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement, Row, delete, insert, select, true, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import Clock, microseconds_of
from billing.errors import IdempotencyConflict, InvalidInput
from billing.ids import new_id
from billing.money import Micros
from billing.storage.engine import for_writing
from billing.storage.tables import accounts, clients
from ivr.web.webhooks.events import EVENTS, Owner
from ivr.webhook_tables import webhook_endpoints, webhook_marks, webhook_outbox

HOUR_US: Final = 3_600_000_000
# Both secrets sign for so long after a rotation.
OVERLAP_HOURS: Final = 24
LOW_BALANCE: Final[Micros] = 5_000_000
URL_MAX: Final = 500
ENDPOINTS_MAX: Final = 20
DEFAULT_EVENTS: Final = ("call.ended",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where somebody wants to be told; `secret` signs what is sent, and `old_secret` too."""

    id: str
    client: str | None
    account: str | None
    url: str
    secret: str
    old_secret: str | None
    old_until_us: int | None
    events: tuple[str, ...]
    low_balance: Micros
    enabled: bool
    failing_us: int | None
    off_reason: str | None
    created_us: int

    @property
    def owner(self) -> Owner:
        """Whose it is."""
        if self.client is not None:
            return Owner.CLIENT
        return Owner.INSTALLATION if self.account is None else Owner.ACCOUNT


@dataclass(frozen=True, slots=True, kw_only=True)
class Whose:
    """Whose endpoints are meant; both None: the installation's, and in lists all there are."""

    client: str | None = None
    account: str | None = None

    def condition(self) -> ColumnElement[bool]:
        """Write the condition on rows."""
        if self.client is not None:
            return webhook_endpoints.c.client == self.client
        if self.account is not None:
            return webhook_endpoints.c.account == self.account
        return true()

    @property
    def owner(self) -> Owner:
        """What kind of owner that is."""
        if self.client is not None:
            return Owner.CLIENT
        return Owner.INSTALLATION if self.account is None else Owner.ACCOUNT


async def add_endpoint(
    engine: AsyncEngine,
    whose: Whose,
    url: str,
    *,
    clock: Clock,
    events: Collection[str] = DEFAULT_EVENTS,
    low_balance: Micros = LOW_BALANCE,
    allow_plain: bool = False,
    key: str | None = None,
) -> tuple[Endpoint, bool]:
    """Tell a server of what happens from now on; the same key again finds what it made.

    Returns:
        The endpoint, and whether the key was used before.

    Raises:
        InvalidInput: no such owner or event, no address that can be called, or too many of them.
        IdempotencyConflict: the key made another one.

    """
    _check_url(url, allow_plain=allow_plain)
    wanted = check_events(whose.owner, events)
    now_us = microseconds_of(clock.now())
    row: dict[str, Any] = {  # Any: values of many types
        "id": new_id(clock), "client": whose.client, "account": whose.account, "url": url,
        "secret": secrets.token_hex(32), "events": json.dumps(wanted),
        "low_balance": low_balance, "enabled": True, "request_key": _key(whose, key),
        "created_us": now_us,
    }  # fmt: skip
    connection = await for_writing(engine)
    try:
        async with connection.begin():
            await _check_owner(connection, whose)
            known = await _made_by(connection, row["request_key"])
            if known is not None:
                if (known.url, list(known.events), known.low_balance) != (
                    url, wanted, low_balance,
                ):  # fmt: skip
                    raise IdempotencyConflict(key=key or "")
                return known, True
            await connection.execute(insert(webhook_endpoints), row)
            await _mark(connection, row["id"], wanted, now_us)
            return await _one(connection, row["id"]), False
    finally:
        await connection.close()


async def list_endpoints(engine: AsyncEngine, whose: Whose | None = None) -> list[Endpoint]:
    """Read endpoints, oldest first."""
    query = select(webhook_endpoints).where((whose or Whose()).condition())
    order = (webhook_endpoints.c.created_us, webhook_endpoints.c.id)
    async with engine.connect() as connection:
        return [endpoint_of(row) for row in await connection.execute(query.order_by(*order))]


async def change_endpoint(
    engine: AsyncEngine,
    endpoint: Endpoint,
    *,
    clock: Clock,
    events: Collection[str] | None = None,
    low_balance: Micros | None = None,
    url: str | None = None,
    allow_plain: bool = False,
) -> Endpoint:
    """Change what an endpoint is told, and where; events that are new are told from now on."""
    values: dict[str, Any] = {}  # Any: values of many types
    now_us = microseconds_of(clock.now())
    if url is not None:
        _check_url(url, allow_plain=allow_plain)
        values["url"] = url
    if low_balance is not None:
        values["low_balance"] = low_balance
    wanted = None if events is None else check_events(endpoint.owner, events)
    if wanted is not None:
        values["events"] = json.dumps(wanted)
    async with engine.begin() as connection:
        if values:
            await _update(connection, endpoint.id, values)
        if wanted is not None:
            left = webhook_marks.c.event.not_in(wanted)
            await connection.execute(
                delete(webhook_marks).where(webhook_marks.c.endpoint == endpoint.id, left)
            )
            await _mark(connection, endpoint.id, wanted, now_us)
        return await _one(connection, endpoint.id)


async def set_enabled(
    engine: AsyncEngine, endpoint: str, *, enabled: bool, reason: str | None = None
) -> None:
    """Switch an endpoint on or off; on, it starts with a clean slate.

    Raises:
        InvalidInput: there is none.

    """
    values = {"enabled": enabled, "off_reason": None if enabled else reason, "failing_us": None}
    async with engine.begin() as connection:
        await _update(connection, endpoint, values)


async def rotate_secret(engine: AsyncEngine, endpoint: Endpoint, *, clock: Clock) -> Endpoint:
    """Make a new secret; for a day the one before signs as well."""
    until_us = microseconds_of(clock.now()) + OVERLAP_HOURS * HOUR_US
    values = {
        "secret": secrets.token_hex(32), "old_secret": endpoint.secret, "old_until_us": until_us,
    }  # fmt: skip
    async with engine.begin() as connection:
        await _update(connection, endpoint.id, values)
        return await _one(connection, endpoint.id)


async def delete_endpoint(engine: AsyncEngine, endpoint: str) -> None:
    """Forget an endpoint and its deliveries.

    Raises:
        InvalidInput: there is none.

    """
    async with engine.begin() as connection:
        for table in (webhook_outbox, webhook_marks):
            await connection.execute(delete(table).where(table.c.endpoint == endpoint))
        done = await connection.execute(
            delete(webhook_endpoints).where(webhook_endpoints.c.id == endpoint)
        )
        if not done.rowcount:
            raise InvalidInput(reason=f"there is no webhook {endpoint}")


def endpoint_of(row: Row[Any]) -> Endpoint:  # Any: columns of many types
    """Turn a row into an endpoint."""
    return Endpoint(
        id=row.id,
        client=row.client,
        account=row.account,
        url=row.url,
        secret=row.secret,
        old_secret=row.old_secret,
        old_until_us=row.old_until_us,
        events=tuple(json.loads(row.events)),
        low_balance=row.low_balance,
        enabled=row.enabled,
        failing_us=row.failing_us,
        off_reason=row.off_reason,
        created_us=row.created_us,
    )


def check_events(owner: Owner, events: Collection[str]) -> list[str]:
    """Put events in order, and refuse what the owner may not be told.

    Raises:
        InvalidInput: none, or one that is not the owner's business.

    """
    wanted = [name for name in EVENTS if name in events]
    wrong = sorted(
        name for name in events if name not in EVENTS or owner not in EVENTS[name].owners
    )
    if wrong:
        raise InvalidInput(reason=f"a webhook of this owner is not told of {', '.join(wrong)}")
    if not wanted:
        raise InvalidInput(reason="choose at least one event")
    return wanted


def _check_url(url: str, *, allow_plain: bool) -> None:
    reason = "write an address such as https://example.com/talkmeter"
    try:
        parts = urlsplit(url)
        host, user = parts.hostname, parts.username
    except ValueError:
        raise InvalidInput(reason=reason) from None
    schemes = {"http", "https"} if allow_plain else {"https"}
    if parts.scheme not in schemes or not host or user:
        raise InvalidInput(reason=reason)
    if len(url) > URL_MAX or not url.isprintable() or " " in url:
        raise InvalidInput(reason=f"an address has at most {URL_MAX} printable characters")


async def _check_owner(connection: AsyncConnection, whose: Whose) -> None:
    if whose.client is not None:
        code, table, name = whose.client, clients.c.code, "client"
        known = await connection.scalar(select(table).where(table == code))
    elif whose.account is not None:
        code, name = whose.account, "account"
        known = await connection.scalar(
            select(accounts.c.code).where(accounts.c.kind == "caller", accounts.c.code == code)
        )
    else:
        code, known, name = "", "", ""
    if known is None:
        raise InvalidInput(reason=f"there is no {name} {code!r}")
    found = (
        await connection.scalars(
            select(webhook_endpoints.c.id).where(
                webhook_endpoints.c.client.is_not_distinct_from(whose.client),
                webhook_endpoints.c.account.is_not_distinct_from(whose.account),
            )
        )
    ).all()
    if len(found) >= ENDPOINTS_MAX:
        raise InvalidInput(reason=f"there are at most {ENDPOINTS_MAX} webhooks; delete one first")


def _key(whose: Whose, key: str | None) -> str | None:
    return None if key is None else f"{whose.owner}:{whose.client or whose.account or ''}:{key}"


async def _made_by(connection: AsyncConnection, key: str | None) -> Endpoint | None:
    if key is None:
        return None
    query = select(webhook_endpoints).where(webhook_endpoints.c.request_key == key)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else endpoint_of(row)


async def _mark(
    connection: AsyncConnection, endpoint: str, events: Collection[str], now_us: int
) -> None:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    rows = [
        {"endpoint": endpoint, "event": event, "since_us": now_us, "seen_us": now_us}
        for event in events
    ]
    await connection.execute(dialect.insert(webhook_marks).on_conflict_do_nothing(), rows)


async def _update(
    connection: AsyncConnection,
    endpoint: str,
    values: dict[str, Any],  # Any: values of many types
) -> None:
    done = await connection.execute(
        update(webhook_endpoints).where(webhook_endpoints.c.id == endpoint).values(values)
    )
    if not done.rowcount:
        raise InvalidInput(reason=f"there is no webhook {endpoint}")


async def _one(connection: AsyncConnection, endpoint: str) -> Endpoint:
    query = select(webhook_endpoints).where(webhook_endpoints.c.id == endpoint)
    return endpoint_of((await connection.execute(query)).one())
