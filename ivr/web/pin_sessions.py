"""Sessions of callers who proved themselves with account and PIN, as on the phone.

They are shorter than those of a login, and end with the PIN, with a block of the account, and when
any login of the account is disabled.
"""

from __future__ import annotations

import secrets
from typing import Final

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.clock import MICROSECONDS, Clock, microseconds_of
from billing.storage.tables import accounts
from billing.storage.writer import GroupWriter
from ivr.tables import pin_sessions, pins, users
from ivr.web.scope import Role, Scope
from ivr.web.sessions import SEEN_SECONDS, TOKEN_LENGTH_MAX, Session, hash_token

LIFE_SECONDS: Final = 4 * 3600
IDLE_SECONDS: Final = 30 * 60
PREFIX: Final = "pin."

_INSERT = insert(pin_sessions)
_TOUCH = (
    update(pin_sessions)
    .where(pin_sessions.c.token_hash == bindparam("token"))
    .values(seen_us=bindparam("now_us"))
)
_KEEP = (
    update(pin_sessions)
    .where(pin_sessions.c.token_hash == bindparam("token"))
    .values(pin_hash=bindparam("new_hash"))
)
_REVOKE = delete(pin_sessions).where(pin_sessions.c.token_hash == bindparam("token"))
_PURGE = delete(pin_sessions).where(
    (pin_sessions.c.created_us < bindparam("born_us"))
    | (pin_sessions.c.seen_us < bindparam("idle_us"))
)


def is_pin_token(token: str) -> bool:
    """Tell which of the two kinds of sessions a token belongs to."""
    return token.startswith(PREFIX)


def login_of(account: str) -> str:
    """Name the visitor in the audit log; no login can have a blank, so it is nobody's."""
    return f"PIN of {account}"


class PinSessions:
    """Begins, finds and ends sessions that a PIN opened."""

    def __init__(self, *, writer: GroupWriter, clock: Clock) -> None:
        self._writer = writer
        self._clock = clock

    async def begin(self, account: str, pin_hash: str, *, address: str, agent: str) -> str:
        """Begin a session and return its token; old ones of anybody are swept out on the way."""
        token, now_us = PREFIX + secrets.token_urlsafe(32), self._now_us()
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
                "account": account,
                "pin_hash": pin_hash,
                "csrf": secrets.token_urlsafe(24),
                "created_us": now_us,
                "seen_us": now_us,
                "address": address,
                "agent": agent,
            },
        )
        return token

    async def find(self, connection: AsyncConnection, token: str) -> Session | None:
        """Find the session of a token; None when it is over, or nothing opens it any more."""
        if not 0 < len(token) <= TOKEN_LENGTH_MAX:
            return None
        now_us = self._now_us()
        shut = select(users.c.id).where(
            users.c.role == Role.CALLER.value,
            users.c.subject == pin_sessions.c.account,
            users.c.disabled,
        )
        query = (
            select(pin_sessions)
            .join(pins, pins.c.account == pin_sessions.c.account)
            .join(accounts, accounts.c.code == pin_sessions.c.account)
            .where(
                pin_sessions.c.token_hash == hash_token(token),
                pin_sessions.c.created_us > now_us - LIFE_SECONDS * MICROSECONDS,
                pin_sessions.c.seen_us > now_us - IDLE_SECONDS * MICROSECONDS,
                pin_sessions.c.pin_hash == pins.c.pin_hash,
                accounts.c.kind == "caller",
                accounts.c.status == "active",
                ~shut.exists(),
            )
        )
        row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        return Session(
            token_hash=row.token_hash,
            csrf=row.csrf,
            login=login_of(row.account),
            scope=Scope(role=Role.CALLER, subject=row.account),
            seen_us=row.seen_us,
            by_pin=True,
        )

    async def seen(self, session: Session) -> None:
        """Note that the visitor is active; written once a minute at most."""
        now_us = self._now_us()
        if now_us - session.seen_us >= SEEN_SECONDS * MICROSECONDS:
            await self._writer.write(_TOUCH, {"token": session.token_hash, "now_us": now_us})

    async def keep(self, token_hash: str, pin_hash: str) -> None:
        """Let the session in which the PIN was changed outlive the old PIN."""
        await self._writer.write(_KEEP, {"token": token_hash, "new_hash": pin_hash})

    async def end(self, token_hash: str) -> None:
        """Revoke a session."""
        await self._writer.write(_REVOKE, {"token": token_hash})

    def _now_us(self) -> int:
        return microseconds_of(self._clock.now())
