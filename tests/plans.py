"""Words for tests of plans: price lists, subscribers, and what their allowances hold."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.domain.plans import Meter, Plan, PriceTier
from billing.money import format_amount, parse_amount
from billing.storage.plan_tables import plan_versions
from billing.storage.tables import accounts
from billing.subscriptions import Subscriptions
from tests.books import Desk, open_desk

MINUTES = Meter(
    unit="minutes",
    included=1_000 * 60 * 1_000_000,
    rollover_bp=2_000,
    hard_stop=100,
    operations=(("chat", 30 * 1_000_000), ("review", 120 * 1_000_000)),
)
STARTER = Plan(name="starter", currency="USD", price=parse_amount("49"), meters=(MINUTES,))
TCU = Meter(
    unit="tcu",
    included=50_000 * 1_000_000,
    overage=(PriceTier(from_units=0, price=parse_amount("0.0015")),),
    rollover_bp=2_000,
    segments=(("medical", 3_000), ("scientific", 1_500)),
    byok_bp=1_000,
    soft_stop=90,
)
UNITS = Plan(name="units", currency="USD", price=parse_amount("49"), meters=(TCU,))


@dataclass
class Shop:
    """A desk that sells plans."""

    desk: Desk
    plans: Subscriptions

    async def offer(self, *plans: Plan) -> None:
        async with self.desk.engine.begin() as connection:
            for plan in plans:
                known = await connection.execute(
                    select(plan_versions.c.id).where(plan_versions.c.name == plan.name)
                )
                row = {
                    "name": plan.name, "version": len(known.all()) + 1, "currency": plan.currency,
                    "body": plan.to_json(), "body_hash": "", "created_us": 0,
                }  # fmt: skip
                await connection.execute(insert(plan_versions), row)

    async def left(self, account: str) -> dict[str, str]:
        _, buckets = await self.plans.show(account)
        return {
            f"{left.bucket.meter} {left.bucket.name}": format_amount(
                left.units // (60 if left.bucket.ref.currency == "SEC" else 1), decimals_min=0
            )
            for left in buckets
        }

    async def money(self, kind: str, code: str) -> str:
        query = select(accounts.c.posted).where(accounts.c.kind == kind, accounts.c.code == code)
        async with self.desk.engine.connect() as connection:
            return format_amount(
                await connection.scalar(query.where(accounts.c.currency == "USD")) or 0
            )


@asynccontextmanager
async def open_shop(engine: AsyncEngine, folder: Path) -> AsyncIterator[Shop]:
    async with open_desk(engine, folder) as desk:
        yield Shop(desk=desk, plans=Subscriptions(engine=engine, clock=desk.clock))
