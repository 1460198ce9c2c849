"""Versions of price lists, now and from a date on, and currencies that never mix."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.clock import ManualClock, microseconds_of
from billing.errors import UnknownTariff
from billing.money import parse_amount
from billing.storage.tables import tariff_versions
from ivr.directory.cache import DirectoryCache
from ivr.directory.catalog_apply import Applied, CatalogConflict, apply
from ivr.directory.catalog_export import export
from ivr.directory.catalog_file import load_catalog
from ivr.directory.mistakes import CatalogInvalid
from ivr.directory.store import load_tariff

NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)
DAY = 24 * 3600
TEXT = """
currency: EUR
tariffs:
  standard:
    tiers: [{price: PRICE}]
    NEXT
clients:
  acme:
    split: {provider: 30%, client: 70%}
    dids:
      "37052000001":
        tariff: PIN
        access: {trust_caller_id: true, pin: never}
        topics: {1: {name: Billing, destination: "demo:agent"}}
"""
DEARER = "next: {in_force_from: 2027-01-01, tiers: [{price: 2/min}]}"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 12, 30, tzinfo=UTC))


def catalog(*, price: str = "1/min", then: str = "", pin: str = "standard") -> str:
    return TEXT.replace("PRICE", price).replace("NEXT", then).replace("PIN", pin)


async def bring(engine: AsyncEngine, folder: Path, clock: ManualClock, text: str) -> Applied:
    file = folder / "catalog.yaml"
    file.write_text(text, encoding="utf-8")
    return await apply(engine, load_catalog(file), clock=clock, pin_key=b"key")


async def price(engine: AsyncEngine, name: str, at: datetime) -> int:
    async with engine.connect() as connection:
        version = await load_tariff(connection, name, microseconds_of(at))
    return version.tariff.tiers[0].price


async def versions(engine: AsyncEngine) -> Mapping[int, int]:
    async with engine.connect() as connection:
        rows = await connection.execute(
            select(tariff_versions.c.version, tariff_versions.c.in_force_us)
        )
        return {row.version: row.in_force_us for row in rows}


async def test_a_planned_price_comes_into_force_by_the_clock_alone(
    engine: AsyncEngine, tmp_path: Path, clock: ManualClock
) -> None:
    await bring(engine, tmp_path, clock, catalog(then=DEARER))
    cache = DirectoryCache(engine, clock)
    await cache.load()
    before = cache.current().tariff("standard")

    clock.advance(2 * DAY)
    await cache.load()
    after = cache.current().tariff("standard")

    assert (before.version, before.tariff.tiers[0].price) == (1, parse_amount("1"))
    assert (after.version, after.tariff.tiers[0].price) == (2, parse_amount("2"))


async def test_the_same_file_changes_nothing_before_the_date_and_after_it(
    engine: AsyncEngine, tmp_path: Path, clock: ManualClock
) -> None:
    text = catalog(then=DEARER)
    await bring(engine, tmp_path, clock, text)

    before = await bring(engine, tmp_path, clock, text)
    exported = await bring(engine, tmp_path, clock, await export(engine, clock))
    clock.advance(3 * DAY)
    after = await bring(engine, tmp_path, clock, text)

    assert [each.created + each.changed for each in (before, exported, after)] == [[], [], []]
    assert len(await versions(engine)) == 2


@pytest.mark.parametrize(
    ("text", "now", "then"),
    [
        (catalog(then=DEARER.replace("2027-01-01", "2027-02-01")), "1", "1"),  # put off
        (catalog(then=DEARER.replace("2/min", "3/min")), "1", "3"),  # dearer still
        (catalog(), "1", "1"),  # called off
        (catalog(price="0.50/min", then=DEARER), "0.50", "2"),  # cheaper until then
    ],
)
async def test_a_newer_file_replaces_the_plan(
    engine: AsyncEngine, tmp_path: Path, clock: ManualClock, text: str, now: str, then: str
) -> None:
    await bring(engine, tmp_path, clock, catalog(then=DEARER))

    applied = await bring(engine, tmp_path, clock, text)

    assert applied.changed == ["tariff standard"]
    assert await price(engine, "standard", clock.now()) == parse_amount(now)
    assert await price(engine, "standard", NEW_YEAR) == parse_amount(then)
    found = await versions(engine)
    assert sorted(found) == list(range(1, len(found) + 1))
    assert [found[number] for number in sorted(found)] == sorted(found.values())


async def test_a_line_stays_with_the_version_that_it_was_promised(
    engine: AsyncEngine, tmp_path: Path, clock: ManualClock
) -> None:
    await bring(engine, tmp_path, clock, catalog())
    text = catalog(price="5/min", pin="standard@1")
    await bring(engine, tmp_path, clock, text)
    cache = DirectoryCache(engine, clock)
    await cache.load()

    exported = await bring(engine, tmp_path, clock, await export(engine, clock))

    did = cache.current().did("37052000001")
    assert did is not None
    assert cache.current().tariff(did.tariff).tariff.tiers[0].price == parse_amount("1")
    assert cache.current().tariff("standard").tariff.tiers[0].price == parse_amount("5")
    assert (exported.created, exported.changed) == ([], [])


async def test_a_version_that_does_not_exist_is_refused_whole(
    engine: AsyncEngine, tmp_path: Path, clock: ManualClock
) -> None:
    with pytest.raises(CatalogConflict, match="standard@7"):
        await bring(engine, tmp_path, clock, catalog(pin="standard@7"))

    assert await versions(engine) == {}
    with pytest.raises(UnknownTariff):
        await price(engine, "standard@7", clock.now())


MONEY = """
currency: EUR
tariffs:
  euros: {tiers: [{price: 1/min}]}
  dollars: {currency: USD, tiers: [{price: 1/min}]}
plans:
  pro: {currency: USD, price: "49.00"}
clients:
  acme: {split: {provider: 30%, client: 70%}}
  uncle:
    currency: USD
    split: {provider: 30%, client: 70%}
    dids:
      "18005550100":
        tariff: TARIFF
        access: {trust_caller_id: true, pin: never}
        topics: {1: {name: Billing, destination: "demo:agent"}}
accounts:
  anna: {opening_balance: 10}
  bill: {currency: USD, opening_balance: 60, plan: pro}
"""


async def test_clients_tariffs_plans_and_accounts_are_kept_in_their_own_currencies(
    engine: AsyncEngine, tmp_path: Path, clock: ManualClock
) -> None:
    text = MONEY.replace("TARIFF", "dollars")

    first = await bring(engine, tmp_path, clock, text)
    written = await export(engine, clock)
    again = await bring(engine, tmp_path, clock, written)

    assert "account bill" in first.created
    assert (again.created, again.changed) == ([], [])
    assert written.count("currency: EUR") == 3


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        (MONEY.replace("TARIFF", "euros"), "clients.uncle.dids.18005550100.tariff", "costs EUR"),
        (
            MONEY.replace("TARIFF", "dollars").replace("anna: {", "anna: {plan: pro, "),
            "accounts.anna.plan",
            "costs USD",
        ),
        (
            MONEY.replace("TARIFF", "dollars").replace(
                "bill: {currency: USD", "bill: {currency: $"
            ),
            "accounts.bill.currency",
            "a currency",
        ),
    ],
)
def test_currencies_that_would_mix_are_mistakes(
    tmp_path: Path, text: str, place: str, reason: str
) -> None:
    file = tmp_path / "catalog.yaml"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(CatalogInvalid) as caught:
        load_catalog(file)

    assert any(place in str(each) and reason in str(each) for each in caught.value.mistakes)
