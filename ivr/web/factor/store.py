"""Second factors in the database: begun, confirmed, spent code by code, switched off.

begin ──▶ shown, not in force ──confirm──▶ in force ──off──▶ gone
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import MICROSECONDS, Clock, microseconds_of
from billing.storage.engine import for_writing
from ivr.tables import recovery_codes, second_factors
from ivr.web.factor import recovery, totp

# How long the page with the secret may wait for its first code.
CONFIRM_SECONDS: Final = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorState:
    """Whether a user has a second factor in force, and the recovery codes that are left."""

    on: bool
    codes_left: int


class Spent(Enum):
    """Which kind of code was used up."""

    APP = "app"
    RECOVERY = "recovery"


class Factors:
    """The second factors of all users."""

    def __init__(self, *, engine: AsyncEngine, clock: Clock, key: bytes) -> None:
        self._engine = engine
        self._clock = clock
        self._key = key

    async def state(self, connection: AsyncConnection, user_id: int) -> FactorState:
        """Read whether the factor is in force."""
        confirmed = select(second_factors.c.user_id).where(
            second_factors.c.user_id == user_id, second_factors.c.confirmed_us.is_not(None)
        )
        left = (
            select(func.count())
            .select_from(recovery_codes)
            .where(recovery_codes.c.user_id == user_id, recovery_codes.c.used_us.is_(None))
        )
        return FactorState(
            on=await connection.scalar(confirmed) is not None,
            codes_left=await connection.scalar(left) or 0,
        )

    async def begin(self, user_id: int) -> bytes | None:
        """Make a secret, to be shown once; None when a factor is in force already."""
        secret = totp.new_secret()
        async with self._writing() as connection:
            row = await _locked(connection, user_id)
            if row is not None and row.confirmed_us is not None:
                return None
            await switch_off(connection, user_id)
            await connection.execute(
                insert(second_factors),
                {
                    "user_id": user_id,
                    "secret": totp.seal(secret, key=self._key, user_id=user_id),
                    "last_step": 0,
                    "created_us": self._now_us(),
                },
            )
        return secret

    async def confirm(self, user_id: int, code: str) -> list[str] | None:
        """Put the factor in force with its first code; returns recovery codes, to be shown once.

        None when the code is wrong, or nothing waits for one.
        """
        now_us = self._now_us()
        async with self._writing() as connection:
            row = await _locked(connection, user_id)
            if (
                row is None
                or row.confirmed_us is not None
                or now_us - row.created_us > CONFIRM_SECONDS * MICROSECONDS
                or not await self._spend_step(connection, row, code)
            ):
                return None
            await connection.execute(
                update(second_factors)
                .where(second_factors.c.user_id == user_id)
                .values(confirmed_us=now_us)
            )
            codes = recovery.new_codes()
            await connection.execute(
                insert(recovery_codes),
                [{"user_id": user_id, "code_hash": self._hash(code, user_id)} for code in codes],
            )
        return codes

    async def spend(self, user_id: int, code: str) -> Spent | None:
        """Use up a code of the app or a recovery code; each works once. None: it is wrong."""
        async with self._writing() as connection:
            row = await _locked(connection, user_id)
            if row is None or row.confirmed_us is None:
                return None
            if await self._spend_step(connection, row, code):
                return Spent.APP
            used = await connection.execute(
                update(recovery_codes)
                .where(
                    recovery_codes.c.user_id == user_id,
                    recovery_codes.c.code_hash == self._hash(code, user_id),
                    recovery_codes.c.used_us.is_(None),
                )
                .values(used_us=self._now_us())
            )
            return Spent.RECOVERY if used.rowcount == 1 else None

    async def off(self, user_id: int) -> None:
        """Remove the factor and its recovery codes."""
        async with self._writing() as connection:
            await switch_off(connection, user_id)

    async def _spend_step(
        self,
        connection: AsyncConnection,
        row: Row[Any],  # Any: a row of many column types
        code: str,
    ) -> bool:
        secret = totp.unseal(row.secret, key=self._key, user_id=row.user_id)
        digits = "".join(code.split())
        step = totp.matching_step(secret, digits, now_us=self._now_us()) if secret else None
        if step is None or step <= row.last_step:
            return False
        await connection.execute(
            update(second_factors)
            .where(second_factors.c.user_id == row.user_id)
            .values(last_step=step)
        )
        return True

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        connection = await for_writing(self._engine)
        try:
            async with connection.begin():
                yield connection
        finally:
            await connection.close()

    def _hash(self, code: str, user_id: int) -> str:
        return recovery.hash_code(code, key=self._key, user_id=user_id)

    def _now_us(self) -> int:
        return microseconds_of(self._clock.now())


async def switch_off(connection: AsyncConnection, user_id: int) -> bool:
    """Remove a factor within the caller's transaction; tells whether one was in force."""
    row = await _locked(connection, user_id)
    await connection.execute(delete(recovery_codes).where(recovery_codes.c.user_id == user_id))
    await connection.execute(delete(second_factors).where(second_factors.c.user_id == user_id))
    return row is not None and row.confirmed_us is not None


async def _locked(
    connection: AsyncConnection, user_id: int
) -> Row[Any] | None:  # Any: a row of many column types
    """Read the row and lock it: codes that come side by side are spent one after the other."""
    query = select(second_factors).where(second_factors.c.user_id == user_id).with_for_update()
    return (await connection.execute(query)).one_or_none()
