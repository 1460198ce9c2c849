"""Webhooks of the demo: one of a client's and one of the installation's, with a log.

Their servers do not exist, so both are switched off and nothing is ever sent.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import insert

from billing.clock import ManualClock, microseconds_of
from billing.ids import new_id
from ivr.calls.history import moment
from ivr.web.webhooks.endpoints import Whose, add_endpoint, set_enabled
from ivr.web.webhooks.events import sample_of
from ivr.webhook_tables import webhook_outbox

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

GONE: Final = "The server says that it is gone."
# Event, state, tries, status, how the answer began, milliseconds.
LOG: Final = (
    ("call.ended", "delivered", 1, 204, "", 41),
    ("call.ended", "delivered", 2, 200, '{"received": true}', 63),
    ("payout.due", "delivered", 1, 200, '{"received": true}', 58),
    ("call.ended", "failed", 7, 500, "Internal Server Error", 212),
    ("call.ended", "failed", 1, 410, "Gone", 35),
)
HOOKS: Final = (
    (Whose(client="acme"), "https://hooks.example.com/talkmeter", ("call.ended", "payout.due")),
    (
        Whose(),
        "https://operations.example.com/talkmeter",
        ("call.ended", "balance.low", "topup.received", "usage.threshold", "payout.due"),
    ),
)


async def fill_webhooks(engine: AsyncEngine, at: datetime) -> None:
    """Add the webhooks and what was sent to them in the hours from then on."""
    for whose, url, events in HOOKS:
        hook, _ = await add_endpoint(engine, whose, url, clock=ManualClock(at), events=events)
        await set_enabled(engine, hook.id, enabled=False, reason=GONE)
        rows = []
        for number, (event, state, tries, status, answer, took_ms) in enumerate(LOG):
            clock = ManualClock(at + timedelta(hours=number))
            at_us = microseconds_of(clock.now())
            body = {
                "id": new_id(clock), "type": event, "at": moment(at_us), "test": True,
                "data": sample_of(whose.owner, event),
            }  # fmt: skip
            rows.append(
                {
                    "id": new_id(clock), "endpoint": hook.id, "event_id": body["id"],
                    "event": event, "body": json.dumps(body), "state": state, "attempts": tries,
                    "next_us": at_us, "reason": f"HTTP {status}", "status": status,
                    "answer": answer, "took_ms": took_ms, "tried_us": at_us, "created_us": at_us,
                }
            )  # fmt: skip
        async with engine.begin() as connection:
            await connection.execute(insert(webhook_outbox), rows)
