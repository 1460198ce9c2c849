"""Applying a catalog, on both databases: all or nothing, and a second time nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.audit import verify
from billing.clock import ManualClock, microseconds_of
from billing.domain.tariffs import Tax
from billing.errors import InvalidInput, UnknownTariff
from billing.money import parse_amount
from billing.storage.tables import accounts, tariff_versions, transfers
from billing.storage.writer import GroupWriter
from billing.wallet import Wallet
from ivr.directory.cache import DirectoryCache
from ivr.directory.callers import set_phones_and_pin
from ivr.directory.catalog_apply import Applied, CatalogConflict, apply
from ivr.directory.catalog_export import export
from ivr.directory.catalog_file import load_catalog
from ivr.directory.mistakes import CatalogInvalid
from ivr.directory.model import Directory
from ivr.directory.pins import verify_pin
from ivr.directory.store import load_directory, stamp

KEY = b"key of this installation"
CLOCK = ManualClock(datetime(2026, 3, 4, 12, tzinfo=UTC))
DEMO = Path(__file__).parents[2] / "ivr" / "sandbox" / "demo-catalog.yaml"
TEXT = DEMO.read_text(encoding="utf-8")
ALICE = "  alice: {mode: prepaid, phones:"


async def bring(engine: AsyncEngine, folder: Path, text: str = TEXT) -> Applied:
    file = folder / "catalog.yaml"
    file.write_text(text, encoding="utf-8")
    return await apply(engine, load_catalog(file), clock=CLOCK, pin_key=KEY)


async def directory(engine: AsyncEngine) -> Directory:
    async with engine.connect() as connection:
        return await load_directory(connection, microseconds_of(CLOCK.now()))


async def version(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return (await stamp(connection, 0))[0]


async def balances(engine: AsyncEngine) -> dict[str, int]:
    async with engine.connect() as connection:
        rows = await connection.execute(select(accounts.c.code, accounts.c.posted))
        return {row.code: row.posted for row in rows}


async def spend(engine: AsyncEngine, account: str, amount: str) -> None:
    async with GroupWriter(engine) as writer:
        wallet = Wallet(writer=writer, engine=engine, clock=CLOCK)
        spent = -parse_amount(amount)
        await wallet.adjust(account, spent, key="spent", actor="test", memo="talked")


async def test_a_catalog_becomes_the_directory_that_calls_read(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    applied = await bring(engine, tmp_path)

    found = await directory(engine)
    line = found.did("18005550100")
    assert line is not None
    assert [(topic.digit, topic.name) for topic in line.topics][:2] == [
        (0, "Operator"),
        (1, "Billing"),
    ]
    assert found.client(line.client).title == "Acme IT Support"
    assert found.tariff("standard").tariff.setup_fee == parse_amount("5")
    assert found.account_of_phone("+15551230001") == "alice"
    assert found.account_of_number("100001") == "alice"
    assert found.account_of_number("100002") == "bob"
    assert verify_pin(found.pin_hash("alice"), "4711", key=KEY)
    assert (applied.changed, applied.unchanged) == ([], 0)
    assert await version(engine) == 1


async def test_what_is_not_there_is_not_found(engine: AsyncEngine) -> None:
    found = await directory(engine)

    assert found.did("18005550100") is None
    assert found.account_of_phone("15551230001") is None
    assert found.pin_hash("alice") is None
    with pytest.raises(UnknownTariff):
        found.tariff("standard")


async def test_an_opening_balance_is_posted_once_and_the_books_are_right(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    await bring(engine, tmp_path)
    await bring(engine, tmp_path, TEXT.replace('opening_balance: "20.00"', 'opening_balance: "30"'))

    opening = parse_amount("20")
    assert await balances(engine) == {
        "alice": opening, "bob": 0, "tourist": 0, "funding": -opening,
    }  # fmt: skip
    assert all(check.ok for check in await verify(engine))
    async with engine.connect() as connection:
        rows = (await connection.execute(select(transfers))).all()
    assert [(row.key, row.kind, row.actor) for row in rows] == [
        ("opening:alice", "opening", "catalog")
    ]


async def test_a_second_apply_changes_nothing_and_makes_nobody_reload(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    first = await bring(engine, tmp_path)
    before = await directory(engine)

    second = await bring(engine, tmp_path)

    assert (second.created, second.changed) == ([], [])
    assert second.unchanged == len(first.created)
    assert await directory(engine) == before
    assert await version(engine) == 1


async def test_a_changed_price_is_a_new_version_and_the_old_one_stays(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    await bring(engine, tmp_path)
    old = (await directory(engine)).tariff("hourly")

    applied = await bring(engine, tmp_path, TEXT.replace("price: 50/h", "price: 60/h"))

    new = (await directory(engine)).tariff("hourly")
    assert applied.changed == ["tariff hourly"]
    assert (old.version, new.version) == (1, 2)
    assert new.tariff.tiers[0].price == parse_amount("60")
    async with engine.connect() as connection:
        body = await connection.scalar(
            select(tariff_versions.c.body).where(tariff_versions.c.id == old.id)
        )
    assert body == old.tariff.to_json()
    assert await version(engine) == 2


async def test_changes_of_all_kinds_are_told_by_name(engine: AsyncEngine, tmp_path: Path) -> None:
    await bring(engine, tmp_path)

    text = TEXT.replace("provider: 30%, client: 70%", "provider: 40%, client: 60%")
    text = text.replace("name: Billing", "name: Invoices").replace("4711", "471147")
    text = text.replace('credit_limit: "100.00"', 'credit_limit: "50"')
    text = text.replace('"15551230002"', '"15551230002", "15551230003"')
    applied = await bring(engine, tmp_path, text)

    assert applied.created == ["phone 15551230003"]
    assert applied.changed == ["client acme", "DID 18005550100", "account bob", "PIN of alice"]
    found = await directory(engine)
    assert found.dids["18005550100"].topics[1].name == "Invoices"
    assert found.client("acme").shares[0].basis_points == 4000
    assert verify_pin(found.pin_hash("alice"), "471147", key=KEY)


async def test_what_a_file_does_not_name_stays(engine: AsyncEngine, tmp_path: Path) -> None:
    await bring(engine, tmp_path)

    await bring(engine, tmp_path, "currency: USD\ntariffs: {new: {tiers: [{price: 1/min}]}}\n")

    found = await directory(engine)
    assert set(found.tariffs) == {"acme.night", "standard", "hourly", "rising", "full", "new"}
    assert set(found.dids) == {"18005550100", "18005550200", "18005550300", "18005550400"}


async def test_account_numbers_are_kept_and_given_out_without_collision(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    wanted = TEXT.replace("  bob:", '  ann: {mode: prepaid, number: "100002"}\n  bob:')

    await bring(engine, tmp_path, wanted)
    await bring(engine, tmp_path, wanted.replace(', number: "100002"', ""))

    found = await directory(engine)
    assert found.numbers == {
        "100001": "alice", "100002": "ann", "100003": "bob", "100900": "tourist",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (ALICE, "  alice: {mode: postpaid, phones:", "alice is prepaid in USD already"),
        ("currency: USD", "currency: EUR", "is kept in USD already"),
        ("  alice: {", "  eve: {", "phone 15551230001 belongs to account alice"),
        (
            ALICE,
            '  eve: {mode: prepaid, number: "100001"}\n' + ALICE,
            "account number 100001 belongs to alice",
        ),
        ('credit_limit: "100.00"', 'credit_limit: "1"', "bob owes 6.50 more than the credit"),
    ],
)
async def test_a_conflict_is_a_sentence_and_nothing_is_applied(
    engine: AsyncEngine, tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    await bring(engine, tmp_path)
    await spend(engine, "bob", "7.50")
    before = await directory(engine)
    assert old in TEXT

    with pytest.raises(CatalogConflict, match=sentence):
        await bring(engine, tmp_path, TEXT.replace(old, new).replace("50/h", "70/h"))

    assert await directory(engine) == before
    assert await version(engine) == 1


async def test_two_applies_at_once_come_one_after_the_other(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    both = [tmp_path / "a", tmp_path / "b"]
    for folder in both:
        folder.mkdir()

    results = await asyncio.gather(*(bring(engine, folder) for folder in both))

    created = [len(applied.created) for applied in results]
    assert min(created) == 0
    assert all(check.ok for check in await verify(engine))
    assert (await balances(engine))["alice"] == parse_amount("20")


async def test_an_export_applied_again_changes_nothing(engine: AsyncEngine, tmp_path: Path) -> None:
    text = TEXT.replace(
        "{provider: 30%, client: 70%}",
        "{provider: 29.5%, client: 70%, reseller: 0.3%, referrer: {ann: 0.15%, joe: 0.05%}}",
    )
    await bring(engine, tmp_path, text)
    before = await directory(engine)

    written = await export(engine, CLOCK)
    applied = await bring(engine, tmp_path, written)

    assert (applied.created, applied.changed) == ([], [])
    assert await directory(engine) == before
    assert "4711" not in written


async def test_the_export_of_an_empty_database_is_a_catalog(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    applied = await bring(engine, tmp_path, await export(engine, CLOCK))

    assert applied == Applied()


async def test_a_phone_and_a_pin_are_set_by_hand(engine: AsyncEngine, tmp_path: Path) -> None:
    await bring(engine, tmp_path)

    await set_phones_and_pin(engine, "bob", numbers=["+15551239999"], pin="998877", key=KEY)

    found = await directory(engine)
    assert found.account_of_phone("15551239999") == "bob"
    assert verify_pin(found.pin_hash("bob"), "998877", key=KEY)
    assert await version(engine) == 2


@pytest.mark.parametrize(
    ("numbers", "pin"), [(["15551230001"], None), (["12;34"], None), ([], "12"), ([], "12ab56")]
)
async def test_somebody_elses_phone_or_no_pin_is_refused(
    engine: AsyncEngine, tmp_path: Path, numbers: list[str], pin: str | None
) -> None:
    await bring(engine, tmp_path)

    with pytest.raises(InvalidInput):
        await set_phones_and_pin(engine, "bob", numbers=numbers, pin=pin, key=KEY)

    assert await version(engine) == 1


async def test_the_directory_in_memory_follows_the_database(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    cache = DirectoryCache(engine, CLOCK)
    await cache.load()
    empty = cache.current()

    await bring(engine, tmp_path)
    await cache.load()
    loaded = cache.current()
    await cache.load()

    assert empty.did("18005550100") is None
    assert loaded.did("18005550100") is not None
    assert cache.current() is loaded


async def test_a_tax_is_read_kept_and_written_back(engine: AsyncEngine, tmp_path: Path) -> None:
    tax = "{name: VAT, rate: 21%, included: true}"
    taxed = f"tariffs:\n  taxed: {{tax: {tax}, tiers: [{{price: 1/min}}]}}"
    await bring(engine, tmp_path, TEXT.replace("tariffs:", taxed, 1))

    kept = (await directory(engine)).tariff("taxed").tariff.tax
    again = await bring(engine, tmp_path, await export(engine, CLOCK))

    assert kept == Tax(name="VAT", basis_points=2_100, included=True)
    assert not again.changed


@pytest.mark.parametrize(
    ("tax", "field"),
    [
        ("{rate: 21%}", "tax.included"),
        ("{rate: 0%, included: true}", "tax.rate"),
        ("{rate: 210%, included: true}", "tax.rate"),
        ("{included: true}", "tax.rate"),
    ],
)
async def test_a_tax_that_cannot_be_is_named(
    engine: AsyncEngine, tmp_path: Path, tax: str, field: str
) -> None:
    taxed = f"tariffs:\n  taxed: {{tax: {tax}, tiers: [{{price: 1/min}}]}}"

    with pytest.raises(CatalogInvalid, match=field):
        await bring(engine, tmp_path, TEXT.replace("tariffs:", taxed, 1))
