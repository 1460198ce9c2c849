"""Payouts of a party are held while somebody checks it, and released afterwards.

    held: no new request, no approval, no new file for the bank; its money goes on to be earned

What the bank has paid already can still be noted, and a request rejected. The lock on the party's
accounts puts a hold before or after every request and approval, never in between.
"""

from __future__ import annotations

from sqlalchemy import and_, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.clock import Clock, microseconds_of
from billing.errors import InvalidInput
from billing.payable import Held, held
from billing.payouts import NOTE_MAX, check_kind
from billing.storage.engine import for_writing
from billing.storage.ledger import lock_accounts
from billing.storage.payout_tables import payout_holds
from billing.storage.tables import accounts


class PayoutHolds:
    """The use-cases of holds."""

    def __init__(self, *, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def hold(self, kind: str, code: str, *, reason: str, actor: str) -> Held:
        """Hold the payouts of a party; one that is held stays as it is.

        Raises:
            InvalidInput: no kind of party that is paid out, or no reason.

        """
        check_kind(kind)
        words = " ".join(reason.split())[:NOTE_MAX]
        if not words:
            raise InvalidInput(reason="say why payouts are held")
        connection = await for_writing(self._engine)
        try:
            async with connection.begin():
                await lock_accounts(
                    connection, and_(accounts.c.kind == kind, accounts.c.code == code)
                )
                if before := await held(connection, kind, code):
                    return before
                now_us = microseconds_of(self._clock.now())
                row = {"reason": words, "held_us": now_us, "held_by": actor}
                await connection.execute(insert(payout_holds), {"kind": kind, "code": code, **row})
                return Held(reason=words, held_us=now_us, held_by=actor)
        finally:
            await connection.close()

    async def release(self, kind: str, code: str) -> bool:
        """Let payouts go on; False where none were held."""
        connection = await for_writing(self._engine)
        try:
            async with connection.begin():
                await lock_accounts(
                    connection, and_(accounts.c.kind == kind, accounts.c.code == code)
                )
                done = await connection.execute(
                    delete(payout_holds).where(
                        payout_holds.c.kind == kind, payout_holds.c.code == code
                    )
                )
                return bool(done.rowcount)
        finally:
            await connection.close()

    async def of(self, kind: str, code: str) -> Held | None:
        """Tell whether a party's payouts are held."""
        async with self._engine.connect() as connection:
            return await held(connection, kind, code)

    async def all(self) -> dict[tuple[str, str], Held]:
        """List all holds by kind and code."""
        async with self._engine.connect() as connection:
            rows = await connection.execute(select(payout_holds))
            return {
                (row.kind, row.code): Held(
                    reason=row.reason, held_us=row.held_us, held_by=row.held_by
                )
                for row in rows
            }
