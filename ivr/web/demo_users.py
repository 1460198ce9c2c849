"""Logins for the demo, one of each role; made once, their passwords kept in the state folder."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from billing.clock import SystemClock, microseconds_of
from billing.errors import InvalidInput
from ivr.web.passwords import generate, hash_password
from ivr.web.scope import HOMES, Role
from ivr.web.users import UserExists, add_user

LOGINS_FILE: Final = "demo-logins.json"
FILE_MODE: Final = 0o600
DEMO_USERS: Final = (
    ("operator", Role.OPERATOR, None),
    ("acme", Role.CLIENT, "acme"),
    ("alice", Role.CALLER, "alice"),
)


async def ensure_demo_users(engine: AsyncEngine, state_dir: Path) -> list[str]:
    """Make the demo's logins where they are missing; return one line for each, to be printed."""
    path = state_dir / LOGINS_FILE
    known = await asyncio.to_thread(_read, path)
    for login, role, subject in DEMO_USERS:
        password = generate()
        try:
            await add_user(
                engine,
                login,
                password_hash=await asyncio.to_thread(hash_password, password),
                role=role,
                subject=subject,
                now_us=microseconds_of(SystemClock().now()),
            )
        except (UserExists, InvalidInput):
            # It is there already, or this catalog has no such client or account.
            continue
        known[login] = password
        await asyncio.to_thread(_write, path, known)
    return [
        f"{login:<10} {known[login]}   {HOMES[role]}"
        for login, role, _ in DEMO_USERS
        if login in known
    ]


def _read(path: Path) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def _write(path: Path, logins: dict[str, str]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), FILE_MODE)
        json.dump(logins, file, indent=1)
