"""Tax in the ledger, on both databases: its own account, proved, kept by the journal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.audit import verify
from billing.domain.tariffs import Tax
from billing.refunds import Refunds
from billing.storage.tables import accounts, sessions
from tests.books import Desk, flat, open_desk

PRICE = flat("0.60")


@pytest.fixture
async def desk(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(engine, tmp_path) as desk:
        await desk.caller("alice", "10")
        yield desk


async def balances(desk: Desk) -> dict[str, int]:
    async with desk.engine.connect() as connection:
        rows = await connection.execute(select(accounts.c.kind, accounts.c.posted))
        return {row.kind: row.posted for row in rows}


@pytest.mark.parametrize(
    ("included", "cost", "tax", "client"),
    [(False, 1_210_000, 210_000, 700_000), (True, 1_000_000, 173_554, 578_512)],
)
async def test_tax_has_an_account_of_its_own(
    desk: Desk, *, included: bool, cost: int, tax: int, client: int
) -> None:
    tariff = replace(
        PRICE,
        name=f"taxed-{included}",
        tax=Tax(name="VAT", basis_points=2_100, included=included),
    )
    terms = await desk.terms("s1", "alice", tariff)
    grant = await desk.charging.open(terms, slice_seconds=100, expires_seconds=300)

    settled = await desk.settle(terms, 100, grant.seconds)

    found = await balances(desk)
    assert (settled.cost, found["tax"], found["client"]) == (cost, tax, client)
    assert grant.amount == cost
    assert await desk.proved()
    done = await Refunds(engine=desk.engine, clock=desk.clock).refund(
        "s1", key="k", actor="op", reason="bad line"
    )
    assert done.amount == cost
    assert (await balances(desk))["tax"] == 0
    assert await desk.proved()


async def test_a_wrong_tax_of_a_session_is_named(desk: Desk) -> None:
    tariff = replace(PRICE, name="taxed", tax=Tax(name="VAT", basis_points=2_100))
    terms = await desk.terms("s1", "alice", tariff)
    grant = await desk.charging.open(terms, slice_seconds=100, expires_seconds=300)
    await desk.settle(terms, 100, grant.seconds)
    async with desk.engine.begin() as connection:
        await connection.execute(update(sessions).values(tax=1))

    (broken,) = [check for check in await verify(desk.engine) if not check.ok]

    assert broken.rows == ("s1 tax 1 instead of 210000",)
