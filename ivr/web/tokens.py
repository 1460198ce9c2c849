"""Bearer tokens of the API, and the one that the command line finds in the state folder."""

from __future__ import annotations

import hmac
import re
import secrets
from pathlib import Path
from typing import Final

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr import secrets as secret_files
from ivr.tables import api_tokens
from ivr.web.scope import Role, Scope
from ivr.web.sessions import hash_token

CLI_TOKEN_FILE: Final = "cli.token"  # noqa: S105 - the name of a file
CLI_LOGIN: Final = "command line"
BEARER: Final = re.compile(r"[Bb]earer +([A-Za-z0-9._~+/=-]{16,200})", re.ASCII)


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


async def find_token(
    connection: AsyncConnection, token: str, *, now_us: int
) -> tuple[str, Scope] | None:
    """Find whose token it is; None when it is unknown, expired or revoked."""
    query = select(api_tokens).where(
        api_tokens.c.token_hash == hash_token(token),
        api_tokens.c.revoked.is_(False),
        or_(api_tokens.c.expires_us.is_(None), api_tokens.c.expires_us > now_us),
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    return row.name, Scope(role=Role(row.role), subject=row.subject)
