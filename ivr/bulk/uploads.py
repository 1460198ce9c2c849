"""Files that wait to be imported: kept with what was shown of them, for the one who sent them.

    looked ──start──▶ running ──finish──▶ done          expires an hour after it was sent
                         └──fail──▶ failed

Nobody else finds an upload: its id is a secret, and it belongs to one login and one session. The
file is sealed with the key of the web, for it may hold PINs.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Row, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import Clock, microseconds_of
from billing.storage.engine import for_writing
from ivr.bulk.fates import Fate, fates_from_json, fates_json
from ivr.care_tables import uploads

KINDS: Final = ("accounts", "topups", "catalog")
KEEP_US: Final = 3_600 * 1_000_000
# A run that was not heard of for so long is dead.
BEAT_US: Final = 60 * 1_000_000
KEPT_PER_LOGIN: Final = 5
ID_BYTES: Final = 24
NONCE_BYTES: Final = 16
TAG_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file, what was shown of it, and how far its import is."""

    id: str
    kind: str
    login: str
    name: str
    digest: str
    state: str
    shown: tuple[Fate, ...]
    # Of the rows that were to act: what became of those that are done.
    outcome: tuple[Fate, ...]
    position: int
    beat_us: int
    created_us: int
    expires_us: int

    @property
    def acting(self) -> list[Fate]:
        """The rows that the import is about, in the order of the file."""
        return [fate for fate in self.shown if fate.acts]

    def stalled(self, now_us: int) -> bool:
        """Tell whether its run died on the way."""
        return self.state == "running" and now_us - self.beat_us > BEAT_US


class Uploads:
    """The store of uploads."""

    def __init__(self, *, engine: AsyncEngine, clock: Clock, key: bytes) -> None:
        self._engine = engine
        self._clock = clock
        self._key = key

    async def keep(
        self,
        *,
        kind: str,
        login: str,
        session: str,
        name: str,
        body: bytes,
        shown: Sequence[Fate],
    ) -> str:
        """Keep a file with what was shown of it; returns its id."""
        name_of_it = secrets.token_urlsafe(ID_BYTES)
        now_us = self._now_us()
        row = {
            "id": _hashed(name_of_it), "kind": kind, "login": login, "session": session,
            "name": name, "digest": hashlib.sha256(body).hexdigest(),
            "body": await asyncio.to_thread(_seal, body, self._key, name_of_it),
            "shown": fates_json(shown), "outcome": "[]", "state": "looked", "position": 0,
            "beat_us": 0, "created_us": now_us, "expires_us": now_us + KEEP_US,
        }  # fmt: skip
        async with self._writing() as connection:
            await connection.execute(delete(uploads).where(uploads.c.expires_us <= now_us))
            older = (
                select(uploads.c.id)
                .where(uploads.c.login == login, uploads.c.state != "running")
                .order_by(uploads.c.created_us.desc())
                .offset(KEPT_PER_LOGIN - 1)
                .limit(1_000)
            )
            gone = list(await connection.scalars(older))
            await connection.execute(delete(uploads).where(uploads.c.id.in_(gone)))
            await connection.execute(insert(uploads), row)
        return name_of_it

    async def find(
        self, connection: AsyncConnection, upload: str, *, login: str, session: str
    ) -> Upload | None:
        """Find an upload of this login and session; None when there is none (any more)."""
        query = select(uploads).where(
            uploads.c.id == _hashed(upload),
            uploads.c.login == login,
            uploads.c.session == session,
            uploads.c.expires_us > self._now_us(),
        )
        row = (await connection.execute(query)).one_or_none()
        return None if row is None else _upload(row, upload)

    async def body_of(self, upload: Upload) -> bytes | None:
        """Read the file of an upload as it was sent; None when it is not that file any more."""
        query = select(uploads.c.body).where(uploads.c.id == _hashed(upload.id))
        async with self._engine.connect() as connection:
            sealed = await connection.scalar(query)
        if sealed is None:
            return None
        body = await asyncio.to_thread(_unseal, sealed, self._key, upload.id)
        same = body is not None and hashlib.sha256(body).hexdigest() == upload.digest
        return body if same else None

    async def start(self, upload: Upload) -> bool:
        """Begin the import, or go on with one that died; False when somebody has begun."""
        now_us = self._now_us()
        dead = (uploads.c.state == "running") & (uploads.c.beat_us < now_us - BEAT_US)
        change = (
            update(uploads)
            .where(uploads.c.id == _hashed(upload.id), or_(uploads.c.state == "looked", dead))
            .values(state="running", beat_us=now_us, expires_us=now_us + KEEP_US)
        )
        async with self._writing() as connection:
            return bool((await connection.execute(change)).rowcount)

    async def advance(
        self, connection: AsyncConnection, upload: Upload, *, position: int, done: Sequence[Fate]
    ) -> bool:
        """Write down that so many rows are done, in the caller's transaction.

        False when another run is further: then nothing of this one may be committed.
        """
        mine = uploads.c.id == _hashed(upload.id)
        before = await connection.scalar(select(uploads.c.outcome).where(mine))
        # Of what was done as shown the fields are known; only refusals say something new.
        brief = (fate if fate.what == "refused" else replace(fate, changes=()) for fate in done)
        outcome = [*fates_from_json(before or "[]"), *brief]
        change = (
            update(uploads)
            .where(mine, uploads.c.state == "running", uploads.c.position == position)
            .values(
                position=position + len(done),
                outcome=fates_json(outcome),
                beat_us=self._now_us(),
            )
        )
        return bool((await connection.execute(change)).rowcount)

    async def finish(self, upload: Upload, *, state: str) -> None:
        """End the import: done, or failed."""
        change = update(uploads).where(
            uploads.c.id == _hashed(upload.id), uploads.c.state == "running"
        )
        async with self._writing() as connection:
            await connection.execute(change.values(state=state))

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        connection = await for_writing(self._engine)
        try:
            async with connection.begin():
                yield connection
        finally:
            await connection.close()

    def _now_us(self) -> int:
        return microseconds_of(self._clock.now())


