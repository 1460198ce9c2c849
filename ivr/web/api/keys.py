"""Keys of programs: listed, made, revoked. A key never makes one that may do more than itself."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from pydantic import Field

from billing.clock import moment_of
from ivr.web.api.gate import Answer, Ask, Operation
from ivr.web.api.logins import MANAGERS
from ivr.web.api.models import Output
from ivr.web.api.paging import PageQuery
from ivr.web.fields import Input, Line
from ivr.web.keys import end_key, make_key
from ivr.web.queries.keys import KeyItem, find_key, list_keys
from ivr.web.scope import Right

KEY: Final = "{key:[0-9a-f]{16}}"
DAYS_MAX: Final = 3650


class NewKey(Input):
    """A key; without scopes it may only read."""

    name: Line
    scopes: Annotated[tuple[Right, ...], Field(max_length=len(Right))] = ()
    days: Annotated[int, Field(ge=1, le=DAYS_MAX)] | None = None


class Key(Output):
    """A key without its secret."""

    id: str
    name: str
    role: str
    subject: str | None
    scopes: tuple[str, ...]
    state: str
    created_at: datetime
    created_by: str | None
    expires_at: datetime | None
    last_used_at: datetime | None


class Keys(Output):
    """A page of keys, newest first."""

    items: tuple[Key, ...]
    next: str | None


class MadeKey(Output):
    """A new key; the token is told here and never again."""

    name: str
    scopes: tuple[str, ...]
    token: str


def _key(item: KeyItem, now_us: int) -> Key:
    return Key(
        id=item.id,
        name=item.name,
        role=item.role.value,
        subject=item.subject,
        scopes=_scopes(item.rights),
        state=item.state(now_us),
        created_at=moment_of(item.created_us),
        created_by=item.created_by,
        expires_at=moment_of(item.expires_us) if item.expires_us else None,
        last_used_at=moment_of(item.used_us) if item.used_us else None,
    )


def _scopes(rights: frozenset[Right]) -> tuple[str, ...]:
    return tuple(sorted(right.value for right in rights))


async def show(ask: Ask) -> Answer:
    """List keys, newest first."""
    assert isinstance(ask.query, PageQuery)
    async with ask.web.reading() as connection:
        found = await list_keys(
            connection,
            ask.who.scope,
            after=ask.query.place(int, str),
            limit=ask.query.reach,
        )
    items, after = ask.query.cut(found, lambda item: (item.created_us, item.id))
    now_us = ask.web.now_us()
    return Answer(
        model=Keys(
            items=tuple(_key(item, now_us) for item in items),
            next=after,
        )
    )


async def add(ask: Ask) -> Answer:
    """Make a key of the caller's own role and company."""
    assert isinstance(ask.body, NewKey)
    rights = frozenset(ask.body.scopes)
    token = await make_key(ask.web, ask.who, ask.body.name, rights=rights, days=ask.body.days)
    return Answer(model=MadeKey(name=ask.body.name, scopes=_scopes(rights), token=token))


async def revoke(ask: Ask) -> Answer:
    """Revoke a key; it opens nothing from now on."""
    await end_key(ask.web, ask.who, ask.named("key"))
    async with ask.web.reading() as connection:
        item = await find_key(connection, ask.who.scope, ask.named("key"))
    return Answer(model=_key(item, ask.web.now_us()))


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/keys",
        name="listKeys",
        summary="List keys of programs, newest first",
        roles=MANAGERS,
        handler=show,
        right=Right.USERS,
        query=PageQuery,
        answer=Keys,
    ),
    Operation(
        method="POST",
        path="/keys",
        name="makeKey",
        summary="Make a key with scopes and an end; its token is told once",
        roles=MANAGERS,
        handler=add,
        right=Right.USERS,
        body=NewKey,
        answer=MadeKey,
        statuses=(201,),
        problems=("invalid_input", "key_refused"),
    ),
    Operation(
        method="POST",
        path=f"/keys/{KEY}/revoke",
        name="revokeKey",
        summary="Revoke a key",
        roles=MANAGERS,
        handler=revoke,
        right=Right.USERS,
        answer=Key,
        problems=("not_found",),
    ),
)
