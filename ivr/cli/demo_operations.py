"""Operations of the demo: limits that were set, an alarm that is seen to, one that is over.

The picture of a made-up call shows its steps, slices and warnings, as one of a real call does.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Final

from billing.clock import ManualClock
from billing.money import parse_amount
from ivr.alarms.findings import BAD, Finding
from ivr.alarms.store import acknowledge, keep
from ivr.directory.fraud_limits import FraudLimits, save_limits

if TYPE_CHECKING:
    from ivr.app import Service

SECOND_US: Final = 1_000_000
SLICE_SECONDS: Final = 15
QUIET_SECONDS: Final = 600
SLICES_SHOWN: Final = 20
WARNED_SECONDS: Final = 60
PUMPED: Final = Finding(
    kind="pumping_number",
    subject="15557770001>18005550100",
    severity=BAD,
    client="acme",
    facts={"caller": "15557770001", "did": "18005550100", "calls": 18, "minutes": 41},
)
TRIED: Final = Finding(kind="pins", subject="pins", facts={"locks": 11, "accounts": 4})


async def operations(service: Service, at: datetime) -> None:
    """Set limits, and let there be alarms that began at a moment."""
    engine, clock = service.books.engine, ManualClock(at)
    limits = FraudLimits(
        calls_max=500,
        caller_calls=30,
        account_talk_seconds=6 * 3_600,
        account_spend=parse_amount("200"),
    )
    await save_limits(engine, limits)
    await keep(engine, [TRIED], mine=(), clock=clock)
    clock.advance(QUIET_SECONDS)
    # Nobody tries any more: that one is over; the other one was seen, and lasts until it is looked
    # for and not found.
    (alarm,) = await keep(engine, [PUMPED], mine={TRIED.kind}, clock=clock)
    await acknowledge(
        engine, alarm.id, who="operator", note="the client runs a campaign", clock=clock
    )


def picture(started_us: int, *, waits: int, talks: int) -> str:
    """Write the steps of a call, the slices that were held for it, and what its caller heard."""
    begun_us = started_us + waits * SECOND_US
    steps: list[list[int | str]] = [
        [started_us + 1 * SECOND_US, "authenticated"],
        [started_us + 2 * SECOND_US, "choosing"],
        [started_us + 4 * SECOND_US, "quoted"],
        [started_us + 6 * SECOND_US, "waiting"],
    ]
    if talks:
        held = range(SLICE_SECONDS, talks + SLICE_SECONDS, SLICE_SECONDS)
        steps += [
            [begun_us + max(0, seconds - SLICE_SECONDS - 7) * SECOND_US, "held", seconds]
            for seconds in held[:SLICES_SHOWN]
        ]
        if talks > 2 * WARNED_SECONDS:
            warned_us = begun_us + (talks - WARNED_SECONDS) * SECOND_US
            steps.append([warned_us, "warned", WARNED_SECONDS])
    return json.dumps(steps)