def _upload(row: Row[Any], name: str) -> Upload:  # Any: a row of many column types
    return Upload(
        id=name,
        kind=row.kind,
        login=row.login,
        name=row.name,
        digest=row.digest,
        state=row.state,
        shown=tuple(fates_from_json(row.shown)),
        outcome=tuple(fates_from_json(row.outcome)),
        position=row.position,
        beat_us=row.beat_us,
        created_us=row.created_us,
        expires_us=row.expires_us,
    )


def _hashed(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _seal(body: bytes, key: bytes, name: str) -> bytes:
    """Encrypt with a keyed stream over a random nonce; a tag shows that nobody changed it."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    hidden = _mix(body, nonce, key, name)
    return nonce + _tag(nonce + hidden, key, name) + hidden


def _unseal(sealed: bytes, key: bytes, name: str) -> bytes | None:
    nonce, rest = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    tag, hidden = rest[:TAG_BYTES], rest[TAG_BYTES:]
    if not hmac.compare_digest(tag, _tag(nonce + hidden, key, name)):
        return None
    return _mix(hidden, nonce, key, name)


def _mix(body: bytes, nonce: bytes, key: bytes, name: str) -> bytes:
    seed = hmac.new(key, b"upload stream:" + name.encode() + nonce, hashlib.sha256).digest()
    stream = hashlib.shake_256(seed).digest(len(body))
    mixed = int.from_bytes(body) ^ int.from_bytes(stream)
    return mixed.to_bytes(len(body))


def _tag(data: bytes, key: bytes, name: str) -> bytes:
    return hmac.new(key, b"upload tag:" + name.encode() + data, hashlib.sha256).digest()
