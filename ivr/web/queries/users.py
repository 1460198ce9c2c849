"""Logins as rows of a list: an operator sees all, a company those of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, false, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.tables import second_factors, users, web_sessions
from ivr.web.rights import read_rights
from ivr.web.scope import NotYours, Right, Role, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class UserFilter:
    """What a list of logins shows; `text` is part of a login or begins a subject."""

    text: str | None = None
    role: Role | None = None
    disabled: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserItem:
    """A login as others see it; `seen_us` is None while it never logged in."""

    id: int
    login: str
    role: Role
    subject: str | None
    rights: frozenset[Right]
    disabled: bool
    must_change: bool
    factor: bool
    created_us: int
    seen_us: int | None


async def list_users(
    connection: AsyncConnection,
    scope: Scope,
    wanted: UserFilter,
    *,
    after: str | None = None,
    limit: int,
) -> list[UserItem]:
    """List logins in the order of the alphabet; `after` is the last one of the page before."""
    query = _items(scope).where(*_conditions(wanted)).order_by(users.c.login).limit(limit)
    if after is not None:
        query = query.where(users.c.login > after)
    return [_item(row) for row in await connection.execute(query)]


async def find_user(connection: AsyncConnection, scope: Scope, login: str) -> UserItem:
    """Read one login.

    Raises:
        NotYours: there is none, or it is another company's.

    """
    row = (await connection.execute(_items(scope).where(users.c.login == login))).one_or_none()
    if row is None:
        raise NotYours
    return _item(row)


def visible(scope: Scope) -> ColumnElement[bool]:
    """Write which logins a visitor may manage."""
    if scope.role is Role.OPERATOR:
        return true()
    if scope.role is Role.CALLER or not scope.subject:
        return false()
    return and_(users.c.role == scope.role.value, users.c.subject == scope.subject)


def _items(scope: Scope) -> Select[Any]:  # Any: a row of many column types
    active = (
        select(func.max(web_sessions.c.seen_us))
        .where(web_sessions.c.user_id == users.c.id)
        .scalar_subquery()
    )
    factor = (
        select(second_factors.c.user_id)
        .where(second_factors.c.user_id == users.c.id, second_factors.c.confirmed_us.is_not(None))
        .exists()
    )
    return select(users, active.label("active_us"), factor.label("factor")).where(visible(scope))


def _conditions(wanted: UserFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.text is not None:
        text = wanted.text.lower()
        conditions.append(
            or_(
                users.c.login.contains(text, autoescape=True),
                users.c.subject.startswith(text, autoescape=True),
            )
        )
    if wanted.role is not None:
        conditions.append(users.c.role == wanted.role.value)
    if wanted.disabled is not None:
        conditions.append(users.c.disabled.is_(wanted.disabled))
    return conditions


def _item(row: Row[Any]) -> UserItem:  # Any: as above
    seen = [at for at in (row.seen_us, row.active_us) if at is not None]
    return UserItem(
        id=row.id,
        login=row.login,
        role=Role(row.role),
        subject=row.subject,
        rights=read_rights(row.rights),
        disabled=bool(row.disabled),
        must_change=bool(row.must_change),
        factor=bool(row.factor),
        created_us=row.created_us,
        seen_us=max(seen, default=None),
    )
