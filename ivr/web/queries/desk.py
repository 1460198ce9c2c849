"""What callers left for people: messages, recorded talks, and requests to be called back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, false, select, true, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.calls.mailbox import seconds_of
from ivr.tables import callbacks, calls, recordings
from ivr.web.problems import Refusal
from ivr.web.scope import Role, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundItem:
    """A message or a recorded talk; `heard_us` is None while nobody listened."""

    call_id: str
    kind: str
    client: str
    did: str
    topic: str | None
    caller: str
    account: str | None
    seconds: int
    created_us: int
    keep_until_us: int
    heard_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackItem:
    """Somebody who asked to be called back."""

    id: str
    client: str
    did: str
    digit: int
    account: str
    number: str
    state: str
    tries: int
    next_us: int
    created_us: int
    reason: str | None
    made: str | None

    @property
    def is_open(self) -> bool:
        """Tell whether anybody will still be rung for it."""
        return self.state in {"waiting", "calling"}


async def list_messages(
    connection: AsyncConnection,
    scope: Scope,
    *,
    limit: int,
    after: tuple[int, str] | None = None,
) -> list[SoundItem]:
    """List messages, newest first; `after` is the moment and call of the last one seen."""
    place = (recordings.c.created_us, recordings.c.call)
    query = (
        _sounds(scope)
        .where(recordings.c.kind == "message")
        .order_by(*(each.desc() for each in place))
        .limit(limit)
    )
    if after is not None:
        query = query.where(tuple_(*place) < tuple_(*after))
    return [_sound(row) for row in await connection.execute(query)]


async def sounds_of(connection: AsyncConnection, scope: Scope, call_id: str) -> list[SoundItem]:
    """List what can be heard of a call; nothing for its caller."""
    rows = await connection.execute(_sounds(scope).where(recordings.c.call == call_id))
    return [_sound(row) for row in rows]


async def find_sound(
    connection: AsyncConnection, scope: Scope, call_id: str, kind: str
) -> SoundItem:
    """Find one.

    Raises:
        Refusal: there is none, or it is somebody else's.

    """
    for sound in await sounds_of(connection, scope, call_id):
        if sound.kind == kind:
            return sound
    raise Refusal("not_found", "There is no such recording.")


async def mark_heard(connection: AsyncConnection, sound: SoundItem, now_us: int) -> None:
    """Note that somebody listened."""
    await connection.execute(
        update(recordings)
        .where(
            recordings.c.call == sound.call_id,
            recordings.c.kind == sound.kind,
            recordings.c.heard_us.is_(None),
        )
        .values(heard_us=now_us)
    )


async def list_callbacks(
    connection: AsyncConnection,
    scope: Scope,
    *,
    limit: int,
    after: tuple[int, str] | None = None,
) -> list[CallbackItem]:
    """List requests, newest first; `after` is the moment and id of the last one seen."""
    place = (callbacks.c.created_us, callbacks.c.id)
    query = (
        select(callbacks)
        .where(_mine(scope, callbacks.c.client))
        .order_by(*(each.desc() for each in place))
        .limit(limit)
    )
    if after is not None:
        query = query.where(tuple_(*place) < tuple_(*after))
    return [
        CallbackItem(**{name: getattr(row, name) for name in CallbackItem.__dataclass_fields__})
        for row in await connection.execute(query)
    ]


async def cancel_callback(
    connection: AsyncConnection, scope: Scope, callback_id: str, now_us: int
) -> None:
    """Let nobody be rung for a request any more.

    Raises:
        Refusal: there is none that is still open, or it is somebody else's.

    """
    done = await connection.execute(
        update(callbacks)
        .where(
            callbacks.c.id == callback_id,
            callbacks.c.state == "waiting",
            _mine(scope, callbacks.c.client),
        )
        .values(state="cancelled", ended_us=now_us)
    )
    if not done.rowcount:
        raise Refusal("not_found", "There is no such request that waits.")


def _mine(scope: Scope, client: ColumnElement[str]) -> ColumnElement[bool]:
    if scope.role is Role.OPERATOR:
        return true()
    if scope.role is Role.CLIENT and scope.subject:
        return client == scope.subject
    return false()


def _sounds(scope: Scope) -> Select[Any]:  # Any: a row of many column types
    return (
        select(recordings, calls.c.did, calls.c.topic, calls.c.caller, calls.c.account)
        .join(calls, calls.c.id == recordings.c.call)
        .where(_mine(scope, recordings.c.client))
    )


def _sound(row: Row[Any]) -> SoundItem:  # Any: as above
    return SoundItem(
        call_id=row.call,
        kind=row.kind,
        client=row.client,
        did=row.did,
        topic=row.topic,
        caller=row.caller,
        account=row.account,
        seconds=seconds_of(row.bytes),
        created_us=row.created_us,
        keep_until_us=row.keep_until_us,
        heard_us=row.heard_us,
    )
