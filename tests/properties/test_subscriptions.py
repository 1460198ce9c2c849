"""Random lives of one subscription against a plain oracle that shares no code with it.

Whatever the order of usage, purchases, top-ups, replays and months: allowances and money are what
plain arithmetic says, nothing goes below zero, and a replay of any prefix changes nothing.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.clock import microseconds_of
from billing.domain.plans import Meter, Plan, PriceTier
from billing.domain.usage import UsageEvent
from billing.errors import InsufficientFunds
from billing.money import parse_amount
from billing.storage.engine import create
from billing.usage import Metering
from ivr.migrations import upgrade
from tests.plans import Shop, open_shop

MILLION = 1_000_000
CENT = 10_000
INCLUDED, FEE = 100, 5  # units and dollars a month
PLAN = Plan(
    name="plan",
    currency="USD",
    price=FEE * MILLION,
    meters=(
        Meter(
            unit="credits",
            included=INCLUDED * MILLION,
            overage=(PriceTier(from_units=0, price=2 * CENT),),
            rollover_bp=2_000,
            unit_price=CENT,
        ),
    ),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("use"), st.integers(1, 90)),
        st.tuples(st.just("buy"), st.integers(1, 60)),
        st.tuples(st.just("top up"), st.integers(1, 9)),
        st.tuples(st.just("replay"), st.integers(1, 12)),
        st.tuples(st.just("month"), st.just(1)),
    ),
    max_size=14,
)


@dataclass
class Oracle:
    """What plain arithmetic says; money in micro-units, units whole."""

    money: int = 20 * MILLION - FEE * MILLION
    rollover: int = 0
    cycle: int = INCLUDED
    bought: int = 0
    late: bool = False

    def use(self, units: int) -> bool:
        if self.late:
            return False
        beyond = max(units - self.rollover - self.cycle - self.bought, 0)
        if beyond * 2 * CENT > self.money:
            return False
        self.money -= beyond * 2 * CENT
        units -= beyond
        for name in ("rollover", "cycle", "bought"):
            part = min(units, getattr(self, name))
            setattr(self, name, getattr(self, name) - part)
            units -= part
        return True

    def buy(self, units: int) -> bool:
        if units * CENT > self.money:
            return False
        self.money -= units * CENT
        self.bought += units
        return True

    def renew(self) -> None:
        if not self.late:
            self.rollover, self.cycle = min(self.cycle, INCLUDED // 5), 0
        else:
            self.rollover = 0  # it was for one month
        self.late = self.money < FEE * MILLION
        if not self.late:
            self.money -= FEE * MILLION
            self.cycle = INCLUDED


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("empty") / "talkmeter.db"

    async def make() -> None:
        engine = create(f"sqlite+aiosqlite:///{file}")
        await upgrade(engine)
        await engine.dispose()

    asyncio.run(make())
    return file


@settings(max_examples=25)
@given(steps=STEPS)
def test_a_subscription_lives_as_plain_arithmetic_says(
    empty: Path, steps: list[tuple[str, int]]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in empty.parent.glob("talkmeter.db*"):
            shutil.copy(part, folder)
        asyncio.run(_live(folder, steps))


async def _live(folder: Path, steps: list[tuple[str, int]]) -> None:
    engine = create(f"sqlite+aiosqlite:///{folder}/talkmeter.db")
    try:
        async with open_shop(engine, folder) as shop:
            await shop.offer(PLAN)
            await shop.desk.caller("alice", "20")
            await shop.plans.subscribe("alice", "plan")
            life = Life(shop)
            for number, (what, amount) in enumerate(steps):
                await life.step(number, what, amount)
                await life.compare()
            assert await shop.desk.proved()
    finally:
        await engine.dispose()


class Life:
    """One subscription and its oracle."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.oracle = Oracle()
        self.metering = Metering(engine=shop.desk.engine, clock=shop.desk.clock)
        self.taken: list[UsageEvent] = []

    async def step(self, number: int, what: str, amount: int) -> None:
        shop = self.shop
        if what == "use":
            event = UsageEvent(
                key=f"e{number}",
                account="alice",
                type="credits",
                at_us=microseconds_of(shop.desk.clock.now()),
                units=amount * MILLION,
            )
            (answer,) = await self.metering.record([event])
            assert (answer.outcome == "accepted") == self.oracle.use(amount)
            if answer.outcome == "accepted":
                self.taken.append(event)
        elif what == "buy":
            await self._buy(f"b{number}", amount)
        elif what == "top up":
            dollars = parse_amount(str(amount))
            await shop.desk.wallet.top_up("alice", dollars, key=f"t{number}", actor="test")
            self.oracle.money += dollars
        elif what == "replay" and self.taken:
            for answer in await self.metering.record(self.taken[:amount]):
                assert answer.outcome == "replayed"
        elif what == "month":
            shop.desk.clock.advance(31 * 24 * 3600)
            self.oracle.renew()
            for _ in range(2):
                await shop.plans.run_cycles()

    async def _buy(self, key: str, amount: int) -> None:
        wanted = self.oracle.buy(amount)
        try:
            for _ in range(2):
                await self.shop.plans.buy("alice", "credits", key=key, units=amount * MILLION)
        except InsufficientFunds:
            assert not wanted
        else:
            assert wanted

    async def compare(self) -> None:
        _, left = await self.shop.plans.show("alice")
        sums = {"rollover": 0, "cycle": 0, "bundle": 0}
        for each in left:
            sums[each.bucket.name.split("-")[0]] += each.units // MILLION
            assert each.units >= 0
        oracle = self.oracle
        assert sums == {
            "rollover": oracle.rollover, "cycle": oracle.cycle, "bundle": oracle.bought,
        }  # fmt: skip
        assert await self.shop.desk.spendable("alice") == oracle.money
