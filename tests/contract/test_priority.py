"""Who pays for a better plan waits less: an account's place in queues, on both databases."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from billing.domain.plans import Plan
from billing.subscriptions import Subscriptions
from ivr.directory.callers import queue_priority
from tests.books import open_desk
from tests.plans import Shop


async def test_a_plan_gives_its_priority_while_it_runs(engine: AsyncEngine, tmp_path: Path) -> None:
    async with open_desk(engine, tmp_path) as desk:
        plans = Subscriptions(engine=engine, clock=desk.clock)
        shop = Shop(desk=desk, plans=plans)
        for account in ("alice", "bob"):
            await desk.caller(account, "20")
        await shop.offer(
            Plan(name="starter", currency="USD", price=0),
            Plan(name="business", currency="USD", price=0, priority=5),
        )
        await plans.subscribe("alice", "business")
        await plans.subscribe("bob", "starter")

        found = [await queue_priority(engine, name) for name in ("alice", "bob", "nobody")]

    assert found == [5, 0, 0]
