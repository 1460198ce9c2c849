"""Runs an import: chunk by chunk, each written down with its progress, so that it can go on.

A run that dies with its process leaves what it did done and written down; another run goes on
behind it. Two runs at once stop each other at the first chunk.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import Clock, microseconds_of
from billing.storage.engine import for_writing
from billing.wallet import Wallet
from ivr.bulk import accounts, catalogs, topups
from ivr.bulk.account_rows import PinSeen, Wanted, read_row
from ivr.bulk.account_sheet import COLUMNS, NEEDED, SHOWN
from ivr.bulk.fates import Fate, refused
from ivr.bulk.sheet import Sheet, SheetRefused, decode, read_sheet
from ivr.bulk.uploads import Upload, Uploads
from ivr.tables import audit_log

ROWS_AT_ONCE: Final = 100
CHUNK_TRIES: Final = 3
BUSY: Final = "Somebody else changed the same at the same time. Try this row again."

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who imports, from where."""

    login: str
    address: str


class Stopped(Exception):
    """Another run of the same upload is further."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Importer:
    """Looks at files and applies them."""

    engine: AsyncEngine
    wallet: Wallet
    clock: Clock
    pin_key: bytes
    uploads: Uploads

    async def look(
        self, kind: str, body: bytes, name: str, currencies: Collection[str]
    ) -> list[Fate]:
        """Tell what would become of each row.

        Raises:
            SheetRefused: the file is not of that kind at all.

        """
        if kind == "catalog":
            catalog, mistakes = await catalogs.read(decode(body), name)
            if catalog is None:
                return mistakes
            return await catalogs.look(self.engine, catalog, clock=self.clock, pin_key=self.pin_key)
        sheet = read(kind, body)
        if kind == "topups":
            return await topups.look(self.engine, sheet.rows)
        return await accounts.look(self.engine, sheet.rows, currencies, pin_key=self.pin_key)

    async def run(self, upload: Upload, currencies: Collection[str], actor: Actor) -> None:
        """Apply what was shown; what goes wrong is logged once and marks the upload."""
        try:
            body = await self.uploads.body_of(upload)
            if body is None:
                raise SheetRefused("The file is not the one that was shown.")
            match upload.kind:
                case "catalog":
                    await self._catalog(upload, body, actor)
                case "topups":
                    await self._top_ups(upload, read("topups", body), actor)
                case _:
                    await self._accounts(upload, read("accounts", body), currencies, actor)
        except Stopped:
            log.warning("import stopped", upload_kind=upload.kind, reason="another run is further")
        except Exception as error:
            log.exception("import failed", upload_kind=upload.kind, reason=type(error).__name__)
            await self.uploads.finish(upload, state="failed")
        else:
            await self.uploads.finish(upload, state="done")

    async def _accounts(
        self, upload: Upload, sheet: Sheet, currencies: Collection[str], actor: Actor
    ) -> None:
        shown = {fate.line: fate for fate in upload.acting}
        rows = [(line, row) for line, row in sheet.rows if line in shown]
        for start in range(upload.position, len(rows), ROWS_AT_ONCE):
            chunk = rows[start : start + ROWS_AT_ONCE]
            read_rows = [read_row(line, row, currencies) for line, row in chunk]
            wanted = [one for one in read_rows if isinstance(one, Wanted)]
            bad = [one for one in read_rows if isinstance(one, Fate)]
            prepared = await accounts.prepare(self.engine, wanted, self.pin_key)
            for _ in range(CHUNK_TRIES):
                try:
                    await self._chunk(upload, wanted, bad, shown, prepared, start, actor)
                    break
                except IntegrityError:
                    continue  # somebody opened an account with one of these numbers
            else:
                done = [refused(one.line, one.code, "", BUSY) for one in wanted]
                await self._note(upload, start, [*bad, *done], actor, ())

    async def _chunk(
        self,
        upload: Upload,
        wanted: Sequence[Wanted],
        bad: Sequence[Fate],
        shown: Mapping[int, Fate],
        prepared: tuple[dict[str, PinSeen], dict[str, str | None]],
        start: int,
        actor: Actor,
    ) -> None:
        connection = await for_writing(self.engine)
        try:
            async with connection.begin():
                done = await accounts.apply_chunk(
                    connection, wanted, shown, prepared, clock=self.clock, actor=actor.login
                )
                await self._written(connection, upload, start, [*bad, *done], actor, done)
        finally:
            await connection.close()

    async def _top_ups(self, upload: Upload, sheet: Sheet, actor: Actor) -> None:
        shown = {fate.line: fate for fate in upload.acting}
        rows = [(line, row) for line, row in sheet.rows if line in shown]
        for start in range(upload.position, len(rows), ROWS_AT_ONCE):
            chunk = rows[start : start + ROWS_AT_ONCE]
            done = await topups.apply_rows(
                self.engine, self.wallet, chunk, shown, actor=actor.login
            )
            await self._note(upload, start, done, actor, done)

    async def _catalog(self, upload: Upload, body: bytes, actor: Actor) -> None:
        catalog, _ = await catalogs.read(decode(body), upload.name)
        assert catalog is not None
        done = await catalogs.apply_shown(
            self.engine,
            catalog,
            list(upload.shown),
            clock=self.clock,
            pin_key=self.pin_key,
            actor=actor.login,
        )
        if done and done[0].what == "refused":
            # Nothing of it happened.
            done = [refused(0, fate.subject, "", done[0].reason) for fate in upload.acting]
        await self._note(
            upload, 0, [fate for fate in done if fate.what != "unchanged"], actor, done
        )

    async def _note(
        self,
        upload: Upload,
        start: int,
        done: Sequence[Fate],
        actor: Actor,
        audited: Sequence[Fate],
    ) -> None:
        connection = await for_writing(self.engine)
        try:
            async with connection.begin():
                await self._written(connection, upload, start, done, actor, audited)
        finally:
            await connection.close()

    async def _written(
        self,
        connection: AsyncConnection,
        upload: Upload,
        start: int,
        done: Sequence[Fate],
        actor: Actor,
        audited: Sequence[Fate],
    ) -> None:
        """Write down progress and who changed what, with the rows themselves."""
        if not await self.uploads.advance(connection, upload, position=start, done=done):
            raise Stopped
        rows = [
            {
                "at_us": microseconds_of(self.clock.now()),
                "actor": actor.login,
                "address": actor.address,
                "action": f"import {upload.kind}",
                "subject": fate.subject,
                "before": _told(fate, before=True) or None,
                "after": _told(fate, before=False) or None,
                "role": "operator",
            }
            for fate in audited
            if fate.acts
        ]
        if rows:
            await connection.execute(insert(audit_log), rows)


def _told(fate: Fate, *, before: bool) -> str:
    return ", ".join(
        f"{change.field} {change.before if before else change.after}"
        for change in fate.changes
        if (change.before if before else change.after)
    )[:2_000]


def read(kind: str, body: bytes) -> Sheet:
    """Read a sheet of a kind.

    Raises:
        SheetRefused: it is none.

    """
    if kind == "topups":
        return read_sheet(body, known=topups.COLUMNS, needed=topups.NEEDED)
    return read_sheet(body, known=COLUMNS, needed=NEEDED, ignored=SHOWN)
