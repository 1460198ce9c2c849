"""Cycles that are over begin anew before anything is drawn from their subscriptions."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.clock import Clock, microseconds_of
from billing.cycles import Cycles
from billing.storage.engine import for_writing
from billing.storage.plan_rows import find_subscription
from billing.storage.plan_tables import subscriptions

AT_ONCE: Final = 1_000


async def renew_due(engine: AsyncEngine, clock: Clock, accounts: Collection[str]) -> int:
    """Renew the subscriptions of accounts whose month is over, each in its own transaction.

    What was left is expired or rolled over first, so nobody draws from a month that has ended.
    """
    now_us = microseconds_of(clock.now())
    names, ids = sorted(accounts), []
    async with engine.connect() as connection:
        for start in range(0, len(names), AT_ONCE):
            query = select(subscriptions.c.id).where(
                subscriptions.c.account.in_(names[start : start + AT_ONCE]),
                subscriptions.c.state == "active",
                subscriptions.c.cycle_end_us <= now_us,
            )
            ids += list(await connection.scalars(query))
    for name in sorted(ids):
        connection = await for_writing(engine)
        try:
            async with connection.begin():
                found = await find_subscription(connection, name, lock=True)
                if found is not None:
                    await Cycles(connection, clock, now_us).advance(found)
        finally:
            await connection.close()
    return len(ids)
