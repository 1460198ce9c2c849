"""Tokens of programs as rows: an operator sees all, a company its own; never the token itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, and_, false, func, select, true, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.tables import api_tokens
from ivr.web.rights import read_rights
from ivr.web.scope import NotYours, Right, Role, Scope

KEYS_MAX: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyItem:
    """A token as people see it; `created_by` is None when the command line made it."""

    id: str
    name: str
    role: Role
    subject: str | None
    rights: frozenset[Right]
    created_us: int
    created_by: str | None
    expires_us: int | None
    used_us: int | None
    revoked: bool

    def state(self, now_us: int) -> str:
        """Tell whether it opens anything: active, expired or revoked."""
        if self.revoked:
            return "revoked"
        return "expired" if self.expires_us is not None and self.expires_us <= now_us else "active"


async def list_keys(
    connection: AsyncConnection,
    scope: Scope,
    *,
    after: tuple[int, str] | None = None,
    limit: int,
) -> list[KeyItem]:
    """List tokens, newest first; `after` is the moment and the id of the last one before."""
    query = (
        select(api_tokens)
        .where(_mine(scope))
        .order_by(api_tokens.c.created_us.desc(), api_tokens.c.id.desc())
        .limit(limit)
    )
    if after is not None:
        query = query.where(tuple_(api_tokens.c.created_us, api_tokens.c.id) < after)
    return [_key(row) for row in await connection.execute(query)]


async def count_keys(connection: AsyncConnection, role: Role, subject: str | None) -> int:
    """Count the tokens of a company that are not revoked."""
    query = (
        select(func.count())
        .select_from(api_tokens)
        .where(
            api_tokens.c.role == role.value,
            api_tokens.c.subject.is_(None) if subject is None else api_tokens.c.subject == subject,
            api_tokens.c.revoked.is_(False),
        )
    )
    return await connection.scalar(query) or 0


async def find_key(connection: AsyncConnection, scope: Scope, key_id: str) -> KeyItem:
    """Read one token.

    Raises:
        NotYours: there is none, or it is another company's.

    """
    query = select(api_tokens).where(_mine(scope), api_tokens.c.id == key_id)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise NotYours
    return _key(row)


async def revoke_key(connection: AsyncConnection, scope: Scope, key_id: str) -> bool:
    """Revoke a token of the visitor's; tells whether it was still in force."""
    done = await connection.execute(
        update(api_tokens)
        .where(_mine(scope), api_tokens.c.id == key_id, api_tokens.c.revoked.is_(False))
        .values(revoked=True)
    )
    return done.rowcount == 1


def _mine(scope: Scope) -> ColumnElement[bool]:
    if scope.role is Role.OPERATOR:
        return true()
    if scope.role is Role.CALLER or not scope.subject:
        return false()
    return and_(api_tokens.c.role == scope.role.value, api_tokens.c.subject == scope.subject)


def _key(row: Row[Any]) -> KeyItem:  # Any: a row of many column types
    return KeyItem(
        id=row.id,
        name=row.name,
        role=Role(row.role),
        subject=row.subject,
        rights=read_rights(row.rights),
        created_us=row.created_us,
        created_by=row.created_by,
        expires_us=row.expires_us,
        used_us=row.used_us,
        revoked=bool(row.revoked),
    )
