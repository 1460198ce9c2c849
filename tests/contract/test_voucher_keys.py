"""The key of a form that asks for vouchers: one batch for each, also when it is sent at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.domain.voucher_codes import draw_codes, seed_of
from billing.errors import IdempotencyConflict, UnknownVoucher, VoucherUsed
from billing.money import parse_amount
from billing.vouchers import Vouchers
from tests.books import Desk, open_desk

TEN = parse_amount("10")


def _vouchers(desk: Desk) -> Vouchers:
    return Vouchers(engine=desk.engine, clock=desk.clock, secret=b"s" * 32)


async def test_five_at_once_with_one_key_make_one_batch(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    async with open_desk(engine, tmp_path) as desk:
        use = _vouchers(desk)
        made = await asyncio.gather(
            *(
                use.generate(amount=TEN, currency="USD", count=20, actor="o", key="form-1")
                for _ in range(5)
            )
        )

        assert len({one.codes for one in made}) == 1
        assert sum(not one.replayed for one in made) == 1
        assert len(await use.batches()) == 1


async def test_another_actor_or_amount_with_the_same_key_sees_no_codes(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    async with open_desk(engine, tmp_path) as desk:
        use = _vouchers(desk)
        await use.generate(amount=TEN, currency="USD", count=2, actor="o", key="form-1")

        with pytest.raises(IdempotencyConflict):
            await use.generate(amount=TEN, currency="USD", count=2, actor="p", key="form-1")
        with pytest.raises(IdempotencyConflict):
            await use.generate(amount=TEN + 1, currency="USD", count=2, actor="o", key="form-1")


async def test_a_voucher_is_called_back_by_its_number(engine: AsyncEngine, tmp_path: Path) -> None:
    async with open_desk(engine, tmp_path) as desk:
        use = _vouchers(desk)
        await desk.caller("alice")
        made = await use.generate(amount=TEN, currency="USD", count=2, actor="o")
        await use.redeem("alice", made.codes[0])

        await use.disable_serial(made.batch.id, 2)
        with pytest.raises(VoucherUsed):
            await use.disable_serial(made.batch.id, 1)
        with pytest.raises(UnknownVoucher):
            await use.disable_serial(made.batch.id, 3)

        (batch,) = await use.batches()
        assert (batch.used, batch.disabled, batch.left) == (1, 1, 0)


def test_codes_differ_by_key_secret_and_attempt() -> None:
    seed = seed_of(b"s", "k")

    drawn = [
        draw_codes(seed, 500, attempt=0),
        draw_codes(seed, 500, attempt=1),
        draw_codes(seed_of(b"s", "l"), 500, attempt=0),
        draw_codes(seed_of(b"t", "k"), 500, attempt=0),
    ]

    assert draw_codes(seed, 500, attempt=0) == drawn[0]
    assert len({code for codes in drawn for code in codes}) == 2_000
    assert all(len(code) == 14 and code[0] != "0" for code in drawn[0])
