"""Talk that a plan covers: allowances pay before money, and no second is used twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.audit import verify
from billing.charging import SessionTerms
from billing.domain.operations import AccountRef, SessionResult, Settle
from billing.errors import BillingError, InsufficientFunds
from billing.money import MICROS_PER_UNIT
from billing.storage.tables import accounts, sessions, transfers
from tests.books import Desk, flat, open_desk

CYCLE = AccountRef(kind="allowance", code="s1.talk.cycle", currency="SEC")
ROLLOVER = AccountRef(kind="allowance", code="s1.talk.rollover", currency="SEC")
PRICE = flat("0.60")


@pytest.fixture
async def desk(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(engine, tmp_path) as desk:
        yield desk


async def left(desk: Desk, allowance: AccountRef) -> tuple[int, int]:
    """Return the seconds that an allowance has, and those held of it."""
    query = select(accounts.c.posted, accounts.c.held).where(accounts.c.code == allowance.code)
    async with desk.engine.connect() as connection:
        row = (await connection.execute(query)).one()
    return row.posted // MICROS_PER_UNIT, row.held // MICROS_PER_UNIT


async def planned(desk: Desk, name: str, *cover: AccountRef) -> SessionTerms:
    return replace(await desk.terms(name, "alice", PRICE), cover=cover or (CYCLE,))


async def test_a_talk_inside_the_allowance_costs_no_money(desk: Desk) -> None:
    await desk.caller("alice")
    await desk.allow(CYCLE, 600)
    terms = await planned(desk, "s1")

    grant = await desk.charging.open(terms, slice_seconds=60, expires_seconds=300)
    held = await left(desk, CYCLE)
    settled = await desk.charging.settle(
        terms, talk_us=41_200_000, granted_seconds=grant.seconds,
        covered_seconds=grant.covered_seconds, started_us=0, ended_us=1, evidence="ami",
    )  # fmt: skip

    assert (grant.seconds, grant.covered_seconds, grant.amount, grant.final) == (60, 60, 0, False)
    assert held == (600, 60)
    assert (settled.cost, settled.covered_seconds) == (0, 42)
    assert await left(desk, CYCLE) == (558, 0)
    assert await desk.proved()


async def test_a_talk_goes_on_from_one_allowance_to_the_next_and_then_to_money(desk: Desk) -> None:
    await desk.caller("alice", "0.50")
    await desk.allow(ROLLOVER, 20)
    await desk.allow(CYCLE, 30)
    terms = await planned(desk, "s1", ROLLOVER, CYCLE)

    first = await desk.charging.open(terms, slice_seconds=40, expires_seconds=300)
    second = await desk.charging.extend(terms, step=2, to_seconds=80, proven_us=0)
    third = await desk.charging.extend(terms, step=3, to_seconds=120, proven_us=0)
    settled = await desk.charging.settle(
        terms, talk_us=70_000_000, granted_seconds=third.seconds,
        covered_seconds=third.covered_seconds, started_us=0, ended_us=1, evidence="ami",
    )  # fmt: skip

    assert (first.seconds, first.covered_seconds, first.amount) == (40, 40, 0)
    assert (second.seconds, second.covered_seconds, second.amount) == (80, 50, 300_000)
    assert (third.seconds, third.covered_seconds, third.final) == (100, 50, True)
    assert (settled.cost, settled.covered_seconds) == (200_000, 50)
    assert [await left(desk, ROLLOVER), await left(desk, CYCLE)] == [(0, 0), (0, 0)]
    assert await desk.spendable("alice") == 300_000
    assert await desk.proved()


async def test_an_empty_allowance_and_no_money_refuse_the_talk(desk: Desk) -> None:
    await desk.caller("alice")
    await desk.allow(CYCLE, 1)
    terms = await planned(desk, "s1")
    await desk.charging.open(terms, slice_seconds=60, expires_seconds=300)

    with pytest.raises(InsufficientFunds):
        await desk.charging.open(await planned(desk, "s2"), slice_seconds=60, expires_seconds=300)

    assert await left(desk, CYCLE) == (1, 1)
    assert await desk.proved()


async def test_a_talk_that_never_was_gives_its_seconds_back(desk: Desk) -> None:
    await desk.caller("alice")
    await desk.allow(CYCLE, 600)
    terms = await planned(desk, "s1")
    await desk.charging.open(terms, slice_seconds=60, expires_seconds=300)

    await desk.charging.void(terms, note="no talk")
    await desk.charging.void(terms, note="no talk")

    assert await left(desk, CYCLE) == (600, 0)
    assert await desk.proved()


async def test_twenty_talks_at_once_never_use_a_second_twice(desk: Desk) -> None:
    await desk.caller("alice")
    await desk.allow(CYCLE, 500)
    talks = [await planned(desk, f"s{number}") for number in range(20)]

    async def talk(terms: SessionTerms) -> int:
        try:
            grant = await desk.charging.open(terms, slice_seconds=40, expires_seconds=300)
        except BillingError:
            return 0
        settled = await desk.charging.settle(
            terms, talk_us=40_000_000, granted_seconds=grant.seconds,
            covered_seconds=grant.covered_seconds, started_us=0, ended_us=1, evidence="ami",
        )  # fmt: skip
        return settled.covered_seconds

    used = await asyncio.gather(*(talk(terms) for terms in talks))

    assert sum(used) == 500
    assert await left(desk, CYCLE) == (0, 0)
    assert await desk.proved()


async def test_a_session_found_after_a_restart_knows_what_covers_it(desk: Desk) -> None:
    await desk.caller("alice", "1")
    await desk.allow(CYCLE, 30)
    terms = await planned(desk, "s1")
    await desk.charging.open(terms, slice_seconds=60, expires_seconds=300)

    (found,) = await desk.charging.open_sessions()

    assert found.terms.cover == terms.cover
    assert (found.granted_seconds, found.covered_seconds) == (60, 30)


async def test_a_settlement_in_the_journal_draws_the_allowance_when_it_is_booked(
    desk: Desk,
) -> None:
    await desk.caller("alice")
    await desk.allow(CYCLE, 600)
    terms = await planned(desk, "s1")
    await desk.charging.open(terms, slice_seconds=60, expires_seconds=300)
    settle = Settle(
        hold_id="s1", account=terms.payer, transfer_id="t1", amount=0, parts=(), at_us=1,
        result=SessionResult(
            started_us=0, ended_us=1, talk_us=10_000_000, billed_seconds=0, evidence="ami"
        ),
        cover=terms.cover, covered_seconds=10,
    )  # fmt: skip
    desk.journal.keep(settle)

    read = desk.journal.read("s1")
    await desk.charging.replay_once()

    assert read == settle
    assert await left(desk, CYCLE) == (590, 0)
    assert await desk.proved()


async def test_verify_names_covered_talk_that_was_not_drawn(desk: Desk) -> None:
    await desk.caller("alice")
    await desk.allow(CYCLE, 600)
    terms = await planned(desk, "s1")
    grant = await desk.charging.open(terms, slice_seconds=60, expires_seconds=300)
    await desk.charging.settle(
        terms, talk_us=10_000_000, granted_seconds=grant.seconds,
        covered_seconds=grant.covered_seconds, started_us=0, ended_us=1, evidence="ami",
    )  # fmt: skip
    async with desk.engine.begin() as connection:
        await connection.execute(sessions.update().values(covered_seconds=9))
        drawn = await connection.scalar(
            select(transfers.c.reference).where(transfers.c.kind == "draw")
        )

    broken = {check.name for check in await verify(desk.engine) if not check.ok}

    assert drawn == "s1"
    assert "the covered talk of each session was drawn from allowances" in broken
