from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.clock import microseconds_of
from billing.errors import (
    CurrencyMismatch,
    IdempotencyConflict,
    InvalidInput,
    UnknownAccount,
    UnknownBatch,
    UnknownVoucher,
    VoucherDisabled,
    VoucherExpired,
    VoucherUsed,
)
from billing.reports import Span, totals
from billing.storage.tables import transfers
from billing.storage.voucher_tables import vouchers
from billing.vouchers import Redeemed, Vouchers
from tests.books import Desk, open_desk

TEN = 10_000_000
HOUR_US = 3_600_000_000


@pytest.fixture
async def desk(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(engine, tmp_path) as desk:
        await desk.caller("alice", "1")
        await desk.caller("carol")
        yield desk


@pytest.fixture
def shop(desk: Desk) -> Vouchers:
    return Vouchers(engine=desk.engine, clock=desk.clock, secret=b"s" * 32)


async def batch(shop: Vouchers, count: int = 1, **other):
    return await shop.generate(
        **{"amount": TEN, "currency": "USD", "count": count, "actor": "test"} | other
    )


async def test_a_code_becomes_money_once(desk: Desk, shop: Vouchers) -> None:
    made = await batch(shop, 2)

    first = await shop.redeem("alice", made.codes[0], key="k1")
    with pytest.raises(VoucherUsed):
        await shop.redeem("alice", made.codes[0], key="k2")
    with pytest.raises(VoucherUsed):
        await shop.redeem("carol", made.codes[0], key="k1")

    assert (first.amount, first.balance, first.replayed) == (TEN, 11_000_000, False)
    assert [await desk.spendable(code) for code in ("alice", "carol")] == [11_000_000, 0]
    assert await desk.proved()


async def test_the_same_request_again_gets_the_same_answer(desk: Desk, shop: Vouchers) -> None:
    [code] = (await batch(shop)).codes

    first = await shop.redeem("alice", code, key="k1")
    again = await shop.redeem("alice", f"{code[:4]}-{code[4:8]} {code[8:]}", key="k1")

    assert again.replayed
    assert (again.transfer_id, again.balance) == (first.transfer_id, first.balance)
    assert await desk.spendable("alice") == 11_000_000


async def test_twenty_at_once_on_one_code_make_one_credit(desk: Desk, shop: Vouchers) -> None:
    [code] = (await batch(shop)).codes
    other = Vouchers(engine=desk.engine, clock=desk.clock, secret=b"s" * 32)

    outcomes = await asyncio.gather(
        *(
            (shop, other)[turn % 2].redeem(("alice", "carol")[turn % 2], code, key=f"k{turn}")
            for turn in range(20)
        ),
        return_exceptions=True,
    )

    assert sum(isinstance(outcome, Redeemed) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, VoucherUsed) for outcome in outcomes) == 19
    assert await desk.spendable("alice") + await desk.spendable("carol") == 11_000_000
    async with desk.engine.connect() as connection:
        booked = await connection.scalar(
            select(func.count()).select_from(transfers).where(transfers.c.kind == "voucher")
        )
    assert booked == 1
    assert await desk.proved()


