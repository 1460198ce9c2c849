"""Alerts of plans: each share of an allowance that was used is told once a cycle.

Metering events note what they cross as they are recorded. Calls draw their seconds in the ledger,
by transfers of the kind `draw`, and know nothing of plans: who crossed what is read from there,
and once more before a cycle ends, so that nothing is missed between the last call and the renewal.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import Clock, microseconds_of
from billing.domain.metering import MeterState
from billing.ids import first_id
from billing.storage.engine import for_writing
from billing.storage.plan_rows import Subscription, buckets_of, find_subscription
from billing.storage.plan_tables import allowances, subscription_meters, usage_alerts
from billing.storage.tables import accounts, entries, transfers

AT_ONCE: Final = 500


async def tell_crossings(engine: AsyncEngine, clock: Clock, *, since_us: int) -> int:
    """Note what calls have crossed since then; again changes nothing. Returns how many were new."""
    async with engine.connect() as connection:
        drawn = list(await connection.scalars(_DRAWN.where(transfers.c.id > first_id(since_us))))
    told = 0
    for start in range(0, len(drawn), AT_ONCE):
        told += await _tell(engine, clock, drawn[start : start + AT_ONCE])
    return told


async def _tell(engine: AsyncEngine, clock: Clock, ids: Collection[str]) -> int:
    now_us = microseconds_of(clock.now())
    told = 0
    for name in sorted(ids):
        # Locked, so that no renewal comes between what is read and what is noted.
        connection = await for_writing(engine)
        try:
            async with connection.begin():
                found = await find_subscription(connection, name, lock=True)
                if found is not None and found.state == "active":
                    told += await note_crossings(connection, found, now_us)
        finally:
            await connection.close()
    return told


async def note_crossings(
    connection: AsyncConnection, subscription: Subscription, now_us: int
) -> int:
    """Note every alert that the cycle of a subscription has reached; returns how many were new."""
    if not any(meter.alerts for meter in subscription.plan.meters):
        return 0
    states = await _states(connection, subscription)
    rows = [
        {
            "subscription": subscription.id, "meter": meter.unit, "cycle": subscription.cycle,
            "percent": percent, "at_us": now_us,
        }
        for meter in subscription.plan.meters
        for percent in meter.alerts
        if states[meter.unit].granted > 0 and states[meter.unit].percent >= percent
    ]  # fmt: skip
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    told = 0
    for row in rows:
        done = await connection.execute(
            dialect.insert(usage_alerts).values(row).on_conflict_do_nothing()
        )
        told += done.rowcount
    return told


async def _states(connection: AsyncConnection, subscription: Subscription) -> dict[str, MeterState]:
    """Read what is left; what is only held is not used yet."""
    buckets = await buckets_of(connection, [subscription.id])
    posted = {
        row.code: row.posted
        for row in await connection.execute(
            select(accounts.c.code, accounts.c.posted).where(
                accounts.c.kind == "allowance",
                accounts.c.code.in_([bucket.ref.code for bucket in buckets]),
            )
        )
    }
    beyond = {
        row.meter: row
        for row in await connection.execute(
            select(subscription_meters).where(subscription_meters.c.subscription == subscription.id)
        )
    }
    states: dict[str, MeterState] = {}
    for meter in subscription.plan.meters:
        mine = [bucket for bucket in buckets if bucket.meter == meter.unit]
        row = beyond.get(meter.unit)
        states[meter.unit] = MeterState(
            granted=sum(bucket.granted for bucket in mine),
            left=[posted.get(bucket.ref.code, 0) for bucket in mine],
            overage_units=row.overage_units if row else 0,
            overage=row.overage if row else 0,
        )
    return states


_DRAWN: Final = (
    select(allowances.c.subscription)
    .distinct()
    .select_from(transfers)
    .join(entries, entries.c.transfer_id == transfers.c.id)
    .join(accounts, accounts.c.id == entries.c.account_id)
    .join(allowances, allowances.c.code == accounts.c.code)
    .where(transfers.c.kind == "draw", accounts.c.kind == "allowance")
)
