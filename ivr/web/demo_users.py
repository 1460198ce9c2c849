"""The three demo logins: made at first start, their passwords kept in files of the state folder."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from billing.clock import Clock, microseconds_of
from billing.errors import InvalidInput
from ivr import secrets
from ivr.web.passwords import generate, hash_password
from ivr.web.scope import Role
from ivr.web.tokens import add_token
from ivr.web.users import add_user, find_user

KEY_DAYS: Final = 365
FOLDER: Final = "demo-logins"
DEMO: Final = (
    ("operator", Role.OPERATOR, None),
    ("acme", Role.CLIENT, "acme"),
    ("lexline", Role.CLIENT, "lexline"),
    ("northgate", Role.RESELLER, "northgate"),
    ("bridgeway", Role.REFERRER, "bridgeway"),
    ("alice", Role.CALLER, "alice"),
)


async def ensure_demo_users(engine: AsyncEngine, state_dir: Path, clock: Clock) -> list[str]:
    """Make the logins that are missing; returns a line for each, to be shown to people."""
    lines: list[str] = []
    for login, role, subject in DEMO:
        async with engine.connect() as connection:
            known = await find_user(connection, login)
        file = state_dir / FOLDER / login
        if known is None:
            password = generate()
            try:
                await add_user(
                    engine,
                    login,
                    password_hash=await asyncio.to_thread(hash_password, password),
                    role=role,
                    subject=subject,
                    now_us=microseconds_of(clock.now()),
                )
            except InvalidInput:
                # Another catalog than the demo's has no such client or account.
                continue
            await asyncio.to_thread(_keep, file, password)
            if role is Role.CLIENT:
                await _demo_key(engine, file, login, clock)
        shown = await asyncio.to_thread(_shown, file)
        lines.append(f"{login} / {shown}  ({role.value})")
    return lines


async def _demo_key(engine: AsyncEngine, file: Path, client: str, clock: Clock) -> None:
    """Let the demo's client have a key that may only read, kept beside its password."""
    key = await add_token(
        engine,
        "bookkeeping",
        role=Role.CLIENT,
        subject=client,
        days=KEY_DAYS,
        clock=clock,
        rights=frozenset(),
        created_by=client,
    )
    await asyncio.to_thread(_keep, file.with_suffix(".key"), key)


def _keep(file: Path, password: str) -> None:
    file.parent.mkdir(mode=0o700, exist_ok=True)
    secrets.write(file, password)


def _shown(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except OSError:
        return "as you set it"
