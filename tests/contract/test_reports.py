"""Reports say what was booked: compared with sums made by hand, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.domain.sessions import Settlement
from billing.money import parse_amount
from billing.reports import Span, split_by_day, split_report, statement, totals
from billing.storage.engine import snapshot
from billing.storage.tables import clients
from tests.books import START, Desk, flat, open_desk

TODAY = START.date()
TOMORROW = TODAY + timedelta(days=1)
BOTH_DAYS = Span(first=TODAY, last=TOMORROW)
# Client, what was dialled, topic, seconds of talk, day.
SOLD = (
    ("acme", "100", "Billing", 61, TODAY),
    ("acme", "100", "Billing", 7, TODAY),
    ("acme", "100", None, 0, TODAY),
    ("acme", "200", "Network", 59, TOMORROW),
    ("globex", "300", "Legal", 13, TOMORROW),
)


@pytest.fixture
async def desk(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(engine, tmp_path) as desk:
        await desk.caller("alice", "20")
        async with engine.begin() as connection:
            await connection.execute(
                insert(clients),
                [
                    {"code": code, "title": code, "currency": "USD", "shares": "", "created_us": 0}
                    for code in ("acme", "globex")
                ],
            )
        yield desk


async def sell(desk: Desk) -> list[Settlement]:
    settlements = []
    for number, (client, service, detail, seconds, day) in enumerate(SOLD):
        if day == TOMORROW and desk.clock.now().date() == TODAY:
            desk.clock.advance(24 * 3600)
        terms = replace(
            await desk.terms(f"s{number}", "alice", flat("0.61")),
            client=client,
            service=service,
            detail=detail,
        )
        grant = await desk.charging.open(terms, slice_seconds=90, expires_seconds=90)
        settlements.append(await desk.settle(terms, seconds, grant.seconds))
    voided = await desk.terms("voided", "alice", flat("0.61"))
    await desk.charging.open(voided, slice_seconds=90, expires_seconds=90)
    await desk.charging.void(voided, note="no talk")
    await desk.charging.open(
        await desk.terms("open", "alice", flat("0.61")), slice_seconds=90, expires_seconds=90
    )
    return settlements


async def test_each_row_of_the_split_adds_up_what_was_booked(desk: Desk) -> None:
    settlements = await sell(desk)

    async with snapshot(desk.engine) as connection:
        rows = await split_report(connection, BOTH_DAYS)

    by_key = {(row.client, row.service, row.detail): row for row in rows}
    assert set(by_key) == {(client, did, topic or "") for client, did, topic, _, _ in SOLD}
    billing = by_key["acme", "100", "Billing"]
    assert (billing.sessions, billing.billed_seconds) == (2, 68)
    assert billing.gross == settlements[0].cost + settlements[1].cost
    assert billing.shares == {
        kind: sum(
            part.amount for item in settlements[:2] for part in item.parts if part.kind == kind
        )
        for kind in ("provider", "client")
    }
    assert by_key["acme", "100", ""].gross == 0
    assert all(sum(row.shares.values()) == row.gross for row in rows)


@pytest.mark.parametrize(
    ("span", "client", "expected"),
    [
        (BOTH_DAYS, "globex", [("globex", 13)]),
        (BOTH_DAYS, "nobody", []),
        (Span(first=TODAY, last=TODAY), None, [("acme", 0), ("acme", 68)]),
        (Span(first=TOMORROW, last=TOMORROW), "acme", [("acme", 59)]),
        (Span(first=date(2020, 1, 1), last=date(2020, 1, 2)), None, []),
    ],
)
async def test_a_report_keeps_to_its_days_and_its_client(
    desk: Desk, span: Span, client: str | None, expected: list[tuple[str, int]]
) -> None:
    await sell(desk)

    async with snapshot(desk.engine) as connection:
        rows = await split_report(connection, span, client=client)

    assert sorted((row.client, row.billed_seconds) for row in rows) == expected


async def test_the_days_of_a_chart_add_up_to_the_report(desk: Desk) -> None:
    await sell(desk)
    span = Span(first=TODAY - timedelta(days=1), last=TOMORROW)

    async with snapshot(desk.engine) as connection:
        days = await split_by_day(connection, span, client="acme")
        rows = await split_report(connection, span, client="acme")

    assert list(days) == [TODAY - timedelta(days=1), TODAY, TOMORROW]
    assert days[TODAY - timedelta(days=1)] == {}
    for kind in ("provider", "client"):
        assert sum(day.get(kind, 0) for day in days.values()) == sum(
            row.shares.get(kind, 0) for row in rows
        )


async def test_the_totals_of_a_day_are_what_was_sold_and_topped_up(desk: Desk) -> None:
    settlements = await sell(desk)
    await desk.wallet.top_up("alice", 7, key="more", actor="test")
    await desk.wallet.adjust("alice", -3, key="less", actor="test", memo="no top-up")

    async with snapshot(desk.engine) as connection:
        today = await totals(connection, Span(first=TODAY, last=TODAY))
        tomorrow = await totals(connection, Span(first=TOMORROW, last=TOMORROW))

    assert (today.sessions, today.billed_seconds) == (3, 68)
    assert today.gross == settlements[0].cost + settlements[1].cost
    assert (today.topped_up, tomorrow.topped_up) == (parse_amount("20"), 7)


async def test_a_statement_lists_every_movement_newest_first_page_by_page(desk: Desk) -> None:
    settlements = await sell(desk)
    account = await desk.wallet.account("alice")

    async with snapshot(desk.engine) as connection:
        first = await statement(connection, account.id, limit=3)
        second = await statement(connection, account.id, before=first[-1].seq, limit=3)

    lines = [*first, *second]
    assert [line.seq for line in lines] == [5, 4, 3, 2, 1]
    assert [line.kind for line in lines] == ["settle"] * 4 + ["top_up"]
    assert [line.reference for line in lines] == ["s4", "s3", "s1", "s0", None]
    assert -sum(line.amount for line in lines[:4]) == sum(item.cost for item in settlements)
    assert lines[0].balance_after == account.posted
