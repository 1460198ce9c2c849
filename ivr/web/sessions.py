"""Browser sessions: a random token in a cookie, its hash in the database, revoked by a delete."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.clock import MICROSECONDS, Clock, microseconds_of
from billing.storage.writer import GroupWriter
from ivr.tables import second_factors, users, web_sessions
from ivr.web.rights import read_rights
from ivr.web.scope import Right, Role, Scope
from ivr.web.users import User

LIFE_SECONDS: Final = 12 * 3600
IDLE_SECONDS: Final = 2 * 3600
# How stale `seen_us` may get: not every page view is worth a write.
SEEN_SECONDS: Final = 60
TOKEN_LENGTH_MAX: Final = 100
ID_LENGTH: Final = 16

_INSERT = insert(web_sessions)
_TOUCH = (
    update(web_sessions)
    .where(web_sessions.c.token_hash == bindparam("token"))
    .values(seen_us=bindparam("now_us"))
)
_PROVE = (
    update(web_sessions)
    .where(web_sessions.c.token_hash == bindparam("token"))
    .values(proved_us=bindparam("now_us"))
)
_LOGGED_IN = (
    update(users).where(users.c.id == bindparam("user")).values(seen_us=bindparam("now_us"))
)
_FACTOR = (
    select(second_factors.c.user_id)
    .where(
        second_factors.c.user_id == web_sessions.c.user_id,
        second_factors.c.confirmed_us.is_not(None),
    )
    .exists()
    .label("factor")
)
_REVOKE = delete(web_sessions).where(web_sessions.c.token_hash == bindparam("token"))
_REVOKE_OTHERS = delete(web_sessions).where(
    web_sessions.c.user_id.in_(select(users.c.id).where(users.c.login == bindparam("login"))),
    web_sessions.c.token_hash != bindparam("kept"),
)
_PURGE = delete(web_sessions).where(
    (web_sessions.c.created_us < bindparam("born_us"))
    | (web_sessions.c.seen_us < bindparam("idle_us"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A valid session and whose it is."""

    token_hash: str
    csrf: str
    login: str
    scope: Scope
    seen_us: int
    rights: frozenset[Right] = frozenset()
    by_pin: bool = False
    # What the login chose to read; None leaves it to the browser.
    language: str | None = None
    timezone: str | None = None
    proved_us: int = 0
    # What must be done before anything else is shown.
    must_change: bool = False
    factor: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSession:
    """A session as its user sees it; `id` names it in forms and opens nothing."""

    id: str
    token_hash: str
    created_us: int
    seen_us: int
    address: str
    agent: str


class Sessions:
    """Begins, finds and ends sessions."""

    def __init__(self, *, writer: GroupWriter, clock: Clock) -> None:
        self._writer = writer
        self._clock = clock

    async def begin(self, user: User, *, address: str, agent: str = "unknown") -> str:
        """Begin a session and return its token; old ones of anybody are swept out on the way."""
        token, now_us = secrets.token_urlsafe(32), self._now_us()
        await self._writer.write(
            _PURGE,
            {
                "born_us": now_us - LIFE_SECONDS * MICROSECONDS,
                "idle_us": now_us - IDLE_SECONDS * MICROSECONDS,
            },
        )
        await self._writer.write(
            _INSERT,
            {
                "token_hash": hash_token(token),
                "user_id": user.id,
                "csrf": secrets.token_urlsafe(24),
                "created_us": now_us,
                "seen_us": now_us,
                "address": address,
                "agent": agent,
            },
        )
        await self._writer.write(_LOGGED_IN, {"user": user.id, "now_us": now_us})
        return token

    async def find(self, connection: AsyncConnection, token: str) -> Session | None:
        """Find the session of a token; None when it is unknown, over, or its user disabled."""
        if not 0 < len(token) <= TOKEN_LENGTH_MAX:
            return None
        now_us = self._now_us()
        query = (
            select(
                web_sessions,
                users.c.login,
                users.c.role,
                users.c.subject,
                users.c.rights,
                users.c.language,
                users.c.timezone,
                users.c.must_change,
                _FACTOR,
            )
            .join(users, users.c.id == web_sessions.c.user_id)
            .where(
                web_sessions.c.token_hash == hash_token(token),
                *_valid(now_us),
                users.c.disabled.is_(False),
            )
        )
        row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        return Session(
            token_hash=row.token_hash,
            csrf=row.csrf,
            login=row.login,
            scope=Scope(role=Role(row.role), subject=row.subject),
            seen_us=row.seen_us,
            rights=read_rights(row.rights),
            language=row.language,
            timezone=row.timezone,
            proved_us=row.proved_us or row.created_us,
            must_change=bool(row.must_change),
            factor=bool(row.factor),
        )

    async def prove(self, token_hash: str) -> None:
        """Note that the visitor typed its password again."""
        await self._writer.write(_PROVE, {"token": token_hash, "now_us": self._now_us()})

    async def seen(self, session: Session) -> None:
        """Note that the visitor is active; written once a minute at most."""
        now_us = self._now_us()
        if now_us - session.seen_us >= SEEN_SECONDS * MICROSECONDS:
            await self._writer.write(_TOUCH, {"token": session.token_hash, "now_us": now_us})

    async def list(self, connection: AsyncConnection, login: str) -> list[ListedSession]:
        """List the valid sessions of a user, the last active first."""
        query = (
            select(web_sessions)
            .join(users, users.c.id == web_sessions.c.user_id)
            .where(users.c.login == login, *_valid(self._now_us()))
            .order_by(web_sessions.c.seen_us.desc(), web_sessions.c.token_hash)
        )
        return [
            ListedSession(
                id=session_id(row.token_hash),
                token_hash=row.token_hash,
                created_us=row.created_us,
                seen_us=row.seen_us,
                address=row.address or "unknown",
                agent=row.agent or "unknown",
            )
            for row in await connection.execute(query)
        ]

    async def end(self, token_hash: str) -> None:
        """Revoke a session."""
        await self._writer.write(_REVOKE, {"token": token_hash})

    async def end_others(self, login: str, *, kept: str) -> None:
        """Revoke all sessions of a user but the one whose hash is given."""
        await self._writer.write(_REVOKE_OTHERS, {"login": login, "kept": kept})

    def _now_us(self) -> int:
        return microseconds_of(self._clock.now())


def _valid(now_us: int) -> tuple[ColumnElement[bool], ...]:
    return (
        web_sessions.c.created_us > now_us - LIFE_SECONDS * MICROSECONDS,
        web_sessions.c.seen_us > now_us - IDLE_SECONDS * MICROSECONDS,
    )


def session_id(token_hash: str) -> str:
    """Name a session in forms and lists; the name opens nothing."""
    return hash_token(token_hash)[:ID_LENGTH]


def hash_token(token: str) -> str:
    """Hash a random token; it has entropy enough for a plain digest."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
