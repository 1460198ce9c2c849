"""What operators do for a caller: new PINs, lockouts lifted, the language, notes.

A PIN is set through `callers.set_phones_and_pin`; here one is drawn that nobody has guessed first.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import Clock, microseconds_of
from billing.errors import InvalidInput
from billing.ids import new_id
from billing.storage.engine import for_writing
from ivr.care_tables import account_notes
from ivr.directory.gate import unlock
from ivr.directory.rules import LANGUAGES
from ivr.directory.store import bump_stamp, lock_directory
from ivr.tables import account_languages, pin_failures, pins

PIN_DIGITS: Final = 6
NOTE_MAX: Final = 1_000
NOTES_SHOWN: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What an operator wrote down about an account."""

    text: str
    actor: str
    at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How a caller gets in; `locked_until_us` is 0 while nothing is locked."""

    has_pin: bool
    failures: int
    locked_until_us: int
    language: str | None


def draw_pin() -> str:
    """Draw a PIN of six digits that is neither one digit repeated nor a run of them."""
    while True:
        pin = "".join(str(secrets.randbelow(10)) for _ in range(PIN_DIGITS))
        steps = {int(after) - int(before) for before, after in itertools.pairwise(pin)}
        if len(set(pin)) > 2 and steps not in ({1}, {-1}):  # 121212 is none
            return pin


async def read_access(connection: AsyncConnection, account: str, now_us: int) -> Access:
    """Read how a caller gets in."""
    failed = (
        await connection.execute(
            select(pin_failures).where(
                pin_failures.c.scope == "account", pin_failures.c.name == account
            )
        )
    ).one_or_none()
    return Access(
        has_pin=await connection.scalar(select(pins.c.account).where(pins.c.account == account))
        is not None,
        failures=failed.failures if failed else 0,
        locked_until_us=failed.until_us if failed and failed.until_us > now_us else 0,
        language=await connection.scalar(
            select(account_languages.c.language).where(account_languages.c.account == account)
        ),
    )


async def lift_lockout(engine: AsyncEngine, account: str) -> None:
    """Let a caller try the PIN again now."""
    async with _writing(engine) as connection:
        await unlock(connection, account)


async def remove_pin(engine: AsyncEngine, account: str) -> None:
    """Let an account have no PIN; where one is required nobody gets in with it then."""
    async with _writing(engine) as connection:
        await lock_directory(connection)
        await connection.execute(delete(pins).where(pins.c.account == account))
        await bump_stamp(connection)


async def set_language(engine: AsyncEngine, account: str, language: str | None) -> None:
    """Choose in which language a caller is spoken to; None: the line's.

    Raises:
        InvalidInput: not a language that we speak.

    """
    if language is not None and language not in LANGUAGES:
        raise InvalidInput(reason=f"a language is one of {', '.join(LANGUAGES)}")
    async with _writing(engine) as connection:
        await lock_directory(connection)
        mine = account_languages.c.account == account
        await connection.execute(delete(account_languages).where(mine))
        if language is not None:
            row = {"account": account, "language": language}
            await connection.execute(insert(account_languages), row)
        await bump_stamp(connection)


async def add_note(
    engine: AsyncEngine, account: str, text: str, *, actor: str, clock: Clock
) -> None:
    """Write down something about an account; notes stay.

    Raises:
        InvalidInput: nothing to note, or too much.

    """
    text = " ".join(text.split())
    if not text or not text.isprintable() or len(text) > NOTE_MAX:
        raise InvalidInput(reason=f"a note has 1 to {NOTE_MAX:,} printable characters")
    row = {
        "id": new_id(clock), "account": account, "text": text, "actor": actor,
        "at_us": microseconds_of(clock.now()),
    }  # fmt: skip
    async with _writing(engine) as connection:
        await connection.execute(insert(account_notes), row)


async def read_notes(connection: AsyncConnection, account: str) -> list[Note]:
    """Read the newest notes about an account."""
    query = (
        select(account_notes)
        .where(account_notes.c.account == account)
        .order_by(account_notes.c.id.desc())
        .limit(NOTES_SHOWN)
    )
    return [
        Note(text=row.text, actor=row.actor, at_us=row.at_us)
        for row in await connection.execute(query)
    ]


@asynccontextmanager
async def _writing(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    connection = await for_writing(engine)
    try:
        async with connection.begin():
            yield connection
    finally:
        await connection.close()
