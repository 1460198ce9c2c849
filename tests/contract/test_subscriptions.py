"""Subscriptions on both databases: fee, grant, renewal, rollover, change, cancel, advance pay."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.clock import microseconds_of
from billing.domain.plans import Bundle, Plan
from billing.errors import InsufficientFunds, SubscriptionExists, UnknownPlan
from billing.money import parse_amount
from billing.subscriptions import call_allowances
from tests.plans import MINUTES, STARTER, TCU, UNITS, Shop, open_shop

DAY = 24 * 3600


@pytest.fixture
async def shop(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Shop]:
    async with open_shop(engine, tmp_path) as shop:
        await shop.offer(STARTER, UNITS)
        await shop.desk.caller("alice", "100")
        yield shop


async def test_a_subscription_takes_its_fee_and_grants_what_it_includes(shop: Shop) -> None:
    done = await shop.plans.subscribe("alice", "starter")

    now_us = microseconds_of(shop.desk.clock.now())
    listed = await call_allowances(shop.desk.engine, "alice", now_us)
    assert done.state == "active"
    assert await shop.money("caller", "alice") == "51.00"
    assert await shop.money("provider", "provider") == "49.00"
    assert await shop.left("alice") == {"minutes rollover": "0", "minutes cycle": "1000"}
    assert [ref.code.rsplit(".", 1)[1] for ref in listed] == ["rollover", "cycle"]
    assert await call_allowances(shop.desk.engine, "nobody", now_us) == ()
    assert await shop.desk.proved()


async def test_an_account_has_one_subscription_of_a_plan_that_is_sold(shop: Shop) -> None:
    await shop.plans.subscribe("alice", "starter")

    with pytest.raises(SubscriptionExists):
        await shop.plans.subscribe("alice", "units")
    with pytest.raises(UnknownPlan):
        await shop.plans.subscribe("alice", "gold")


async def test_without_the_money_it_is_past_due_until_the_fee_is_paid(shop: Shop) -> None:
    await shop.desk.caller("bob")

    late = await shop.plans.subscribe("bob", "starter")
    before = await shop.left("bob")
    await shop.desk.wallet.top_up("bob", parse_amount("49"), key="1", actor="test")
    ran = await shop.plans.run_cycles()

    assert late.state == "past_due"
    assert before["minutes cycle"] == "0"
    assert ran.past_due == ()
    assert (await shop.left("bob"))["minutes cycle"] == "1000"
    assert await shop.desk.proved()


async def test_a_renewal_rolls_a_fifth_over_and_expires_the_rest_once(shop: Shop) -> None:
    await shop.plans.subscribe("alice", "starter")
    await shop.desk.wallet.top_up("alice", parse_amount("49"), key="2", actor="test")
    shop.desk.clock.advance(31 * DAY)

    for _ in range(2):
        await shop.plans.run_cycles()

    assert await shop.left("alice") == {"minutes rollover": "200", "minutes cycle": "1000"}
    assert await shop.money("provider", "provider") == "98.00"
    shop.desk.clock.advance(30 * DAY)
    assert (await shop.plans.run_cycles()).past_due == ()
    assert await shop.left("alice") == {"minutes rollover": "200", "minutes cycle": "1000"}
    assert await shop.desk.proved()


async def test_a_change_is_prorated_by_days_for_price_and_allowance(shop: Shop) -> None:
    dear = Plan(
        name="pro", currency="USD", price=parse_amount("80"),
        meters=(replace(MINUTES, included=2 * MINUTES.included),),
    )  # fmt: skip
    await shop.offer(dear)
    await shop.plans.subscribe("alice", "starter")
    shop.desk.clock.advance(21 * DAY)  # of 31, so 10 are left

    for _ in range(2):
        await shop.plans.change("alice", "pro")

    # 80 x 10/31 - 49 x 10/31, and 1,000 x 10/31 minutes more
    assert await shop.money("caller", "alice") == "41.00"
    assert (await shop.left("alice"))["minutes cycle"].startswith("1322.58")
    assert await shop.desk.proved()


async def test_a_plan_that_gets_dearer_stays_as_it_was_for_those_who_have_it(shop: Shop) -> None:
    await shop.plans.subscribe("alice", "starter")
    await shop.offer(replace(STARTER, price=parse_amount("99")))
    shop.desk.clock.advance(31 * DAY)

    await shop.plans.run_cycles()

    found, _ = await shop.plans.show("alice")
    assert (found.version, found.state) == (1, "active")
    assert await shop.money("caller", "alice") == "2.00"


async def test_a_year_that_is_paid_quarterly_is_earned_month_by_month(shop: Shop) -> None:
    await shop.plans.subscribe("alice", "starter", payment="monthly")
    await shop.plans.cancel("alice", at_once=True)
    await shop.desk.wallet.top_up("alice", parse_amount("1000"), key="3", actor="test")
    await shop.plans.subscribe("alice", "starter", payment="quarterly")
    assert await shop.money("deferred", "deferred") == "147.00"

    earned = []
    for days in (31, 30, 31):
        shop.desk.clock.advance(days * DAY)
        await shop.plans.run_cycles()
        await shop.plans.run_cycles()
        earned.append(await shop.money("provider", "provider"))

    assert earned == ["98.00", "147.00", "196.00"]
    assert await shop.money("deferred", "deferred") == "147.00"  # the next quarter
    assert await shop.desk.proved()


async def test_a_cancelled_plan_ends_with_its_month_and_expires(shop: Shop) -> None:
    begun = await shop.plans.subscribe("alice", "starter")
    await shop.plans.cancel("alice")
    assert (await shop.left("alice"))["minutes cycle"] == "1000"
    shop.desk.clock.advance(31 * DAY)

    await shop.plans.run_cycles()

    found, left = await shop.plans.show(begun.id)
    assert found.state == "cancelled"
    assert [each.units for each in left] == [0, 0]
    assert await shop.money("caller", "alice") == "51.00"
    assert await shop.desk.proved()


async def test_what_was_rolled_over_ends_after_a_month_paid_or_not(shop: Shop) -> None:
    await shop.desk.caller("bob", "49")
    await shop.plans.subscribe("bob", "starter")

    rolled = []
    for _ in range(2):
        shop.desk.clock.advance(31 * DAY)
        assert (await shop.plans.run_cycles()).past_due == ("bob",)
        rolled.append((await shop.left("bob"))["minutes rollover"])

    assert rolled == ["200", "0"]
    assert await shop.desk.proved()


async def test_units_are_bought_ahead_once_and_burn_last(shop: Shop) -> None:
    pack = Bundle(name="big", units=500 * 1_000_000, price=parse_amount("40"))
    counted = replace(TCU, unit="credits", unit_price=parse_amount("0.10"), bundles=(pack,))
    await shop.offer(Plan(name="free", currency="USD", price=0, meters=(counted,)))
    await shop.plans.subscribe("alice", "free")

    for _ in range(2):
        await shop.plans.buy("alice", "credits", key="a", units=100 * 1_000_000)
        await shop.plans.buy("alice", "credits", key="b", bundle="big")
    with pytest.raises(InsufficientFunds):
        await shop.plans.buy("alice", "credits", key="c", units=10_000 * 1_000_000)

    assert await shop.money("caller", "alice") == "50.00"
    assert sorted((await shop.left("alice")).values()) == ["0", "100", "500", "50000"]
    assert list(await shop.left("alice"))[:2] == ["credits rollover", "credits cycle"]
    assert await shop.desk.proved()
