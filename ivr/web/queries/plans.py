"""Plans that are sold, the subscriptions to them, and what is left of these in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.clock import moment_of
from billing.money import Micros, format_amount
from billing.reports import DAY_US, Span
from billing.storage.plan_rows import (
    PlanVersion,
    Subscription,
    newest_plans,
)
from billing.storage.plan_tables import usage_hours
from billing.storage.tables import accounts, sessions
from billing.subscriptions import Left
from ivr.web.scope import Scope

PERCENT = 100


async def list_plans(connection: AsyncConnection) -> list[PlanVersion]:
    """List the plans that are sold, by name."""
    plans = await newest_plans(connection)
    return [plans[name] for name in sorted(plans)]


def left_words(subscription: Subscription, left: Sequence[Left]) -> list[str]:
    """Write what each allowance holds, in whole units of its meter."""
    return [_words(subscription, each) for each in left if each.units or each.bucket.granted]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOf:
    """What is left of an allowance, in whole and broken units of its meter."""

    meter: str
    name: str
    left: str
    granted: str
    percent: int
    expires_us: int | None


def left_of(subscription: Subscription, left: Sequence[Left]) -> list[LeftOf]:
    """Say of each allowance that holds or held anything what is left of it."""
    scales = {meter.unit: meter.scale for meter in subscription.plan.meters}
    found = []
    for each in left:
        granted = max(each.bucket.granted, each.units)
        if not granted:
            continue
        scale = scales.get(each.bucket.meter, 1)
        found.append(
            LeftOf(
                meter=each.bucket.meter,
                name=each.bucket.name,
                left=units(each.units, scale),
                granted=units(granted, scale),
                percent=each.units * PERCENT // granted,
                expires_us=each.bucket.expires_us,
            )
        )
    return found


def units(amount: int, scale: int) -> str:
    """Write micro-units of a meter, with at most two decimals."""
    hundredths = amount // scale // 10_000 * 10_000
    return format_amount(hundredths, decimals_min=0)


async def usage_by_day(
    connection: AsyncConnection, scope: Scope, account: str, span: Span
) -> dict[date, dict[str, Micros]]:
    """Sum talk in micro-minutes per day in UTC: what a plan covered, and what money paid."""
    code = account if scope.sees_balances and scope.subject in {None, account} else ""
    day = (sessions.c.ended_us - sessions.c.ended_us % DAY_US).label("day")
    rows = await connection.execute(
        select(
            day,
            func.sum(sessions.c.covered_seconds).label("covered"),
            func.sum(sessions.c.billed_seconds).label("billed"),
        )
        .join(accounts, accounts.c.id == sessions.c.account_id)
        .where(
            accounts.c.kind == "caller",
            accounts.c.code == code,
            sessions.c.state == "settled",
            sessions.c.ended_us >= span.from_us,
            sessions.c.ended_us < span.until_us,
        )
        .group_by(day)
    )
    found: dict[date, dict[str, Micros]] = {day: {} for day in span.days()}
    for row in rows:
        covered = int(row.covered)
        found[moment_of(row.day).date()] = {
            "plan": covered * 1_000_000 // 60,
            "money": max(0, int(row.billed) - covered) * 1_000_000 // 60,
        }
    return found


async def operations_of(
    connection: AsyncConnection, scope: Scope, account: str, span: Span
) -> list[tuple[str, str, int, int]]:
    """Sum what was used besides calls: meter, type of operation, how often, micro-units."""
    code = account if scope.sees_balances and scope.subject in {None, account} else ""
    key = (usage_hours.c.meter, usage_hours.c.type)
    query = (
        select(
            *key,
            func.sum(usage_hours.c.events).label("events"),
            func.sum(usage_hours.c.units).label("units"),
        )
        .where(
            usage_hours.c.account == code,
            usage_hours.c.hour_us >= span.from_us,
            usage_hours.c.hour_us < span.until_us,
        )
        .group_by(*key)
        .order_by(*key)
    )
    return [
        (row.meter, row.type, int(row.events), int(row.units))
        for row in await connection.execute(query)
    ]


def _words(subscription: Subscription, left: Left) -> str:
    meters = {meter.unit: meter for meter in subscription.plan.meters}
    meter = meters.get(left.bucket.meter)
    one = meter.one if meter else 1
    of = left.bucket.granted // one
    return f"{left.units // one:,} of {of:,} {left.bucket.meter}"
