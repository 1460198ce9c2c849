"""The monthly fees of DIDs: charged when a month begins, and for a DID that is new at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, NoReturn

import structlog

from billing.clock import Clock
from billing.errors import BillingError, IdempotencyConflict
from billing.fees import MonthlyFee, charge_monthly_fees
from billing.storage.writer import GroupWriter
from ivr.directory.model import Directory

ROUND_SECONDS: Final = 3_600

log = structlog.get_logger()


def monthly_fees(directory: Directory) -> list[MonthlyFee]:
    """List what each DID costs its client."""
    return [
        MonthlyFee(
            service=did.number,
            client=did.client,
            currency=directory.client(did.client).currency,
            amount=did.monthly_fee,
        )
        for _, did in sorted(directory.dids.items())
        if not did.rules.retired
    ]


async def charge_for_ever(
    writer: GroupWriter, directory: Callable[[], Directory], clock: Clock
) -> NoReturn:
    """Charge the month that is, in rounds; a round that is refused is told and tried again."""
    while True:
        for fee in monthly_fees(directory()):
            try:
                done = await charge_monthly_fees(
                    writer, [fee], month=f"{clock.now():%Y-%m}", clock=clock, actor="talkmeter"
                )
            except IdempotencyConflict:
                continue  # this month is paid; another fee begins with the next one
            except BillingError as error:
                log.warning("monthly fee not charged", did=fee.service, code=error.code)
            else:
                if done.posted:
                    log.info("monthly fee charged", did=fee.service, client=fee.client)
        await asyncio.sleep(ROUND_SECONDS)
