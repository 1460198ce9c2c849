"""Subscriptions are renewed in rounds while the service runs."""

from __future__ import annotations

import asyncio
from typing import Final, NoReturn

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.clock import Clock
from billing.errors import BillingError
from billing.subscriptions import Subscriptions

# Talk in the gap between two months would be paid with money.
ROUND_SECONDS: Final = 60

log = structlog.get_logger()


async def renew_for_ever(engine: AsyncEngine, clock: Clock) -> NoReturn:
    """Renew what is due, in rounds; a round that fails is told and tried again."""
    plans = Subscriptions(engine=engine, clock=clock)
    while True:
        try:
            done = await plans.run_cycles()
        except (BillingError, DBAPIError, OSError) as error:
            log.warning("subscriptions not renewed", error=type(error).__name__)
        else:
            if done.renewed or done.recognised:
                log.info("subscriptions renewed", count=done.renewed, earned=done.recognised)
            for account in done.past_due:
                log.warning("subscription past due", account=account)
        await asyncio.sleep(ROUND_SECONDS)
