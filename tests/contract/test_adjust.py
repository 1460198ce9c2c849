"""Corrections of a balance: in any interleaving with calls nothing is taken that is not there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.errors import IdempotencyConflict, InsufficientFunds, InvalidInput
from billing.money import parse_amount
from tests.books import flat, open_desk


async def test_many_corrections_and_calls_at_once_never_spend_the_same_money_twice(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    async with open_desk(engine, tmp_path) as desk:
        await desk.caller("alice", "10")
        tariff = flat("1.00", increment_seconds=60)

        async def take(number: int) -> int:
            try:
                done = await desk.wallet.adjust(
                    "alice", -parse_amount("3"), key=f"k{number}", actor="t", memo="m"
                )
            except InsufficientFunds:
                return 0
            return -done.amount

        async def call(number: int) -> int:
            terms = await desk.terms(f"{number:036d}", "alice", tariff)
            try:
                grant = await desk.charging.open(terms, slice_seconds=60, expires_seconds=60)
            except InsufficientFunds:
                return 0
            assert grant.seconds == 60
            return parse_amount("1")

        await desk.version(tariff)
        spent = await asyncio.gather(
            *(take(number) for number in range(6)), *(call(number) for number in range(6))
        )

        account = await desk.wallet.account("alice")
        assert account.spendable == parse_amount("10") - sum(spent) >= 0
        assert account.spendable < parse_amount("3")
        assert await desk.proved()


async def test_the_same_key_again_moves_nothing_and_another_amount_is_an_error(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    async with open_desk(engine, tmp_path) as desk:
        await desk.caller("alice", "10")
        first = await desk.wallet.adjust("alice", -5, key="k", actor="t", memo="m")
        again = await desk.wallet.adjust("alice", -5, key="k", actor="t", memo="m")
        with pytest.raises(IdempotencyConflict):
            await desk.wallet.adjust("alice", 5, key="k", actor="t", memo="m")

        assert not first.replayed
        assert again.replayed
        assert await desk.spendable("alice") == parse_amount("10") - 5


@pytest.mark.parametrize(("amount", "memo"), [(0, "m"), (5, " ")])
async def test_a_correction_without_amount_or_reason_is_refused(
    engine: AsyncEngine, tmp_path: Path, amount: int, memo: str
) -> None:
    async with open_desk(engine, tmp_path) as desk:
        await desk.caller("alice", "10")
        with pytest.raises(InvalidInput):
            await desk.wallet.adjust("alice", amount, key="k", actor="t", memo=memo)
