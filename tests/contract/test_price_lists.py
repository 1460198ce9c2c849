"""The five price lists of tests/catalogs, applied and run on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from typer.testing import CliRunner

from billing.clock import microseconds_of
from billing.domain.splits import split
from billing.money import parse_amount
from billing.subscriptions import call_allowances
from ivr.cli import app
from ivr.directory.catalog_apply import Applied, CatalogConflict, apply
from ivr.directory.catalog_export import export
from ivr.directory.catalog_file import Catalog, load_catalog
from ivr.directory.mistakes import CatalogInvalid
from tests.plans import Shop, open_shop

FOLDER = Path(__file__).parents[1] / "catalogs"
NAMES = ["call-minutes", "marketplace", "saas", "tcu", "tiers-credits"]
DAY = 24 * 3600


@pytest.fixture
async def shop(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Shop]:
    async with open_shop(engine, tmp_path) as shop:
        yield shop


def price_list(name: str) -> Catalog:
    return load_catalog(FOLDER / f"{name}.yaml")


async def bring(shop: Shop, catalog: Catalog) -> Applied:
    return await apply(shop.desk.engine, catalog, clock=shop.desk.clock, pin_key=b"key")


async def months(shop: Shop, count: int) -> None:
    for _ in range(count):
        shop.desk.clock.advance(31 * DAY)
        await shop.plans.run_cycles()


@pytest.mark.parametrize("name", NAMES)
def test_a_price_list_is_fine(name: str) -> None:
    result = CliRunner().invoke(app, ["catalog", "check", str(FOLDER / f"{name}.yaml")])

    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("name", NAMES)
async def test_a_price_list_applied_again_or_exported_changes_nothing(
    shop: Shop, tmp_path: Path, name: str
) -> None:
    first = await bring(shop, price_list(name))
    again = await bring(shop, price_list(name))
    file = tmp_path / "again.yaml"
    file.write_text(await export(shop.desk.engine, shop.desk.clock), encoding="utf-8")
    exported = await bring(shop, load_catalog(file))

    assert first.created
    assert (again.created, again.changed) == ([], [])
    assert (exported.created, exported.changed) == ([], [])
    assert {plan.name: plan for plan in load_catalog(file).plans} == {
        plan.name: plan for plan in price_list(name).plans
    }
    assert await shop.desk.proved()


async def test_minutes_are_granted_and_talk_may_draw_them(shop: Shop) -> None:
    await bring(shop, price_list("call-minutes"))

    plans = {plan.name: plan for plan in price_list("call-minutes").plans}
    now_us = microseconds_of(shop.desk.clock.now())
    minutes = plans["starter"].meters[0]
    assert (await shop.left("organisation"))["minutes cycle"] == "1000"
    assert (await shop.left("visitor"))["queries cycle"] == "10"
    assert len(await call_allowances(shop.desk.engine, "organisation", now_us)) == 2
    assert await call_allowances(shop.desk.engine, "visitor", now_us) == ()
    assert [
        (plan.price // 1_000_000, plan.meters[0].included // plan.meters[0].one, plan.priority)
        for plan in (plans["starter"], plans["growth"], plans["business"])
    ] == [(499, 1_000, 0), (1_499, 5_000, 0), (4_499, 20_000, 10)]
    assert {name: units * 10 // minutes.one for name, units in minutes.operations} == {
        "chat": 5,
        "review": 20,
        "call-analysis": 50,
        "recording-analysis": 100,
    }


async def test_credits_cost_ten_cents_and_less_in_bundles(shop: Shop) -> None:
    await bring(shop, price_list("tiers-credits"))
    before = await shop.money("caller", "reader")

    await shop.plans.buy("reader", "credits", key="1", units=100 * 1_000_000)
    await shop.plans.buy("reader", "credits", key="2", bundle="medium")

    assert before == "470.01"  # 500 - 29.99
    assert await shop.money("caller", "reader") == "370.01"
    assert sorted((await shop.left("reader")).values()) == ["0", "100", "1000", "500"]
    await months(shop, 1)
    assert (await shop.left("reader"))["credits rollover"] == "100"  # a fifth of 500
    await shop.plans.cancel("reader", at_once=True)
    await shop.plans.subscribe("reader", "pro", payment="annual")
    assert await shop.money("deferred", "deferred") == "299.90"
    assert await shop.desk.proved()


async def test_compute_units_keep_their_price_roll_a_fifth_over_and_are_prorated(
    shop: Shop, tmp_path: Path
) -> None:
    await bring(shop, price_list("tcu"))
    dearer = (FOLDER / "tcu.yaml").read_text(encoding="utf-8").replace('"49"', '"59"', 1)
    file = tmp_path / "tcu.yaml"
    file.write_text(dearer, encoding="utf-8")
    changed = await bring(shop, load_catalog(file))

    await months(shop, 1)

    assert changed.changed == ["plan starter"]
    assert await shop.money("caller", "lab") == "902.00"  # two months at the old price
    assert await shop.left("lab") == {"tcu rollover": "10000", "tcu cycle": "50000"}
    # Committed to 6,500 where the fee is 6,000: the difference is due with the month.
    assert await shop.money("caller", "works") == "-12500.00"
    await shop.plans.change("lab", "pro")
    assert await shop.money("caller", "lab") == "752.00"  # a whole month of 199 instead of 49
    assert (await shop.left("lab"))["tcu cycle"] == "250000"
    assert await shop.desk.proved()


async def test_a_year_is_paid_by_the_quarter_and_earned_by_the_month(shop: Shop) -> None:
    await bring(shop, price_list("saas"))
    begun = (await shop.money("caller", "firm"), await shop.money("deferred", "deferred"))

    await months(shop, 2)

    assert begun == ("-7500.00", "19500.00")  # three months of 2,500, and of 4,000
    assert await shop.money("provider", "provider") == "13000.00"
    assert await shop.money("deferred", "deferred") == "6500.00"
    await months(shop, 2)
    assert await shop.money("caller", "firm") == "-15000.00"
    await shop.plans.cancel("firm", at_once=True)
    added = await shop.plans.subscribe(
        "firm", "professional", addons={"user": 10, "organisation": 1}
    )
    assert added.state == "active"
    assert await shop.money("caller", "firm") == "-22917.00"  # 3 x (2,500 + 49 + 90)
    assert await shop.desk.proved()


async def test_a_marketplace_takes_a_share_by_category_and_a_fee_by_tenant(shop: Shop) -> None:
    catalog = price_list("marketplace")
    await bring(shop, catalog)

    taken = {
        client.code: next(
            part.amount
            for part in split(parse_amount("100"), client.shares)
            if part.kind == "provider"
        )
        for client in catalog.clients
    }
    await shop.plans.subscribe("publisher", "private-listing", addons={"tenant": 4})

    assert {code: amount // 1_000_000 for code, amount in taken.items()} == {
        "tools": 15,
        "advice": 20,
        "advice-private": 30,
    }
    assert await shop.money("caller", "publisher") == "100.00"
    assert await shop.money("provider", "provider") == "100.00"
    assert await shop.desk.proved()


async def test_another_plan_in_the_file_is_a_conflict_that_a_person_decides(
    shop: Shop, tmp_path: Path
) -> None:
    await bring(shop, price_list("tcu"))
    text = (FOLDER / "tcu.yaml").read_text(encoding="utf-8")
    file = tmp_path / "other.yaml"
    file.write_text(text.replace("plan: capped", "plan: pro"), encoding="utf-8")

    with pytest.raises(CatalogConflict, match="account clinic has the plan capped already"):
        await bring(shop, load_catalog(file))


def test_mistakes_of_plans_are_named_by_line_and_field(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(
        "currency: USD\ntariffs: {x: {tiers: [{price: 1/min}]}}\nplans:\n  a:\n    price: x\n"
        "    payment: weekly\n    meters:\n      tcu: {included: -1, rollover: 120%, byok: 1,\n"
        "            overage: [{from: '5', price: '1'}]}\n"
        "accounts: {bob: {mode: prepaid, plan: gold}}\n",
        encoding="utf-8",
    )

    with pytest.raises(CatalogInvalid) as caught:
        load_catalog(file)

    assert [(mistake.line, mistake.field) for mistake in caught.value.mistakes] == [
        (5, "plans.a.price"),
        (6, "plans.a.payment"),
        (8, "plans.a.meters.tcu.byok"),
        (8, "plans.a.meters.tcu.included"),
        (8, "plans.a.meters.tcu.rollover"),
        (9, "plans.a.meters.tcu.overage"),
        (10, "accounts.bob.plan"),
    ]
