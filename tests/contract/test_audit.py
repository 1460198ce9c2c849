"""Each invariant is broken by hand, behind the triggers, and the proof names the rows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.audit import verify
from billing.storage.engine import snapshot
from billing.storage.guards import drop_statements
from billing.storage.tables import clients
from tests.books import Desk, flat, open_desk

TARIFF = flat("0.60")


@pytest.fixture
async def desk(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Desk]:
    """Three sessions of Alice's: settled, voided and open."""
    async with open_desk(engine, tmp_path) as desk:
        await desk.caller("alice", "20")
        for name in ("settled", "voided", "open"):
            terms = await desk.terms(name, "alice", TARIFF)
            grant = await desk.charging.open(terms, slice_seconds=15, expires_seconds=60)
            if name == "settled":
                await desk.settle(terms, 10, grant.seconds)
            if name == "voided":
                await desk.charging.void(terms, note="no talk")
        yield desk


async def breach(desk: Desk, *statements: str) -> list[tuple[str, tuple[str, ...]]]:
    async with desk.engine.begin() as connection:
        for statement in (*drop_statements(desk.engine.dialect.name), *statements):
            await connection.execute(text(statement))
    return [(check.name, check.rows) for check in await verify(desk.engine) if not check.ok]


@pytest.mark.parametrize(
    ("statements", "broken"),
    [
        (
            ["UPDATE entries SET amount = amount + 1 WHERE amount = 70000"],
            {
                "the entries of each transfer sum to zero",
                "daily sums of shares by agent equal their entries",
                "daily sums of shares equal their entries",
                "daily sums of parties equal their entries",
                "all entries sum to zero per currency",
                "each balance equals the sum of its entries",
                "each entry continues the balance before it",
                "cost, split and grant of each session follow from its talk and its price version",
            },
        ),
        (
            ["UPDATE accounts SET posted = posted + 1 WHERE code = 'acme'"],
            {"each balance equals the sum of its entries"},
        ),
        (
            ["UPDATE accounts SET version = version + 1 WHERE code = 'acme'"],
            {"each balance equals the sum of its entries"},
        ),
        (
            ["UPDATE entries SET balance_after = balance_after + 1 WHERE amount = 70000"],
            {"each entry continues the balance before it"},
        ),
        (
            ["UPDATE accounts SET held = held + 1 WHERE code = 'alice'"],
            {"held money equals the open holds"},
        ),
        (
            ["UPDATE accounts SET open_holds = 0 WHERE code = 'alice'"],
            {"held money equals the open holds"},
        ),
        (
            ["UPDATE sessions SET state = 'voided', cost = 0 WHERE id = 'open'"],
            {"each hold ended with its session"},
        ),
        (
            ["UPDATE holds SET settled_amount = 99999 WHERE id = 'settled'"],
            {"each hold ended with its session"},
        ),
        (["DELETE FROM sessions WHERE id = 'voided'"], {"each hold belongs to a session"}),
        (
            ["UPDATE transfers SET reference = 'lost' WHERE kind = 'settle'"],
            {
                "daily sums of shares by agent equal their entries",
                "daily sums of shares equal their entries",
                "each settlement belongs to a session",
                "each session that cost something was debited exactly once",
                "cost, split and grant of each session follow from its talk and its price version",
            },
        ),
        (
            [
                """INSERT INTO transfers (id, key, input_hash, kind, reference, at_us)
                VALUES ('again', 'again', '', 'settle', 'settled', 1)"""
            ],
            {
                "the entries of each transfer sum to zero",
                "each session that cost something was debited exactly once",
            },
        ),
        (
            ["UPDATE sessions SET cost = 90000 WHERE id = 'settled'"],
            {
                "daily sums by agent equal their sessions",
                "daily sums of revenue equal their sessions",
                "each hold ended with its session",
                "each debit equals the cost of its session",
                "cost, split and grant of each session follow from its talk and its price version",
            },
        ),
        (
            ["UPDATE sessions SET talk_us = 11000000 WHERE id = 'settled'"],
            {
                "daily sums by agent equal their sessions",
                "daily sums of revenue equal their sessions",
                "cost, split and grant of each session follow from its talk and its price version",
            },
        ),
        (
            ["UPDATE sessions SET shares = '[[\"client\", \"acme\", 10000]]' WHERE id = 'settled'"],
            {"cost, split and grant of each session follow from its talk and its price version"},
        ),
    ],
)
async def test_every_broken_invariant_is_named(
    desk: Desk, statements: list[str], broken: set[str]
) -> None:
    found = await breach(desk, *statements)

    assert {name for name, _ in found} == broken
    assert all(rows for _, rows in found)


async def test_a_sound_ledger_proves_everything(desk: Desk) -> None:
    assert await breach(desk) == []


async def test_only_the_first_rows_that_break_a_rule_are_named(desk: Desk) -> None:
    rows = [
        f"""INSERT INTO transfers (id, key, input_hash, kind, at_us)
        VALUES ('t{number}', 'k{number}', '', 'x', 1)"""
        for number in range(30)
    ]

    ((_, shown),) = await breach(desk, *rows)

    assert len(shown) == 20


async def test_a_snapshot_does_not_see_what_is_written_meanwhile(desk: Desk) -> None:
    count = text("SELECT count(*) FROM clients")

    async with snapshot(desk.engine) as reading:
        before = await reading.scalar(count)
        async with desk.engine.begin() as writing:
            await writing.execute(
                insert(clients),
                {"code": "acme", "title": "", "currency": "USD", "shares": "[]", "created_us": 0},
            )
        during = await reading.scalar(count)
    async with snapshot(desk.engine) as reading:
        after = await reading.scalar(count)

    assert (before, during, after) == (0, 0, 1)
