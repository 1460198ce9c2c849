"""People who may log in: found by login, each with one role and, unless operator, one subject."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.errors import InvalidInput, NotFound, Refused
from billing.storage.engine import for_writing
from billing.storage.tables import accounts, clients
from ivr.tables import users, web_sessions
from ivr.web.parties import party_exists
from ivr.web.rights import all_of, read_rights, write_rights
from ivr.web.scope import Right, Role

LOGIN: Final = re.compile(r"[a-z0-9][a-z0-9_.@+-]{1,63}", re.ASCII)


class UnknownUser(NotFound):
    """Facts: login."""

    code = "unknown_user"
    sentence = "there is no user {login!r}"


class UserExists(Refused):
    """Facts: login."""

    code = "user_exists"
    sentence = "the user {login!r} exists already"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody who may log in."""

    id: int
    login: str
    role: Role
    subject: str | None
    disabled: bool
    password_hash: str
    rights: frozenset[Right]
    must_change: bool
    language: str | None = None
    timezone: str | None = None


async def find_user(connection: AsyncConnection, login: str) -> User | None:
    """Find a user by login; None when there is none."""
    row = (await connection.execute(select(users).where(users.c.login == login))).one_or_none()
    return None if row is None else _user(row)


async def list_users(connection: AsyncConnection) -> list[User]:
    """List all users by login."""
    rows = await connection.execute(select(users).order_by(users.c.login))
    return [_user(row) for row in rows]


async def callers_of(connection: AsyncConnection, account: str) -> list[User]:
    """List the users of a caller's account, by login."""
    query = select(users).where(users.c.role == Role.CALLER.value, users.c.subject == account)
    return [_user(row) for row in await connection.execute(query.order_by(users.c.login))]


async def add_user(
    engine: AsyncEngine,
    login: str,
    *,
    password_hash: str,
    role: Role,
    subject: str | None,
    now_us: int,
    rights: frozenset[Right] | None = None,
    must_change: bool = False,
) -> None:
    """Add a user; its subject must exist. Without rights named it has all of its role.

    Raises:
        InvalidInput: a login of strange characters, or a subject that does not fit the role.
        UserExists: the login is taken.

    """
    if not LOGIN.fullmatch(login):
        raise InvalidInput(reason="a login is 2 to 64 of a-z 0-9 _ . @ + -, in lower case")
    connection = await for_writing(engine)
    try:
        async with connection.begin():
            await check_subject(connection, role, subject)
            await connection.execute(
                insert(users),
                {
                    "login": login,
                    "password_hash": password_hash,
                    "role": role.value,
                    "subject": subject,
                    "rights": write_rights(all_of(role) if rights is None else rights),
                    "must_change": must_change,
                    "created_us": now_us,
                },
            )
    except IntegrityError:
        raise UserExists(login=login) from None
    finally:
        await connection.close()


async def set_password(
    engine: AsyncEngine,
    login: str,
    *,
    password_hash: str,
    kept_session: str = "",
    must_change: bool = False,
) -> None:
    """Change a password and end all sessions of the user but the one whose hash is given.

    Raises:
        UnknownUser: there is no such user.

    """
    connection = await for_writing(engine)
    try:
        async with connection.begin():
            user_id = await connection.scalar(select(users.c.id).where(users.c.login == login))
            if user_id is None:
                raise UnknownUser(login=login)
            await connection.execute(
                update(users)
                .where(users.c.id == user_id)
                .values(password_hash=password_hash, must_change=must_change)
            )
            await connection.execute(
                delete(web_sessions).where(
                    web_sessions.c.user_id == user_id, web_sessions.c.token_hash != kept_session
                )
            )
    finally:
        await connection.close()


async def rename_user(engine: AsyncEngine, login: str, wanted: str) -> str:
    """Give a user another login name and return it; its sessions go on.

    Raises:
        InvalidInput: a login of strange characters.
        UserExists: the login is taken.
        UnknownUser: there is no such user.

    """
    if not LOGIN.fullmatch(wanted):
        raise InvalidInput(reason="a login is 2 to 64 of a-z 0-9 _ . @ + -, in lower case")
    connection = await for_writing(engine)
    try:
        async with connection.begin():
            change = update(users).where(users.c.login == login).values(login=wanted)
            if not (await connection.execute(change)).rowcount:
                raise UnknownUser(login=login)
    except IntegrityError:
        raise UserExists(login=wanted) from None
    finally:
        await connection.close()
    return wanted


async def set_language(
    engine: AsyncEngine, login: str, *, language: str | None, timezone: str | None
) -> None:
    """Choose what the pages of a login are read in; None leaves it to the browser.

    Raises:
        UnknownUser: there is no such user.

    """
    connection = await for_writing(engine)
    try:
        async with connection.begin():
            done = await connection.execute(
                update(users)
                .where(users.c.login == login)
                .values(language=language, timezone=timezone)
            )
            if done.rowcount != 1:
                raise UnknownUser(login=login)
    finally:
        await connection.close()


async def check_subject(connection: AsyncConnection, role: Role, subject: str | None) -> None:
    """Refuse a subject that does not exist or does not fit the role.

    Raises:
        InvalidInput: says what is missing.

    """
    match role, subject:
        case Role.OPERATOR, None:
            return
        case Role.OPERATOR, _:
            raise InvalidInput(reason="an operator has no subject")
        case _, None:
            raise InvalidInput(reason=f"a {role} needs the code of its {_noun(role)} as subject")
        case ((Role.RESELLER | Role.REFERRER), str(code)):
            if not await party_exists(connection, role, code):
                raise InvalidInput(reason=f"no client's agreement names a {role} {code!r}")
            return
        case Role.CLIENT, _:
            query = select(clients.c.code).where(clients.c.code == subject)
        case _:
            query = select(accounts.c.code).where(
                accounts.c.kind == "caller", accounts.c.code == subject
            )
    if await connection.scalar(query) is None:
        raise InvalidInput(reason=f"there is no {_noun(role)} {subject!r}")


def _noun(role: Role) -> str:
    return "account" if role is Role.CALLER else role.value


def _user(row: Row[Any]) -> User:  # Any: a row of many column types
    return User(
        id=row.id,
        login=row.login,
        role=Role(row.role),
        subject=row.subject,
        disabled=bool(row.disabled),
        password_hash=row.password_hash,
        rights=read_rights(row.rights),
        must_change=bool(row.must_change),
        language=row.language,
        timezone=row.timezone,
    )
