"""Plans that are sold, the subscriptions to them, and what is left of these in words."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.storage.plan_rows import (
    PlanVersion,
    Subscription,
    live_subscriptions,
    newest_plans,
)
from billing.subscriptions import Left


async def list_plans(
    connection: AsyncConnection,
) -> tuple[list[PlanVersion], list[Subscription]]:
    """List plans by name, and live subscriptions by account."""
    plans = await newest_plans(connection)
    live = await live_subscriptions(connection, None)
    return [plans[name] for name in sorted(plans)], [live[name] for name in sorted(live)]


def left_words(subscription: Subscription, left: Sequence[Left]) -> list[str]:
    """Write what each allowance holds, in whole units of its meter."""
    return [_words(subscription, each) for each in left if each.units or each.bucket.granted]


def _words(subscription: Subscription, left: Left) -> str:
    meters = {meter.unit: meter for meter in subscription.plan.meters}
    meter = meters.get(left.bucket.meter)
    one = meter.one if meter else 1
    of = left.bucket.granted // one
    return f"{left.units // one:,} of {of:,} {left.bucket.meter}"
