"""Lockouts of PINs on both databases: they hold across calls, and nobody hears of them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.clock import ManualClock
from billing.errors import TooManyVouchers, UnknownVoucher
from ivr.directory.gate import PinGate
from ivr.directory.pins import hash_pin

KEY = b"key of this installation"
MINUTE = 60
HASHES = {name: hash_pin("4711", key=KEY) for name in ("alice", "bob")}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 3, 4, 12, tzinfo=UTC))


@pytest.fixture
def gate(engine: AsyncEngine, clock: ManualClock) -> PinGate:
    return PinGate(engine, clock, key=KEY, hash_of=HASHES.get)


async def fail(gate: PinGate, times: int, *, account: str = "alice", caller: str = "") -> None:
    for number in range(times):
        # Each from a phone of its own, unless one is named.
        phone = caller or f"1555{number:07d}"
        assert not await gate.check(account, "0000", caller=phone)


async def test_five_wrong_pins_lock_an_account_for_everybody(
    engine: AsyncEngine, gate: PinGate, clock: ManualClock
) -> None:
    await fail(gate, 5)
    later = PinGate(engine, clock, key=KEY, hash_of=HASHES.get)  # another process

    locked = await later.check("alice", "4711", caller="15551230001")
    clock.advance(15 * MINUTE + 1)
    opened = await later.check("alice", "4711", caller="15551230001")

    assert (locked, opened) == (False, True)
    assert await gate.check("bob", "4711", caller="15551230002")


async def test_each_further_failure_doubles_the_pause(gate: PinGate, clock: ManualClock) -> None:
    await fail(gate, 5)
    clock.advance(15 * MINUTE + 1)
    await fail(gate, 1)

    clock.advance(15 * MINUTE + 1)
    still_locked = not await gate.check("alice", "4711", caller="15551230001")
    clock.advance(15 * MINUTE)
    opened = await gate.check("alice", "4711", caller="15551230001")

    assert (still_locked, opened) == (True, True)


async def test_a_right_pin_forgets_the_wrong_ones_before_it(gate: PinGate) -> None:
    for _ in range(3):
        await fail(gate, 4, caller="15551230001")
        assert await gate.check("alice", "4711", caller="15551230001")


async def test_failures_of_yesterday_do_not_count(gate: PinGate, clock: ManualClock) -> None:
    await fail(gate, 4)
    clock.advance(24 * 60 * MINUTE)
    await fail(gate, 4)

    assert await gate.check("alice", "4711", caller="15551230001")


async def test_a_phone_that_tries_many_accounts_is_locked(gate: PinGate) -> None:
    for number in range(10):
        assert not await gate.check(f"a{number}", "0000", caller="15551230001")

    assert not await gate.check("bob", "4711", caller="15551230001")
    assert await gate.check("bob", "4711", caller="15551230002")


async def test_unknown_accounts_count_for_the_phone_that_tries_them(gate: PinGate) -> None:
    for _ in range(10):
        assert not await gate.check(None, "4711", caller="15551230001")

    assert not await gate.check("bob", "4711", caller="15551230001")


async def test_callers_who_hide_their_number_share_a_larger_limit(gate: PinGate) -> None:
    for number in range(29):
        assert not await gate.check(f"a{number}", "0000", caller="")
    before = await gate.check("bob", "4711", caller="")
    for number in range(30):
        assert not await gate.check(f"b{number}", "0000", caller="")

    assert before
    assert not await gate.check("bob", "4711", caller="")


async def test_many_at_once_get_no_more_tries_than_one_after_the_other(gate: PinGate) -> None:
    guesses = [f"{number:04d}" for number in range(19)] + ["4711"]

    found = await asyncio.gather(
        *(gate.check("alice", pin, caller=f"1555{pin}000") for pin in guesses)
    )

    # The right one may be among the first five; then it opens the door, and only then.
    assert sum(found) <= 1
    assert not await gate.check("alice", "0000", caller="15551239999")


async def test_the_whole_line_pauses_when_it_is_under_attack(
    gate: PinGate, clock: ManualClock
) -> None:
    for number in range(300):
        await gate._count([("line", "pin"), ("caller", f"1555{number}")])

    locked = await gate.check("bob", "4711", caller="15551230001")
    clock.advance(MINUTE + 1)

    assert not locked
    assert await gate.check("bob", "4711", caller="15551230001")


async def test_ten_wrong_vouchers_lock_an_accounts_vouchers_by_phone(
    gate: PinGate, clock: ManualClock
) -> None:
    async def wrong() -> None:
        raise UnknownVoucher

    async def right() -> str:
        return "money"

    for _ in range(10):
        with pytest.raises(UnknownVoucher):
            await gate.redeem("alice", wrong)

    with pytest.raises(TooManyVouchers):
        await gate.redeem("alice", right)
    await gate.redeem("bob", right)
    clock.advance(15 * MINUTE + 1)
    await gate.redeem("alice", right)


async def test_an_attack_on_the_web_leaves_the_phones_alone(gate: PinGate) -> None:
    for number in range(300):
        await gate._count([("web", "pin"), ("caller", f"web:{number}")])

    assert not await gate.check("bob", "4711", caller="web:10.0.0.1", place="web")
    assert await gate.check("bob", "4711", caller="15551230001")


async def test_wrong_pins_of_phone_and_web_count_together(gate: PinGate) -> None:
    await fail(gate, 3)
    for number in range(2):
        assert not await gate.check("alice", "0000", caller=f"web:10.0.0.{number}", place="web")

    assert not await gate.check("alice", "4711", caller="15551230001")
    assert not await gate.check("alice", "4711", caller="web:10.0.0.9", place="web")
