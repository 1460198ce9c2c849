"""Plans that are sold, and the subscriptions to them, for operators."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.storage.plan_rows import (
    PlanVersion,
    Subscription,
    live_subscriptions,
    newest_plans,
)


async def list_plans(
    connection: AsyncConnection,
) -> tuple[list[PlanVersion], list[Subscription]]:
    """List plans by name, and live subscriptions by account."""
    plans = await newest_plans(connection)
    live = await live_subscriptions(connection, None)
    return [plans[name] for name in sorted(plans)], [live[name] for name in sorted(live)]
