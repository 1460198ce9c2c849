"""The job that looks after cards: charges what is due, asks what nobody told, collects debts.

Its owner is `ivr.app`, which runs one in each process where a processor is configured. All of its
steps may run side by side in several processes: rows are claimed in the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, NoReturn, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from billing.errors import BillingError
from ivr.payments.desk import CardDesk

LOOK_SECONDS: Final = 5.0
# So many of each kind in one round; the others come in the next.
ROWS_MAX: Final = 20
HOLD_US: Final = 10 * 60 * 1_000_000

Item = TypeVar("Item")

log = structlog.get_logger()


class CardRounds:
    """Goes round for ever."""

    def __init__(self, desk: CardDesk) -> None:
        self._desk = desk

    async def run(self) -> NoReturn:
        """Look every few seconds; who is away ends a round, not the job."""
        while True:
            await self.round()
            await asyncio.sleep(LOOK_SECONDS)

    async def round(self) -> None:
        """Do what is due now."""
        desk = self._desk
        await self._each("charge", lambda: desk.autos.due(limit=ROWS_MAX), desk.charge)
        await self._each(
            "ask",
            lambda: desk.payments.waiting(limit=ROWS_MAX, hold_us=HOLD_US),
            desk.ask,
        )
        await self._each("keep card", lambda: desk.payments.to_keep(limit=ROWS_MAX), desk.keep_card)
        await self._each(
            "collect", lambda: desk.payments.owing(limit=ROWS_MAX), desk.payments.collect
        )

    async def _each(
        self,
        step: str,
        find: Callable[[], Awaitable[list[Item]]],
        do: Callable[[Item], Awaitable[object]],
    ) -> None:
        try:
            for item in await find():
                try:
                    await do(item)
                except BillingError as error:
                    log.warning("card step failed", step=step, reason=error.code)
        except (SQLAlchemyError, OSError) as error:
            log.warning("card step failed", step=step, reason=type(error).__name__)
