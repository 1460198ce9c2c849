"""Fixed fees and referrers from the catalog to the books, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.agreements import agreement_history
from billing.clock import ManualClock, microseconds_of
from billing.domain.splits import Share
from billing.money import parse_amount
from billing.refunds import Refunds
from billing.storage.tables import accounts, sessions
from ivr.directory.catalog_apply import Applied, CatalogConflict, apply
from ivr.directory.catalog_export import export
from ivr.directory.catalog_file import load_catalog
from ivr.directory.model import Client
from ivr.directory.store import load_directory
from ivr.migrations import downgrade, upgrade
from tests.books import START, Desk, flat, open_desk

START_US = microseconds_of(START)
MINUTE = flat("1")


def catalog(more: str = "", split: str = "{provider: 30%, client: 70%}") -> str:
    return f"""
currency: USD
tariffs: {{flat: {{tiers: [{{price: 1/min}}]}}}}
clients:
  acme:
    title: Acme
    split: {split}
    {more}
"""


PARTNER = "referrers: {partner-a: {commission: 10%%, of: provider%s}}"
BONUS = PARTNER % ', bonus: "2500.00"'


async def bring(
    engine: AsyncEngine, folder: Path, text: str, *, clock: ManualClock | None = None
) -> Applied:
    file = folder / "catalog.yaml"
    file.write_text(text, encoding="utf-8")
    return await apply(
        engine, load_catalog(file), clock=clock or ManualClock(START), pin_key=b"key"
    )


async def acme(engine: AsyncEngine) -> Client:
    async with engine.connect() as connection:
        return (await load_directory(connection, 0)).client("acme")


async def balances(engine: AsyncEngine) -> dict[tuple[str, str], int]:
    async with engine.connect() as connection:
        rows = await connection.execute(select(accounts))
        return {(row.kind, row.code): row.posted for row in rows}


async def sell(desk: Desk, session_id: str, client: Client, minutes: int) -> None:
    """Authorise now and settle ten days later: the shares stay those of the authorisation."""
    now_us = microseconds_of(desk.clock.now())
    terms = await desk.terms(session_id, "alice", MINUTE, shares=client.shares_at(now_us))
    await desk.charging.open(terms, slice_seconds=minutes * 60, expires_seconds=10**7)
    desk.clock.advance(10 * 86_400)
    await desk.settle(terms, minutes * 60, minutes * 60)


async def test_a_commission_runs_for_twelve_months_from_the_clients_start(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    await bring(engine, tmp_path, catalog(PARTNER % ""))

    client = await acme(engine)
    (referrer,) = client.referrers
    assert referrer.from_us == START_US
    assert referrer.until_us == microseconds_of(START.replace(year=START.year + 1))
    assert client.shares_at(START_US - 1) == client.shares
    assert client.shares_at(referrer.until_us) == client.shares
    assert client.shares_at(referrer.until_us - 1)[-1] == Share(
        kind="referrer", account="partner-a", basis_points=1_000, of="provider"
    )


async def test_who_was_authorised_before_the_end_is_settled_with_the_commission(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    await bring(
        engine, tmp_path, catalog('fixed_fee: "0.05"\n    ' + PARTNER % ", until: 2026-03-05")
    )
    client = await acme(engine)
    async with open_desk(engine, tmp_path) as desk:
        await desk.caller("alice", "100")

        await sell(desk, "before", client, minutes=10)
        after_one = await balances(engine)
        await sell(desk, "after", client, minutes=10)
        after_both = await balances(engine)

        assert after_one["referrer", "partner-a"] == parse_amount("0.2985")
        assert after_one["client", "acme"] == parse_amount("6.965")
        assert after_one["provider", "provider"] == parse_amount("2.7365")
        assert after_both["referrer", "partner-a"] == after_one["referrer", "partner-a"]
        assert after_both["provider", "provider"] == parse_amount("5.7715")
        assert await desk.proved()


async def test_refunds_take_fee_and_commission_back_to_the_micro_unit(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    await bring(engine, tmp_path, catalog('fixed_fee: "0.05"\n    ' + PARTNER % ""))
    client = await acme(engine)
    async with open_desk(engine, tmp_path) as desk:
        await desk.caller("alice", "100")
        await sell(desk, "call", client, minutes=10)
        refunds = Refunds(engine=engine, clock=desk.clock)

        for key, amount in (("a", 1), ("b", 3_333_333), ("c", None)):
            await refunds.refund("call", key=key, actor="test", reason="noise", amount=amount)

        found = await balances(engine)
        assert found["caller", "alice"] == parse_amount("100")
        assert {found[place] for place in found if place[0] not in {"caller", "funding"}} == {0}
        assert await desk.proved()


async def test_plain_shares_are_stored_as_they_always_were(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    await bring(engine, tmp_path, catalog())
    client = await acme(engine)
    async with open_desk(engine, tmp_path) as desk:
        await desk.caller("alice", "100")
        await sell(desk, "plain", client, minutes=1)

    async with engine.connect() as connection:
        stored = await connection.scalar(select(sessions.c.shares))
    assert stored == '[["provider", "provider", 3000], ["client", "acme", 7000]]'


async def test_a_bonus_is_posted_once_however_often_the_file_is_applied(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    first = await bring(engine, tmp_path, catalog(BONUS))
    second = await bring(engine, tmp_path, catalog(BONUS))

    assert "bonus of partner-a" in first.created
    assert (second.created, second.changed) == ([], [])
    assert await balances(engine) == {
        ("provider", "provider"): -parse_amount("2500"),
        ("referrer", "partner-a"): parse_amount("2500"),
    }


async def test_a_bonus_that_was_paid_cannot_become_another(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    await bring(engine, tmp_path, catalog(BONUS))

    with pytest.raises(CatalogConflict, match=r"partner-a got a bonus of 2500\.00 already"):
        await bring(engine, tmp_path, catalog(BONUS.replace("2500", "2600")))

    assert (await acme(engine)).referrers[0].bonus == parse_amount("2500")


async def test_a_commission_that_ended_before_its_client_began_is_a_conflict(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    with pytest.raises(CatalogConflict, match="acme: the commission of partner-a ends before"):
        await bring(engine, tmp_path, catalog(PARTNER % ", until: 2026-01-01"))


async def test_each_change_of_an_agreement_is_a_version_that_stays(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    clock = ManualClock(START)
    await bring(engine, tmp_path, catalog(), clock=clock)
    clock.advance(86_400)
    await bring(engine, tmp_path, catalog(PARTNER % ""), clock=clock)
    await bring(engine, tmp_path, catalog(PARTNER % ""), clock=clock)
    clock.advance(86_400)
    changed = await bring(
        engine, tmp_path, catalog(split="{provider: 40%, client: 60%}"), clock=clock
    )

    async with engine.connect() as connection:
        versions = await agreement_history(connection, "acme")
    assert changed.changed == ["client acme"]
    assert [(each.version, each.in_force_us - START_US) for each in versions] == [
        (1, 0),
        (2, 86_400_000_000),
        (3, 2 * 86_400_000_000),
    ]
    assert [len(each.referrers) for each in versions] == [0, 1, 0]
    assert [each.shares[0].basis_points for each in versions] == [3_000, 3_000, 4_000]


@pytest.mark.parametrize(
    ("more", "split"),
    [
        ('fixed_fee: "0.05"', "{client: 100%}"),
        ('fixed_fee: "0.000001"\n    ' + BONUS, "{provider: 30%, client: 70%}"),
        (PARTNER % ", from: 2026-01-01, until: 2028-02-29", "{provider: 100%}"),
        (PARTNER % ', from: "2026-01-01T12:30:00.000001+02:00"', "{provider: 100%}"),
    ],
)
async def test_an_export_of_agreements_applied_again_changes_nothing(
    engine: AsyncEngine, tmp_path: Path, more: str, split: str
) -> None:
    clock = ManualClock(datetime(2026, 3, 4, 12, 0, 1, 234567, tzinfo=UTC))
    await bring(engine, tmp_path, catalog(more, split), clock=clock)
    before = await acme(engine)
    clock.advance(1000)

    applied = await bring(engine, tmp_path, await export(engine, clock), clock=clock)

    assert (applied.created, applied.changed) == ([], [])
    assert await acme(engine) == before


async def test_what_was_agreed_before_there_were_versions_is_the_first_one(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    await bring(engine, tmp_path, catalog())
    await downgrade(engine, "0004")
    await upgrade(engine)

    applied = await bring(engine, tmp_path, catalog())

    async with engine.connect() as connection:
        (version,) = await agreement_history(connection, "acme")
    assert (applied.created, applied.changed) == ([], [])
    assert (version.version, version.in_force_us) == (1, START_US)
