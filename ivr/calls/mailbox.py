"""Sound files of calls: messages that callers leave, and talks that a line records.

    Asterisk writes  <shared>/recordings/<call id>.message.wav  or  .talk.wav
    we add a row when the call is over, and delete both when their time is up

A file whose row could not be written then, since the service or the database was down, gets it in
a later round. Who listens is nothing of this module: the web asks for a file by call and kind.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final, NoReturn

import structlog
from sqlalchemy import delete, insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.clock import Clock, microseconds_of
from billing.storage.engine import for_writing
from ivr.calls.call import Call
from ivr.tables import calls, recordings

DAY_US: Final = 24 * 3600 * 1_000_000
MESSAGE_DAYS: Final = 30
# A talk whose line says nothing any more is kept as long as a message.
TALK_DAYS: Final = 30
KINDS: Final = ("message", "talk")
ROUND_SECONDS: Final = 60.0
ROWS_AT_ONCE: Final = 200
# Less than half a second is nobody's message.
HEADER_BYTES: Final = 44
BYTES_PER_SECOND: Final = 16_000
LEAST_BYTES: Final = HEADER_BYTES + BYTES_PER_SECOND // 2

log = structlog.get_logger()


def seconds_of(size: int) -> int:
    """Say how long a file of so many bytes plays: 16-bit sound at 8 kHz behind a header."""
    return max(0, size - HEADER_BYTES) // BYTES_PER_SECOND


class Mailbox:
    """Keeps and forgets the sound files of calls."""

    def __init__(self, engine: AsyncEngine, folder: Path, clock: Clock) -> None:
        self._engine = engine
        self._folder = folder
        self._clock = clock

    def open(self) -> None:
        """Make the folder."""
        if not self._folder.is_dir():
            self._folder.mkdir(parents=True)
            # Asterisk may be another user of the same group, and writes here, too.
            self._folder.chmod(0o2770)

    def file(self, call_id: str, kind: str) -> Path:
        """Say where the sound of a call lies."""
        return self._folder / f"{call_id}.{kind}.wav"

    def is_there(self, call_id: str, kind: str) -> bool:
        """Tell whether there is anything to listen to."""
        try:
            return self.file(call_id, kind).stat().st_size >= LEAST_BYTES
        except FileNotFoundError:
            return False

    async def keep(self, call: Call) -> None:
        """Add the rows of a call that is over; a later round does it where this fails."""
        for kind in KINDS:
            days = call.record_days if kind == "talk" else MESSAGE_DAYS
            if days is None or not self.is_there(call.first_id, kind):
                continue
            try:
                await self._add(call.first_id, kind, call.client, days)
            except (SQLAlchemyError, OSError) as error:
                log.warning("recording not kept yet", kind=kind, reason=type(error).__name__)

    async def run(self) -> NoReturn:
        """Look after the folder for ever."""
        while True:
            try:
                await self.round()
            except (SQLAlchemyError, OSError) as error:
                log.warning("recordings not looked after", reason=type(error).__name__)
            await asyncio.sleep(ROUND_SECONDS)

    async def round(self) -> None:
        """Delete what is out of date, and add the rows that are missing."""
        await self._forget()
        found = await asyncio.to_thread(self._files)
        async with self._engine.connect() as connection:
            known = {
                (row.call, row.kind)
                for row in await connection.execute(
                    select(recordings.c.call, recordings.c.kind).where(
                        recordings.c.call.in_({call_id for call_id, _ in found})
                    )
                )
            }
            missing = [each for each in found if each not in known][:ROWS_AT_ONCE]
            over = {
                row.id: row.client
                for row in await connection.execute(
                    select(calls.c.id, calls.c.client).where(
                        calls.c.id.in_({call_id for call_id, _ in missing}),
                        calls.c.ended_us.is_not(None),
                    )
                )
            }
        for call_id, kind in missing:
            if call_id in over and self.is_there(call_id, kind):
                days = TALK_DAYS if kind == "talk" else MESSAGE_DAYS
                await self._add(call_id, kind, over[call_id] or "", days)
                log.info("recording found", call_id=call_id, kind=kind)

    def _files(self) -> list[tuple[str, str]]:
        """List call and kind of the newest files."""
        newest = sorted(self._folder.glob("*.wav"), key=lambda path: path.name, reverse=True)
        parts = (path.name.split(".") for path in newest[: ROWS_AT_ONCE * 10])
        return [(part[0], part[1]) for part in parts if len(part) == 3 and part[1] in KINDS]

    async def _add(self, call_id: str, kind: str, client: str, days: int) -> None:
        now_us = microseconds_of(self._clock.now())
        connection = await for_writing(self._engine)
        try:
            async with connection.begin():
                await connection.execute(
                    insert(recordings),
                    {
                        "call": call_id,
                        "kind": kind,
                        "client": client,
                        "bytes": self.file(call_id, kind).stat().st_size,
                        "created_us": now_us,
                        "keep_until_us": now_us + days * DAY_US,
                    },
                )
        finally:
            await connection.close()

    async def _forget(self) -> None:
        """Delete the files first: a row without a file is deleted again, a file without is not."""
        now_us = microseconds_of(self._clock.now())
        query = select(recordings).where(recordings.c.keep_until_us < now_us).limit(ROWS_AT_ONCE)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        for row in rows:
            await asyncio.to_thread(self.file(row.call, row.kind).unlink, missing_ok=True)
            connection = await for_writing(self._engine)
            try:
                async with connection.begin():
                    await connection.execute(
                        delete(recordings).where(
                            recordings.c.call == row.call, recordings.c.kind == row.kind
                        )
                    )
            finally:
                await connection.close()
            log.info("recording deleted", call_id=row.call, kind=row.kind)
