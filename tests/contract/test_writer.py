"""One writer, many askers: what one does wrong, or the database does, is nobody else's loss."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.domain.operations import (
    AccountRef,
    Grant,
    OpenHold,
    Operation,
    Post,
    Posted,
    PostedEntry,
)
from billing.errors import IdempotencyConflict, LedgerUnavailable
from billing.storage.tables import clients, transfers
from billing.storage.writer import GroupWriter
from tests.books import Desk, open_desk

ALICE = AccountRef(kind="caller", code="alice", currency="USD")
FUNDING = AccountRef(kind="funding", code="funding", currency="USD")
NEW_CLIENT = insert(clients)


@pytest.fixture
async def desk(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(engine, tmp_path) as desk:
        await desk.caller("alice", "20")
        yield desk


def top_up(key: str, amount: int = 5, *, memo: str = "") -> Post:
    return Post(
        key=key, transfer_id=f"transfer-{key}-{amount}", kind="top_up", at_us=1, memo=memo,
        entries=(
            PostedEntry(account=ALICE, amount=amount),
            PostedEntry(account=FUNDING, amount=-amount),
        ),
    )  # fmt: skip


def client_row(code: str) -> dict[str, object]:
    return {"code": code, "title": code, "currency": "USD", "shares": "[]", "created_us": 0}


class Broken:
    """A price that a mistake of ours made."""

    first_seconds = 1

    def cost(self, seconds: int) -> int:
        return seconds // 0

    def affordable_seconds(self, amount: int, *, seconds_max: int) -> int:
        return amount // seconds_max


async def test_what_waits_at_the_same_time_is_committed_together(desk: Desk) -> None:
    batches = desk.writer.batches

    answers = await asyncio.gather(*(desk.writer.submit(top_up(f"k{n}")) for n in range(200)))

    assert all(isinstance(answer, Posted) and not answer.replayed for answer in answers)
    assert desk.writer.batches - batches <= 3
    assert await desk.proved()


@pytest.mark.parametrize(
    "poison",
    [
        top_up("bad", memo="\ud800"),
        OpenHold(hold_id="s", account=ALICE, table=Broken(), seconds=1, at_us=1, expires_us=2),
    ],
    ids=["text that cannot be stored", "a mistake of ours"],
)
async def test_an_operation_that_cannot_be_written_fails_alone(
    desk: Desk, poison: Operation
) -> None:
    outcomes = await asyncio.gather(
        desk.writer.submit(top_up("one")),
        desk.writer.submit(poison),
        desk.writer.submit(top_up("two")),
        return_exceptions=True,
    )

    assert [type(outcome) for outcome in outcomes] == [Posted, LedgerUnavailable, Posted]
    assert isinstance(await desk.writer.submit(top_up("three")), Posted)
    assert await desk.spendable("alice") == 20_000_015
    assert await desk.proved()


async def test_rows_of_other_tables_ride_along_and_a_refused_one_fails_alone(desk: Desk) -> None:
    outcomes = await asyncio.gather(
        desk.writer.write(NEW_CLIENT, client_row("acme")),
        desk.writer.write(NEW_CLIENT, client_row("acme")),
        desk.writer.write(NEW_CLIENT, client_row("globex")),
        desk.writer.submit(top_up("one")),
        return_exceptions=True,
    )

    assert [type(outcome) for outcome in outcomes] == [
        type(None), LedgerUnavailable, type(None), Posted,
    ]  # fmt: skip
    async with desk.engine.connect() as connection:
        assert await connection.scalar(select(func.count()).select_from(clients)) == 2


async def test_two_writers_on_one_database_never_spend_twice_nor_book_twice(
    desk: Desk, engine: AsyncEngine
) -> None:
    terms = await desk.terms("any", "alice")

    def operations() -> list[Operation]:
        return [
            *(top_up(f"k{number}") for number in range(30)),
            *(
                OpenHold(
                    hold_id=f"h{number}", account=ALICE, table=terms.table, seconds=15, at_us=1,
                    expires_us=2, fair=False,
                )
                for number in range(10)
            ),
        ]  # fmt: skip

    async with GroupWriter(engine) as other:
        answers = await asyncio.gather(
            *(writer.submit(item) for writer in (desk.writer, other) for item in operations()),
            return_exceptions=True,
        )

    posted = [answer for answer in answers if isinstance(answer, Posted)]
    assert len(posted) == 60
    assert sum(not answer.replayed for answer in posted) == 30
    balance = await desk.charging.balance("alice")
    assert balance.posted == 20_000_000 + 30 * 5
    # Each slice is 5.125: three of them, whoever asked.
    held = {answer.hold_id for answer in answers if isinstance(answer, Grant)}
    assert (len(held), balance.held) == (3, 3 * 5_125_000)


async def test_a_key_that_another_writer_uses_for_something_else_is_a_conflict(
    desk: Desk, engine: AsyncEngine
) -> None:
    async with GroupWriter(engine) as other:
        outcomes = await asyncio.gather(
            desk.writer.submit(top_up("k", 5)),
            other.submit(top_up("k", 6)),
            return_exceptions=True,
        )

    assert {type(outcome) for outcome in outcomes} == {Posted, IdempotencyConflict}
    async with desk.engine.connect() as connection:
        booked = select(func.count()).select_from(transfers).where(transfers.c.key == "k")
        assert await connection.scalar(booked) == 1
    assert await desk.proved()


async def test_who_waits_too_long_is_told_so_and_may_ask_again_with_the_same_key(
    desk: Desk,
) -> None:
    with pytest.raises(LedgerUnavailable):
        await desk.writer.submit(top_up("k"), deadline_seconds=0)

    assert isinstance(await desk.writer.submit(top_up("k")), Posted)
    assert await desk.spendable("alice") == 20_000_005


async def test_a_writer_that_ends_is_noticed(engine: AsyncEngine) -> None:
    async with GroupWriter(engine) as writer:
        watch = asyncio.create_task(writer.watch(), name="watch")
        await asyncio.sleep(0)
        running = watch.done()
        assert writer._task is not None
        writer._task.cancel()
        async with asyncio.timeout(5):
            await watch

    assert not running
