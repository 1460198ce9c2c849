"""What the caller's own page reads and changes, on both databases."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.money import format_amount, parse_amount
from billing.reports import Span, statement_of
from ivr.directory.callers import remove_phone, set_phones_and_pin
from ivr.tables import directory_stamp, phones
from tests.books import open_desk

KEY = b"key of this installation"


async def test_a_phone_is_forgotten_by_its_own_account_alone(engine: AsyncEngine, tmp_path: Path):
    async with open_desk(engine, tmp_path):
        await set_phones_and_pin(engine, "alice", numbers=["15551230001"], pin=None, key=KEY)
        await set_phones_and_pin(engine, "bob", numbers=["15551230002"], pin=None, key=KEY)
        async with engine.connect() as connection:
            before = await connection.scalar(select(directory_stamp.c.version))

        done = [
            await remove_phone(engine, account, number)
            for account, number in (
                ("alice", "15551230002"), ("alice", "15551230001"), ("alice", "15551230001"),
            )
        ]  # fmt: skip

        async with engine.connect() as connection:
            left = list(await connection.scalars(select(phones.c.number)))
            after = await connection.scalar(select(directory_stamp.c.version))
    assert done == [False, True, False]
    assert left == ["15551230002"]
    assert (before, after) == (before, (before or 0) + 1)


async def test_a_statement_of_days_holds_both_days_oldest_first(
    engine: AsyncEngine, tmp_path: Path
):
    async with open_desk(engine, tmp_path) as desk:
        await desk.caller("alice")
        first = desk.clock.now().date()
        for number in range(1, 5):
            await desk.wallet.top_up("alice", parse_amount(str(number)), key=f"k{number}", actor="")
            desk.clock.advance(86_400)
        account = await desk.wallet.account("alice")
        span = Span(first=first + timedelta(days=1), last=first + timedelta(days=2))

        async with engine.connect() as connection:
            lines = await statement_of(connection, account.id, span)

    assert [format_amount(line.amount) for line in lines] == ["2.00", "3.00"]
    assert [format_amount(line.balance_after) for line in lines] == ["3.00", "6.00"]
