"""Refunds beside calls that end, on both databases: nobody waits for each other in a circle."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from billing.refunds import Refund, Refunds
from tests.books import Desk, flat, open_desk

PRICE = flat("0.60")


async def talk(desk: Desk, session_id: str, account: str) -> None:
    terms = await desk.terms(session_id, account, PRICE)
    await desk.charging.open(terms, slice_seconds=60, expires_seconds=300)
    await desk.settle(terms, 60, 60)


async def test_refunds_and_settlements_of_one_caller_never_block_each_other(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    async with open_desk(engine, tmp_path) as desk:
        # The parties have their accounts before this caller has one.
        await desk.caller("alice", "10")
        await talk(desk, "first", "alice")
        await desk.caller("bob", "100")
        await talk(desk, "s", "bob")
        refunds = Refunds(engine=engine, clock=desk.clock)

        async def talks() -> None:
            for number in range(40):
                await talk(desk, f"s{number}", "bob")

        async def gives(lane: int) -> list[Refund]:
            return [
                await refunds.refund("s", key=f"{lane}-{n}", actor="op", reason="x", amount=1_000)
                for n in range(40)
            ]

        with capture_logs() as logs:
            _, *given = await asyncio.gather(talks(), *(gives(lane) for lane in range(3)))

        assert [entry for entry in logs if entry["log_level"] != "info"] == []
        assert sum(len(lane) for lane in given) == 120
        assert await desk.proved()
