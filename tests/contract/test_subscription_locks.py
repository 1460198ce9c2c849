"""Subscribing beside calls that end, on both databases: nobody waits for each other in a circle."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from tests.books import flat
from tests.plans import STARTER, Shop, open_shop

PRICE = flat("0.60")


async def talk(shop: Shop, session_id: str, account: str) -> None:
    terms = await shop.desk.terms(session_id, account, PRICE)
    await shop.desk.charging.open(terms, slice_seconds=60, expires_seconds=300)
    await shop.desk.settle(terms, 60, 60)


async def test_subscribing_and_settling_never_block_each_other(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    async with open_shop(engine, tmp_path) as shop:
        await shop.offer(STARTER)
        # The parties have their accounts before these callers have theirs.
        await shop.desk.caller("first", "100")
        await talk(shop, "first", "first")
        for number in range(20):
            await shop.desk.caller(f"a{number}", "1000")

        async def talks(lane: int) -> None:
            for number in range(20):
                await talk(shop, f"s{lane}-{number}", f"a{number}")

        async def subscribes() -> None:
            for number in range(20):
                await shop.plans.subscribe(f"a{number}", "starter")

        with capture_logs() as logs:
            await asyncio.gather(talks(0), talks(1), subscribes())

        assert [entry for entry in logs if entry["log_level"] != "info"] == []
        assert await shop.desk.proved()
