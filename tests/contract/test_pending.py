"""What is pending, from sums by day, is what the entries of the ledger say one by one."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.clock import microseconds_of
from billing.domain.operations import AccountRef, Post, PostedEntry
from billing.domain.payouts import PayoutTerms
from billing.payable import payables, pending_by_day
from billing.payouts import Payouts
from billing.pending import DAY_US
from billing.reports import Span
from billing.statements import party_statement
from billing.storage.report_tables import party_days
from billing.storage.tables import accounts, entries, transfers
from ivr.migrations import downgrade, upgrade
from tests.books import START, Desk, open_desk

START_US = microseconds_of(START)
NOW_US = START_US + 70 * DAY_US
ALICE = AccountRef(kind="caller", code="alice", currency="USD")
# Each waits as long as its terms say; the last has none.
WAITS = {"acme": 0, "globex": 1, "initech": 14, "umbrella": 60, "hooli": 30}
PARTIES = [AccountRef(kind="client", code=code, currency="USD") for code in WAITS]


@pytest.fixture
async def desk(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(engine, tmp_path) as desk:
        await desk.caller("alice", "100000")
        payouts = Payouts(engine=engine, clock=desk.clock)
        for code, days in list(WAITS.items())[:-1]:
            await payouts.set_terms("client", code, PayoutTerms(hold_back_days=days))
        await _sell(desk, random.Random(7))
        yield desk


async def _sell(desk: Desk, dice: random.Random) -> None:
    """Book shares of seventy days, not in the order of time, and take some of them back."""
    edges = [days * DAY_US + shift for days in (0, 1, 14, 30, 60) for shift in (-1, 0, 1)]
    for number in range(150):
        party = dice.choice(PARTIES)
        ago_us = dice.choice([dice.randrange(70 * DAY_US), dice.choice(edges)])
        at_us = min(NOW_US, max(START_US, NOW_US - ago_us))
        name, amount = f"s{number}", dice.randrange(1, 9_000_000)
        await _post(desk, name, "settle", party, amount, at_us)
        if dice.random() < 0.3:
            back_us = min(NOW_US, at_us + dice.randrange(20 * DAY_US))
            await _post(desk, f"r{number}", "refund", party, -amount // 2, back_us, reverses=name)
        if dice.random() < 0.1:
            await _post(desk, f"p{number}", "adjustment", party, -1, NOW_US - DAY_US)


async def _post(
    desk: Desk, name: str, kind: str, party: AccountRef, amount: int, at_us: int,
    reverses: str | None = None,
) -> None:  # fmt: skip
    sides = (
        PostedEntry(account=party, amount=amount), PostedEntry(account=ALICE, amount=-amount),
    )  # fmt: skip
    await desk.writer.submit(
        Post(
            key=name, transfer_id=name, kind=kind, entries=sides, at_us=at_us, reverses=reverses
        )
    )  # fmt: skip


async def _by_hand(desk: Desk, code: str) -> Counter[int]:
    """Add up one entry after the other, by the day on which it was earned."""
    async with desk.engine.connect() as connection:
        rows = (
            await connection.execute(
                select(entries.c.amount, transfers, accounts.c.code)
                .join(transfers, transfers.c.id == entries.c.transfer_id)
                .join(accounts, accounts.c.id == entries.c.account_id)
            )
        ).all()
    earned = {row.id: row.at_us for row in rows if row.kind == "settle"}
    since_us = NOW_US - WAITS[code] * DAY_US
    found: Counter[int] = Counter()
    for row in rows:
        at_us = row.at_us if row.kind == "settle" else earned.get(row.reverses or "")
        if row.code == code and at_us is not None and min(at_us, row.at_us) > since_us:
            found[at_us - at_us % DAY_US] += row.amount
    return found


async def test_what_is_pending_is_what_the_entries_say_one_by_one(desk: Desk) -> None:
    async with desk.engine.connect() as connection:
        found = await payables(connection, PARTIES, NOW_US)

    by_hand = {party: (await _by_hand(desk, party.code)).total() for party in PARTIES}
    assert {party: one.pending for party, one in found.items()} == by_hand
    assert all(by_hand[party] > 0 for party in PARTIES if WAITS[party.code] > 1)


async def test_what_becomes_payable_when_is_what_the_entries_say(desk: Desk) -> None:
    for party in PARTIES:
        async with desk.engine.connect() as connection:
            days = await pending_by_day(connection, party, NOW_US)

        by_hand = await _by_hand(desk, party.code)
        wait_us = WAITS[party.code] * DAY_US
        assert days == [(day + wait_us, by_hand[day]) for day in sorted(by_hand)]


async def test_a_statement_adds_up_to_the_balance_of_its_entries(desk: Desk) -> None:
    async with desk.engine.connect() as connection:
        span = Span(first=START.date(), last=desk.clock.now().date())
        whole = await party_statement(connection, PARTIES[-1], span)
        moved = (
            await connection.execute(
                select(transfers.c.at_us, transfers.c.kind, entries.c.amount)
                .join(entries, entries.c.transfer_id == transfers.c.id)
                .join(accounts, accounts.c.id == entries.c.account_id)
                .where(accounts.c.code == "hooli", transfers.c.at_us < span.until_us)
            )
        ).all()

    lines: Counter[tuple[int, str]] = Counter()
    for row in moved:
        lines[row.at_us - row.at_us % DAY_US, row.kind] += row.amount
    assert whole.opening == 0
    assert [one.amount for one in whole.movements] == [lines[key] for key in sorted(lines)]
    assert sum(one.count for one in whole.movements) == len(moved)


async def test_the_migration_fills_the_sums_of_parties_from_their_entries(desk: Desk) -> None:
    query = select(party_days).order_by(*party_days.primary_key)
    async with desk.engine.connect() as connection:
        before = (await connection.execute(query)).all()

    await downgrade(desk.engine, "0034")
    await upgrade(desk.engine)

    async with desk.engine.connect() as connection:
        assert (await connection.execute(query)).all() == before
    assert len(before) > len(PARTIES)
