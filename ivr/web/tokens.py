"""Bearer tokens of the API, and the one that the command line finds in the state folder."""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import bindparam, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import Clock, microseconds_of
from billing.errors import InvalidInput
from billing.storage.engine import for_writing
from ivr import secrets as secret_files
from ivr.tables import api_tokens
from ivr.web.rights import all_of, read_rights, write_rights
from ivr.web.scope import Right, Role, Scope
from ivr.web.sessions import hash_token
from ivr.web.users import check_subject

CLI_TOKEN_FILE: Final = "cli.token"  # noqa: S105 - the name of a file
# How stale `used_us` may get: not every request is worth a write.
USED_SECONDS: Final = 60
USED: Final = (
    update(api_tokens)
    .where(api_tokens.c.token_hash == bindparam("token"))
    .values(used_us=bindparam("now_us"))
)
CLI_LOGIN: Final = "command line"
NAME: Final = re.compile(r"[A-Za-z0-9_.@+-]{1,64}", re.ASCII)
BEARER: Final = re.compile(r"[Bb]earer +([A-Za-z0-9._~+/=-]{16,200})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token that is in force: what it is called, whose rows it sees, what it may do."""

    name: str
    scope: Scope
    rights: frozenset[Right]
    hash: str
    used_us: int


def make_cli_token(state_dir: Path) -> str:
    """Make a fresh token for the command line of the same user; it dies with the process."""
    token = secrets.token_hex(32)
    secret_files.write(state_dir / CLI_TOKEN_FILE, token)
    return token


def bearer(header: str | None) -> str | None:
    """Read an Authorization header; None when it holds no bearer token."""
    match = BEARER.fullmatch((header or "").strip())
    return match[1] if match else None


def is_cli(token: str, cli_token: str) -> bool:
    """Compare with the command line's token, in constant time."""
    return bool(cli_token) and hmac.compare_digest(token.encode(), cli_token.encode())


async def add_token(
    engine: AsyncEngine,
    name: str,
    *,
    role: Role,
    subject: str | None,
    days: int | None,
    clock: Clock,
    rights: frozenset[Right] | None = None,
    created_by: str | None = None,
) -> str:
    """Make a token for a program; only its hash is kept. Without rights named it has all.

    Raises:
        InvalidInput: no name, or a subject that does not fit the role.

    """
    if not NAME.fullmatch(name):
        raise InvalidInput(reason="a name is 1 to 64 of A-Z a-z 0-9 _ . @ + -")
    token, now = secrets.token_urlsafe(32), clock.now()
    connection = await for_writing(engine)
    try:
        async with connection.begin():
            await check_subject(connection, role, subject)
            await connection.execute(
                insert(api_tokens),
                {
                    "token_hash": hash_token(token),
                    "id": secrets.token_hex(8),
                    "name": name,
                    "role": role.value,
                    "subject": subject,
                    "rights": write_rights(all_of(role) if rights is None else rights),
                    "created_by": created_by,
                    "created_us": microseconds_of(now),
                    "expires_us": microseconds_of(now + timedelta(days=days)) if days else None,
                },
            )
    finally:
        await connection.close()
    return token


async def find_token(connection: AsyncConnection, token: str, *, now_us: int) -> Token | None:
    """Find whose token it is; None when it is unknown, expired or revoked."""
    query = select(api_tokens).where(
        api_tokens.c.token_hash == hash_token(token),
        api_tokens.c.revoked.is_(False),
        or_(api_tokens.c.expires_us.is_(None), api_tokens.c.expires_us > now_us),
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    return Token(
        name=row.name,
        scope=Scope(role=Role(row.role), subject=row.subject),
        rights=read_rights(row.rights),
        hash=row.token_hash,
        used_us=row.used_us or 0,
    )
