"""Usage by the price lists of tests/catalogs, on both databases: the numbers of the product."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.clock import microseconds_of
from billing.domain.usage import UsageAnswer, UsageEvent
from billing.money import format_amount
from billing.usage import Metering
from ivr.directory.catalog_apply import apply
from ivr.directory.catalog_file import load_catalog
from tests.plans import Shop, open_shop

FOLDER = Path(__file__).parents[1] / "catalogs"
MILLION = 1_000_000
DAY = 24 * 3600


@pytest.fixture
async def shop(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Shop]:
    async with open_shop(engine, tmp_path) as shop:
        yield shop


async def bring(shop: Shop, name: str) -> Metering:
    catalog = load_catalog(FOLDER / f"{name}.yaml")
    await apply(shop.desk.engine, catalog, clock=shop.desk.clock, pin_key=b"key")
    return Metering(engine=shop.desk.engine, clock=shop.desk.clock)


async def use(
    shop: Shop,
    metering: Metering,
    key: str,
    account: str,
    kind: str,
    units: int | None,
    **more: str,
) -> UsageAnswer:
    event = UsageEvent(
        key=key,
        account=account,
        type=kind,
        at_us=microseconds_of(shop.desk.clock.now()),
        units=None if units is None else units * MILLION,
        **more,
    )
    return (await metering.record([event]))[0]


async def test_services_take_minutes_after_a_quote(shop: Shop) -> None:
    metering = await bring(shop, "call-minutes")
    left = []

    quote = await metering.quote("organisation", type="review")
    for kind in ("chat", "review", "call-analysis", "recording-analysis"):
        await use(shop, metering, kind, "organisation", kind, None)
        left.append((await shop.left("organisation"))["minutes cycle"])

    # "This will use 2 minutes of your plan"
    assert (quote.units, quote.remaining) == (2 * 60 * MILLION, 998 * 60 * MILLION)
    assert left == ["999.5", "997.5", "992.5", "982.5"]
    assert await shop.desk.proved()


async def test_ten_free_queries_a_month_and_no_eleventh(shop: Shop) -> None:
    metering = await bring(shop, "call-minutes")

    answers = [
        await use(shop, metering, f"q{number}", "visitor", "query", None) for number in range(11)
    ]
    shop.desk.clock.advance(31 * DAY)
    renewed = await use(shop, metering, "q11", "visitor", "query", None)

    assert [answer.outcome for answer in answers] == ["accepted"] * 10 + ["refused"]
    assert (renewed.outcome, renewed.remaining) == ("accepted", 9 * MILLION)


async def test_credits_beyond_the_plan_get_cheaper_by_volume(shop: Shop) -> None:
    metering = await bring(shop, "tiers-credits")

    await use(shop, metering, "all", "reader", "credits", 500)
    first = await use(shop, metering, "a", "reader", "credits", 900)
    second = await use(shop, metering, "b", "reader", "credits", 200)

    assert format_amount(first.overage) == "90.00"
    assert format_amount(second.overage) == "18.00"  # 100 at 0.10 and 100 at 0.08
    assert await shop.desk.proved()


async def test_compute_units_with_overage_segment_and_own_key(shop: Shop) -> None:
    metering = await bring(shop, "tcu")

    await use(shop, metering, "all", "lab", "tcu", 50_000)
    plain = await use(shop, metering, "a", "lab", "tcu", 1_000)
    own = await use(shop, metering, "b", "lab", "tcu", 1_000, key_type="byok")
    medical = await use(shop, metering, "c", "lab", "tcu", 1_000, segment="medical")
    scientific = await use(shop, metering, "d", "lab", "tcu", 1_000, segment="scientific")

    # 0.0015 a unit, 10 % less with an own key, 30 % and 15 % more units
    assert [format_amount(answer.overage) for answer in (plain, own, medical, scientific)] == [
        "1.50",
        "1.35",
        "1.95",
        "1.725",
    ]
    assert await shop.money("caller", "lab") == "944.475"  # 1,000 - 49 - 6.525
    assert await shop.desk.proved()


async def test_the_capped_plan_warns_at_ninety_percent_and_stops_at_a_hundred(shop: Shop) -> None:
    metering = await bring(shop, "tcu")

    free = await use(shop, metering, "a", "clinic", "tcu", 44_999)
    warned = await use(shop, metering, "b", "clinic", "tcu", 1)
    over = await use(shop, metering, "c", "clinic", "tcu", 5_001)
    rest = await use(shop, metering, "d", "clinic", "tcu", 5_000)

    assert (free.warning, warned.warning) == (None, "90 % of the plan is used")
    assert (over.outcome, over.code) == ("refused", "hard_stop")
    assert (rest.outcome, rest.remaining) == ("accepted", 0)


async def test_a_month_that_ended_is_not_drawn_from_and_rolls_a_fifth_over(shop: Shop) -> None:
    metering = await bring(shop, "tcu")
    await use(shop, metering, "a", "lab", "tcu", 45_000)
    shop.desk.clock.advance(31 * DAY)

    # No round of cycles came between.
    answer = await use(shop, metering, "b", "lab", "tcu", 1_000)

    assert answer.remaining == (5_000 + 50_000 - 1_000) * MILLION
    assert await shop.left("lab") == {"tcu rollover": "4000", "tcu cycle": "50000"}
    assert await shop.desk.proved()


async def test_uses_of_the_software_are_paid_each_from_two_to_ten(shop: Shop) -> None:
    metering = await bring(shop, "saas")

    lookup = await use(shop, metering, "a", "firm", "lookup", None)
    study = await use(shop, metering, "b", "firm", "study", None)

    assert [format_amount(answer.overage) for answer in (lookup, study)] == ["2.00", "10.00"]
    assert await shop.money("caller", "firm") == "-7512.00"
    assert await shop.desk.proved()