async def test_twenty_retries_of_one_request_at_once_all_hear_the_same(
    desk: Desk, shop: Vouchers
) -> None:
    [code] = (await batch(shop)).codes

    answers = await asyncio.gather(*(shop.redeem("alice", code, key="k") for _ in range(20)))

    assert len({answer.transfer_id for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1
    assert await desk.spendable("alice") == 11_000_000


async def test_one_key_buys_one_voucher(desk: Desk, shop: Vouchers) -> None:
    made = await batch(shop, 2)
    await shop.redeem("alice", made.codes[0], key="k")

    with pytest.raises(IdempotencyConflict):
        await shop.redeem("alice", made.codes[1], key="k")
    await shop.redeem("carol", made.codes[1], key="k")

    assert [await desk.spendable(code) for code in ("alice", "carol")] == [11_000_000, TEN]


@pytest.mark.parametrize("code", ["", "123", "99999999999999", "1234 abcd 5678", "9" * 40])
async def test_a_wrong_code_is_unknown(desk: Desk, shop: Vouchers, code: str) -> None:
    await batch(shop)

    with pytest.raises(UnknownVoucher):
        await shop.redeem("alice", code, key="k")


async def test_the_hash_needs_the_secret(desk: Desk, shop: Vouchers) -> None:
    [code] = (await batch(shop)).codes
    thief = Vouchers(engine=desk.engine, clock=desk.clock, secret=b"t" * 32)

    with pytest.raises(UnknownVoucher):
        await thief.redeem("alice", code, key="k")
    async with desk.engine.connect() as connection:
        rows = (await connection.execute(select(vouchers))).all()
    assert code not in str(rows)


async def test_it_is_too_late_from_the_moment_of_expiry(desk: Desk, shop: Vouchers) -> None:
    now_us = microseconds_of(desk.clock.now())
    made = await batch(shop, 2, expires_us=now_us + HOUR_US)

    desk.clock.advance(3599)
    await shop.redeem("alice", made.codes[0], key="k1")
    desk.clock.advance(1)
    with pytest.raises(VoucherExpired):
        await shop.redeem("alice", made.codes[1], key="k2")
    again = await shop.redeem("alice", made.codes[0], key="k1")

    assert again.replayed


async def test_a_batch_or_a_single_code_can_be_called_back(desk: Desk, shop: Vouchers) -> None:
    one, other = await batch(shop, 3), await batch(shop)
    await shop.redeem("alice", one.codes[0], key="k0")

    await shop.disable_code(one.codes[1])
    await shop.disable_batch(other.batch.id)

    for code in (one.codes[1], other.codes[0]):
        with pytest.raises(VoucherDisabled):
            await shop.redeem("alice", code, key="k")
    with pytest.raises(VoucherUsed):
        await shop.disable_code(one.codes[0])
    with pytest.raises(UnknownVoucher):
        await shop.disable_code("99999999999999")
    with pytest.raises(UnknownBatch):
        await shop.disable_batch("no-such-batch")
    await shop.redeem("alice", one.codes[2], key="k2")


async def test_money_and_account_must_fit(desk: Desk, shop: Vouchers) -> None:
    [code] = (await batch(shop, currency="EUR")).codes

    with pytest.raises(CurrencyMismatch):
        await shop.redeem("alice", code, key="k")
    with pytest.raises(UnknownAccount):
        await shop.redeem("nobody", code, key="k")

    assert await desk.proved()


async def test_batches_are_listed_with_what_is_used_left_expired_and_disabled(
    desk: Desk, shop: Vouchers
) -> None:
    now_us = microseconds_of(desk.clock.now())
    made = await batch(shop, 4, expires_us=now_us + HOUR_US, note="spring")
    await shop.redeem("alice", made.codes[0], key="k")
    await shop.disable_code(made.codes[1])
    [before] = await shop.batches()
    desk.clock.advance(3600)
    later = await batch(shop, 5)

    newest, after = await shop.batches()

    assert (before.count, before.used, before.left, before.expired, before.disabled) == (
        4, 1, 2, 0, 1,
    )  # fmt: skip
    assert (after.used, after.left, after.expired, after.disabled) == (1, 0, 2, 1)
    assert (after.note, newest.id, newest.left) == ("spring", later.batch.id, 5)


async def test_codes_are_long_and_different(desk: Desk, shop: Vouchers) -> None:
    made = await batch(shop, 6_000)

    assert len(set(made.codes)) == 6_000
    assert all(len(code) == 14 and code.isdigit() and code[0] != "0" for code in made.codes)


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": 0},
        {"amount": -1},
        {"amount": 1_000_000_000_001},
        {"currency": "dollars"},
        {"count": 0},
        {"count": 100_001},
        {"expires_us": 1},
        {"note": "bell \a"},
    ],
)
async def test_what_no_batch_can_be_is_refused(desk: Desk, shop: Vouchers, wrong: dict) -> None:
    with pytest.raises(InvalidInput):
        await batch(shop, **wrong)

    assert await shop.batches() == []


async def test_a_redeemed_voucher_counts_as_paid_in(desk: Desk, shop: Vouchers) -> None:
    await shop.redeem("alice", (await batch(shop)).codes[0])
    today = desk.clock.now().date()

    async with desk.engine.connect() as connection:
        found = await totals(connection, Span(first=today, last=today))

    assert found.topped_up == 11_000_000
