"""Business reports on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.business import count_callers, revenue, top_callers
from billing.clock import microseconds_of
from billing.domain.tariffs import Tariff
from billing.errors import InvalidInput
from billing.refunds import Refunds
from billing.reports import Span
from billing.storage.tables import clients
from ivr.calls.unanswered import unanswered
from ivr.tables import calls
from tests.books import START, Desk, flat, open_desk

CHEAP, DEAR = flat("0.60"), flat("6.00")
MONTH = Span(first=START.date(), last=START.date() + timedelta(days=29))


@pytest.fixture
async def desk(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(engine, tmp_path) as desk:
        for code in ("alice", "bob"):
            await desk.caller(code, "500")
        row = {"title": "", "currency": "USD", "shares": "[]", "created_us": 0}
        async with engine.begin() as connection:
            await connection.execute(
                insert(clients), [{"code": code, **row} for code in ("acme", "zeta")]
            )
        await talk(desk, "s1", "alice", 100, CHEAP)
        await talk(desk, "s2", "alice", 10, DEAR, detail="Network")
        await talk(desk, "s3", "bob", 30, CHEAP, client="zeta", service="18005550200")
        desk.clock.advance(86_400)
        await talk(desk, "s4", "bob", 7, DEAR, detail=None)
        desk.clock.advance(60 * 86_400)
        await talk(desk, "later", "bob", 100, DEAR)
        yield desk


async def talk(
    desk: Desk, name: str, account: str, seconds: int, tariff: Tariff, **facts: str | None
) -> None:
    terms = replace(await desk.terms(name, account, tariff), **facts)  # type: ignore[arg-type]
    grant = await desk.charging.open(terms, slice_seconds=seconds, expires_seconds=300)
    await desk.settle(terms, seconds, grant.seconds)


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("client", [(("acme",), 3, 2_700_000), (("zeta",), 1, 300_000)]),
        (
            "did",
            [(("acme", "18005550100"), 3, 2_700_000), (("zeta", "18005550200"), 1, 300_000)],
        ),
        (
            "topic",
            [
                (("acme", "18005550100", ""), 1, 700_000),
                (("acme", "18005550100", "Billing"), 1, 1_000_000),
                (("acme", "18005550100", "Network"), 1, 1_000_000),
                (("zeta", "18005550200", "Billing"), 1, 300_000),
            ],
        ),
        ("tariff", [(("flat-0.60-0-1",), 2, 1_300_000), (("flat-6.00-0-1",), 2, 1_700_000)]),
        (
            "day",
            [
                ((str(MONTH.from_us),), 3, 2_300_000),
                ((str(MONTH.from_us + 86_400_000_000),), 1, 700_000),
            ],
        ),
    ],
)
async def test_revenue_by_anything_that_is_sold(
    desk: Desk, by: str, expected: list[tuple[tuple[str, ...], int, int]]
) -> None:
    async with desk.engine.connect() as connection:
        rows = await revenue(connection, MONTH, by=by)

    assert [(row.key, row.sessions, row.gross) for row in rows] == expected
    assert all(sum(row.shares.values()) == row.gross for row in rows)
    assert {row.margin_basis_points for row in rows} == {3_000}


@pytest.mark.parametrize("by", ["client", "did", "topic", "tariff", "day"])
async def test_a_refund_is_told_beside_the_gross_of_its_day(desk: Desk, by: str) -> None:
    refunds = Refunds(engine=desk.engine, clock=desk.clock)
    await refunds.refund("s3", key="k", actor="op", reason="bad line", amount=100_000)
    today = desk.clock.now().date()
    whole = Span(first=MONTH.first, last=today)

    async with desk.engine.connect() as connection:
        rows = await revenue(connection, whole, by=by)
        before = await revenue(connection, MONTH, by=by)

    assert sum(row.corrected for row in rows) == -100_000
    assert sum(row.gross for row in rows) == 13_000_000
    assert not any(row.corrected for row in before)


@pytest.mark.parametrize("by", ["client", "did", "topic", "tariff", "day"])
async def test_pages_follow_each_other_without_a_gap(desk: Desk, by: str) -> None:
    async with desk.engine.connect() as connection:
        whole = await revenue(connection, MONTH, by=by)
        pages = []
        after: list[str] = []
        while page := await revenue(connection, MONTH, by=by, after=after, limit=1):
            pages += page
            after = [*page[-1].key, page[-1].currency]

    assert pages == whole


async def test_one_client_sees_its_own_revenue_only(desk: Desk) -> None:
    async with desk.engine.connect() as connection:
        rows = await revenue(connection, MONTH, by="topic", client="zeta")
        paid = await top_callers(connection, MONTH, client="zeta")

    assert [row.key[0] for row in rows] == ["zeta"]
    assert [(row.account, row.gross) for row in paid] == [("bob", 300_000)]


@pytest.mark.parametrize(("by", "after"), [("agent", []), ("client", ["x"]), ("day", ["x", "USD"])])
async def test_a_wrong_question_is_refused(desk: Desk, by: str, after: list[str]) -> None:
    async with desk.engine.connect() as connection:
        with pytest.raises(InvalidInput):
            await revenue(connection, MONTH, by=by, after=after)


async def test_callers_are_listed_by_what_they_paid_and_counted_once(desk: Desk) -> None:
    async with desk.engine.connect() as connection:
        paid = await top_callers(connection, MONTH)
        (count,) = await count_callers(connection, MONTH)

    assert [(row.account, row.sessions, row.gross) for row in paid] == [
        ("alice", 2, 2_000_000),
        ("bob", 2, 1_000_000),
    ]
    assert (count.callers, count.sessions, count.per_caller) == (2, 4, 1_500_000)


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("did", [("18005550100", 2, 70)]),
        ("topic", [("", 1, 10), ("Billing", 1, 60)]),
        ("hour", [("12", 1, 10), ("13", 1, 60)]),
        ("reason", [("caller_hung_up", 1, 10), ("no_agent", 1, 60)]),
    ],
)
async def test_calls_that_nobody_answered_are_counted(
    desk: Desk, by: str, expected: list[tuple[str, int, int]]
) -> None:
    begin = microseconds_of(START)
    rows = [
        (begin, None, 10, "caller_hung_up", None),
        (begin + 3_600_000_000, "Billing", 60, "no_agent", None),
        (begin, "Billing", 60, "agent_hung_up", begin + 1),
    ]
    async with desk.engine.begin() as connection:
        for number, (started_us, topic, seconds, reason, answered_us) in enumerate(rows):
            await connection.execute(
                insert(calls),
                {
                    "id": f"c{number}", "node": "n", "boot": "b", "channel": "c",
                    "uniqueid": f"u{number}", "did": "18005550100", "client": "acme",
                    "caller": "1", "topic": topic, "state": "ended", "started_us": started_us,
                    "ended_us": started_us + seconds * 1_000_000, "end_reason": reason,
                    "answered_us": answered_us,
                },
            )  # fmt: skip
        found = await unanswered(connection, MONTH, by=by, client="acme")

    assert [(row.key, row.calls, row.seconds) for row in found] == expected
