"""Monthly fees: what a client pays for each service it rents, once per service and month.

    client -> provider, key `service-fee:<service>:<YYYY-MM>`, in advance

A client's account has no floor: what its shares do not cover yet, it owes.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from billing.clock import Clock, microseconds_of
from billing.domain.operations import AccountRef, Post, Posted, PostedEntry
from billing.errors import InvalidInput
from billing.ids import new_id
from billing.money import Micros
from billing.storage.writer import GroupWriter

KIND: Final = "service_fee"
_MONTH: Final = re.compile(r"\d{4}-(0[1-9]|1[0-2])", re.ASCII)
AT_ONCE: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthlyFee:
    """What one service (a DID) costs its client each month."""

    service: str
    client: str
    currency: str
    amount: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class FeesCharged:
    """What a run did: fees posted now, and fees that were posted before."""

    month: str
    posted: tuple[MonthlyFee, ...]
    before: int


async def charge_monthly_fees(
    writer: GroupWriter, fees: Sequence[MonthlyFee], *, month: str, clock: Clock, actor: str
) -> FeesCharged:
    """Post the fees of a month (`YYYY-MM`); a second run of the same month posts what is new.

    Raises:
        InvalidInput: no month.
        IdempotencyConflict: a fee of this month was posted with another amount or client.
        LedgerUnavailable: the outcome is unknown; run it again.

    """
    if not _MONTH.fullmatch(month):
        raise InvalidInput(reason=f"a month is written 2026-11, not {month!r}")
    due = [fee for fee in fees if fee.amount > 0]
    posted: list[MonthlyFee] = []
    for start in range(0, len(due), AT_ONCE):
        some = due[start : start + AT_ONCE]
        answers = await asyncio.gather(
            *(writer.submit(_post(fee, month, clock, actor)) for fee in some)
        )
        for fee, answer in zip(some, answers, strict=True):
            assert isinstance(answer, Posted)
            if not answer.replayed:
                posted.append(fee)
    return FeesCharged(month=month, posted=tuple(posted), before=len(due) - len(posted))


def _post(fee: MonthlyFee, month: str, clock: Clock, actor: str) -> Post:
    client = AccountRef(kind="client", code=fee.client, currency=fee.currency)
    provider = AccountRef(kind="provider", code="provider", currency=fee.currency)
    return Post(
        key=f"service-fee:{fee.service}:{month}",
        transfer_id=new_id(clock),
        kind=KIND,
        entries=(
            PostedEntry(account=client, amount=-fee.amount),
            PostedEntry(account=provider, amount=fee.amount),
        ),
        at_us=microseconds_of(clock.now()),
        memo=f"{fee.service}, {month}",
        actor=actor,
    )
