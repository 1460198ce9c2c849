"""Changes to logins of others, each decided in the transaction that writes it.

    nobody touches a login of its own kind that holds a right which he does not
    nobody hands out a right that he does not hold
    nobody takes his own right to manage logins, or disables himself
    one operator that may manage logins is always left

Two administrators who disable each other at the same moment are one after the other here: the rows
of all operators are locked first.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.errors import Refused
from billing.storage.engine import for_writing
from ivr.tables import users, web_sessions
from ivr.web.factor.store import switch_off
from ivr.web.queries.users import UserItem, find_user
from ivr.web.rights import read_rights, write_rights
from ivr.web.scope import Right, Role, Who
from ivr.web.sessions import session_id

OWN_RIGHT: Final = "you cannot take your own right to manage logins"


class UserChangeRefused(Refused):
    """Facts: reason."""

    code = "user_change_refused"
    sentence = "{reason}"


async def set_rights(
    engine: AsyncEngine, who: Who, login: str, rights: frozenset[Right]
) -> UserItem:
    """Give a login other rights and return it as it was.

    Raises:
        NotYours: there is no such login for this visitor.
        UserChangeRefused: a rule at the top of this module forbids it.

    """
    async with _changing(engine, who, login) as (connection, user):
        if who.role is user.role and not rights - user.rights <= who.rights:
            raise UserChangeRefused(reason="you cannot hand out a right that you do not hold")
        if _himself(user, who) and Right.USERS not in rights:
            raise UserChangeRefused(reason=OWN_RIGHT)
        if Right.USERS not in rights:
            await _keep_one(connection, without=user)
        await connection.execute(
            update(users).where(users.c.id == user.id).values(rights=write_rights(rights))
        )
        return user


async def set_disabled(engine: AsyncEngine, who: Who, login: str, *, disabled: bool) -> UserItem:
    """Disable a login, which ends its sessions, or enable it again; returns it as it was.

    Raises:
        NotYours: there is no such login for this visitor.
        UserChangeRefused: a rule at the top of this module forbids it.

    """
    async with _changing(engine, who, login) as (connection, user):
        if disabled:
            if _himself(user, who):
                raise UserChangeRefused(reason="you cannot disable yourself")
            await _keep_one(connection, without=user)
            await _end_sessions(connection, user)
        await connection.execute(
            update(users).where(users.c.id == user.id).values(disabled=disabled)
        )
        return user


async def reset_password(
    engine: AsyncEngine, who: Who, login: str, *, password_hash: str
) -> UserItem:
    """Give a login a password that it must change at once; its sessions end.

    Raises:
        NotYours: there is no such login for this visitor.
        UserChangeRefused: a rule at the top of this module forbids it.

    """
    async with _changing(engine, who, login) as (connection, user):
        if _himself(user, who):
            raise UserChangeRefused(reason="change your own password under Settings")
        await connection.execute(
            update(users)
            .where(users.c.id == user.id)
            .values(password_hash=password_hash, must_change=True)
        )
        await _end_sessions(connection, user)
        return user


async def reset_factor(engine: AsyncEngine, who: Who, login: str) -> UserItem:
    """Switch the second factor of somebody off who lost it; the sessions end.

    Raises:
        NotYours: there is no such login for this visitor.
        UserChangeRefused: a rule at the top of this module forbids it.

    """
    async with _changing(engine, who, login) as (connection, user):
        if _himself(user, who):
            raise UserChangeRefused(reason="switch your own second factor off under Settings")
        await switch_off(connection, user.id)
        await _end_sessions(connection, user)
        return user


async def end_sessions(engine: AsyncEngine, who: Who, login: str) -> UserItem:
    """End all sessions of a login, but the one that asks.

    Raises:
        NotYours: there is no such login for this visitor.
        UserChangeRefused: a rule at the top of this module forbids it.

    """
    async with _changing(engine, who, login) as (connection, user):
        await _end_sessions(connection, user, kept=who.session)
        return user


async def end_session(engine: AsyncEngine, who: Who, login: str, session: str) -> int:
    """End one session of a login, named as lists name it; returns how many that were, one or none.

    Raises:
        NotYours: there is no such login for this visitor.
        UserChangeRefused: a rule at the top of this module forbids it.

    """
    async with _changing(engine, who, login) as (connection, user):
        mine = web_sessions.c.user_id == user.id
        hashes = await connection.scalars(select(web_sessions.c.token_hash).where(mine))
        found = [each for each in hashes if session_id(each) == session]
        await connection.execute(
            delete(web_sessions).where(mine, web_sessions.c.token_hash.in_(found))
        )
        return len(found)


def _himself(user: UserItem, who: Who) -> bool:
    """Tell whether somebody changes his own login; a token is nobody's login, whatever its name."""
    return bool(who.session) and user.login == who.login


@asynccontextmanager
async def _changing(
    engine: AsyncEngine, who: Who, login: str
) -> AsyncIterator[tuple[AsyncConnection, UserItem]]:
    connection = await for_writing(engine)
    try:
        async with connection.begin():
            operators = select(users.c.id).where(users.c.role == Role.OPERATOR.value)
            await connection.execute(operators.order_by(users.c.id).with_for_update())
            user = await find_user(connection, who.scope, login)
            if who.role is user.role and not user.rights <= who.rights:
                raise UserChangeRefused(reason="this login may do more than yours")
            yield connection, user
    finally:
        await connection.close()


async def _keep_one(connection: AsyncConnection, *, without: UserItem) -> None:
    """Refuse what would leave no operator who may manage logins."""
    if without.role is not Role.OPERATOR or Right.USERS not in without.rights:
        return
    others = await connection.scalars(
        select(users.c.rights).where(
            users.c.role == Role.OPERATOR.value,
            users.c.disabled.is_(False),
            users.c.id != without.id,
        )
    )
    if not any(Right.USERS in read_rights(text) for text in others):
        raise UserChangeRefused(reason="this is the last operator who may manage logins")


async def _end_sessions(connection: AsyncConnection, user: UserItem, *, kept: str = "") -> None:
    await connection.execute(
        delete(web_sessions).where(
            web_sessions.c.user_id == user.id, web_sessions.c.token_hash != kept
        )
    )
