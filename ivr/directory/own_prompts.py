"""Sounds of clients' own: kept in the database, written where Asterisk finds them.

    <shared>/prompts/<client>/<language>/<name>.ulaw

A line speaks one as its greeting or as the name of a topic, in the languages that it has; in the
others callers hear ours.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

import structlog
from sqlalchemy import ColumnElement, delete, func, insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import Clock, microseconds_of
from billing.errors import InvalidInput
from billing.storage.engine import for_writing
from ivr.directory.model import GREETING, Directory
from ivr.directory.rules import LANGUAGES
from ivr.directory.store import bump_stamp, lock_directory
from ivr.tables import dids, own_prompts, prompt_uses

NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?", re.ASCII)
PROMPTS_MAX: Final = 200
LOOK_SECONDS: Final = 0.5
FOLDER: Final = "prompts"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPrompt:
    """One sound; `text` is what was spoken, None where it was uploaded."""

    client: str
    name: str
    language: str
    text: str | None
    bytes: int
    changed_us: int


async def list_prompts(connection: AsyncConnection, client: str | None = None) -> list[OwnPrompt]:
    """List the sounds of a client, or of all."""
    query = select(
        own_prompts.c.client, own_prompts.c.name, own_prompts.c.language, own_prompts.c.text,
        own_prompts.c.changed_us, func.length(own_prompts.c.sound).label("bytes"),
    ).order_by(own_prompts.c.client, own_prompts.c.name, own_prompts.c.language)  # fmt: skip
    if client is not None:
        query = query.where(own_prompts.c.client == client)
    return [
        OwnPrompt(
            client=row.client,
            name=row.name,
            language=row.language,
            text=row.text,
            bytes=row.bytes,
            changed_us=row.changed_us,
        )
        for row in await connection.execute(query)
    ]


async def sound_of(
    connection: AsyncConnection, client: str, name: str, language: str
) -> bytes | None:
    """Read a sound, 8 kHz mu-law; None when there is none."""
    sound: bytes | None = await connection.scalar(
        select(own_prompts.c.sound).where(_is(client, name, language))
    )
    return sound


async def save_prompt(
    engine: AsyncEngine, prompt: OwnPrompt, sound: bytes, *, clock: Clock
) -> None:
    """Keep a sound; one of the same name and language is replaced.

    Raises:
        InvalidInput: not a name, an unknown language, or too many.

    """
    if not NAME.fullmatch(prompt.name):
        raise InvalidInput(reason="a name is lower case letters, digits and dashes, at most 40")
    if prompt.language not in LANGUAGES:
        raise InvalidInput(reason=f"write one of {', '.join(LANGUAGES)}")
    row = {
        "client": prompt.client, "name": prompt.name, "language": prompt.language,
        "text": prompt.text, "sound": sound, "changed_us": microseconds_of(clock.now()),
    }  # fmt: skip
    connection = await for_writing(engine)
    try:
        async with connection.begin():
            await lock_directory(connection)
            mine = _is(prompt.client, prompt.name, prompt.language)
            await connection.execute(delete(own_prompts).where(mine))
            count = await connection.scalar(
                select(func.count()).where(own_prompts.c.client == prompt.client)
            )
            if (count or 0) >= PROMPTS_MAX:
                raise InvalidInput(reason=f"there are {PROMPTS_MAX} sounds already")
            await connection.execute(insert(own_prompts), row)
            await bump_stamp(connection)
    finally:
        await connection.close()


async def delete_prompt(engine: AsyncEngine, client: str, name: str, language: str) -> None:
    """Forget a sound; lines that speak it go back to ours.

    Raises:
        InvalidInput: there is none.

    """
    connection = await for_writing(engine)
    try:
        async with connection.begin():
            await lock_directory(connection)
            done = await connection.execute(delete(own_prompts).where(_is(client, name, language)))
            if not done.rowcount:
                raise InvalidInput(reason="there is no such sound")
            await bump_stamp(connection)
    finally:
        await connection.close()


async def use_prompt(
    engine: AsyncEngine, client: str, did: str, digit: int, name: str | None
) -> None:
    """Let a line speak a sound as its greeting or the name of a topic; None: ours again.

    Raises:
        InvalidInput: the line is not the client's, or it has no such sound.

    """
    connection = await for_writing(engine)
    try:
        async with connection.begin():
            await lock_directory(connection)
            owner = await connection.scalar(select(dids.c.client).where(dids.c.number == did))
            if owner != client or not GREETING <= digit <= 9:
                raise InvalidInput(reason="there is no such line or topic")
            await connection.execute(
                delete(prompt_uses).where(prompt_uses.c.did == did, prompt_uses.c.digit == digit)
            )
            if name is not None:
                known = await connection.scalar(
                    select(func.count()).where(
                        own_prompts.c.client == client, own_prompts.c.name == name
                    )
                )
                if not known:
                    raise InvalidInput(reason=f"there is no sound {name!r}")
                await connection.execute(
                    insert(prompt_uses), {"did": did, "digit": digit, "prompt": name}
                )
            await bump_stamp(connection)
    finally:
        await connection.close()


def _is(client: str, name: str, language: str) -> ColumnElement[bool]:
    return (
        (own_prompts.c.client == client)
        & (own_prompts.c.name == name)
        & (own_prompts.c.language == language)
    )


class PromptFiles:
    """Keeps the files as the database says; what is not written yet is not spoken."""

    def __init__(
        self, engine: AsyncEngine, folder: Path, directory: Callable[[], Directory]
    ) -> None:
        self._engine = engine
        self._folder = folder / FOLDER
        self._directory = directory
        self._seen: Directory | None = None
        self._written: dict[tuple[str, str, str], int] = {}

    def has(self, client: str, language: str, name: str) -> bool:
        """Tell whether Asterisk finds it."""
        return (client, language, name) in self._written

    async def run(self) -> NoReturn:
        """Follow the directory for ever."""
        while True:
            try:
                if self._directory() is not self._seen:
                    await self.round()
            except (SQLAlchemyError, OSError) as error:
                log.warning("own prompts not written", reason=type(error).__name__)
            await asyncio.sleep(LOOK_SECONDS)

    async def round(self) -> None:
        """Write what is new, delete what is gone."""
        seen = self._directory()
        async with self._engine.connect() as connection:
            found = {
                (each.client, each.language, each.name): each.changed_us
                for each in await list_prompts(connection)
            }
            for key, changed_us in found.items():
                if self._written.get(key) == changed_us:
                    continue
                client, language, name = key
                sound = await sound_of(connection, client, name, language)
                if sound is not None:
                    await asyncio.to_thread(self._write, key, sound)
                    self._written[key] = changed_us
        for key in self._written.keys() - found.keys():
            del self._written[key]
            await asyncio.to_thread(self._file(key).unlink, missing_ok=True)
        self._seen = seen

    def _file(self, key: tuple[str, str, str]) -> Path:
        client, language, name = key
        return self._folder / client / language / f"{name}.ulaw"

    def _write(self, key: tuple[str, str, str], sound: bytes) -> None:
        file = self._file(key)
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(f"{file.name}.part")
        part.write_bytes(sound)
        part.replace(file)
