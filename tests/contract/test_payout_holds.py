"""Held payouts and files for the bank on both databases: nothing slips through, in any order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import insert, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.domain.payouts import BankAccount, PayoutStatus, PayoutTerms
from billing.errors import BillingError, InvalidInput, PayoutsHeld
from billing.money import parse_amount
from billing.payout_batches import PayoutBatches
from billing.payout_holds import PayoutHolds
from billing.payouts import Payouts
from billing.storage.payout_tables import payouts as payouts_table
from tests.books import Desk, open_desk
from tests.contract.test_payouts import ACME, BANK, earn

OURS = BankAccount(name="Provider", iban="DE89370400440532013000")


@pytest.fixture
async def desk(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(engine, tmp_path) as desk:
        await desk.caller("alice", "100")
        await earn(desk, "s1", 1_000)
        await Payouts(engine=desk.engine, clock=desk.clock).set_terms(
            "client", "acme", PayoutTerms(hold_back_days=0, bank=BANK)
        )
        desk.clock.advance(1)
        yield desk


@pytest.fixture
def payouts(desk: Desk) -> Payouts:
    return Payouts(engine=desk.engine, clock=desk.clock)


@pytest.fixture
def holds(desk: Desk) -> PayoutHolds:
    return PayoutHolds(engine=desk.engine, clock=desk.clock)


@pytest.fixture
def files(desk: Desk) -> PayoutBatches:
    return PayoutBatches(engine=desk.engine, clock=desk.clock)


async def test_who_is_held_requests_nothing_and_gets_nothing_approved(
    payouts: Payouts, holds: PayoutHolds, files: PayoutBatches
) -> None:
    first = await payouts.request(ACME, key="a", actor="acme", amount=parse_amount("1"))
    second = await payouts.request(ACME, key="b", actor="acme", amount=parse_amount("2"))
    await payouts.approve(second.id, actor="olga")
    await holds.hold("client", "acme", reason=" pumped  traffic ", actor="olga")

    with pytest.raises(PayoutsHeld):
        await payouts.request(ACME, key="c", actor="acme")
    with pytest.raises(PayoutsHeld):
        await payouts.approve(first.id, actor="olga")
    with pytest.raises(InvalidInput):
        await files.make("USD", debtor=OURS, actor="olga")
    rejected = await payouts.reject(first.id, actor="olga", note="pumped")
    paid = await payouts.pay(second.id, actor="olga")
    held = await holds.of("client", "acme")

    assert held
    assert held.reason == "pumped traffic"
    assert (rejected.status, paid.status) == (PayoutStatus.REJECTED, PayoutStatus.PAID)
    assert await files.waiting() == {}


async def test_what_is_released_goes_on(payouts: Payouts, holds: PayoutHolds) -> None:
    await holds.hold("client", "acme", reason="check", actor="olga")
    again = await holds.hold("client", "acme", reason="other", actor="otto")
    released = await holds.release("client", "acme")
    twice = await holds.release("client", "acme")
    payout = await payouts.request(ACME, key="a", actor="acme")

    assert again.reason == "check"
    assert (released, twice) == (True, False)
    assert (await payouts.approve(payout.id, actor="olga")).status is PayoutStatus.APPROVED


async def test_the_database_refuses_a_held_payout_by_itself(
    desk: Desk, payouts: Payouts, holds: PayoutHolds
) -> None:
    waiting = await payouts.request(ACME, key="a", actor="acme", amount=parse_amount("1"))
    await holds.hold("client", "acme", reason="check", actor="olga")
    row = {
        "id": "x", "key": "x", "kind": "client", "code": "acme", "currency": "USD",
        "amount": 10_000, "status": "requested", "name": "", "iban": "", "bic": "",
        "requested_us": 1, "requested_by": "x",
    }  # fmt: skip
    approved = (
        update(payouts_table).where(payouts_table.c.id == waiting.id).values(status="approved")
    )

    for statement in (insert(payouts_table).values(row), approved):
        with pytest.raises(DBAPIError, match="held"):
            async with desk.engine.begin() as connection:
                await connection.execute(statement)


async def test_a_hold_comes_before_or_after_every_request_and_approval(
    desk: Desk, payouts: Payouts, holds: PayoutHolds, files: PayoutBatches
) -> None:
    one = await payouts.request(ACME, key="a", actor="acme", amount=parse_amount("1"))
    two = await payouts.request(ACME, key="b", actor="acme", amount=parse_amount("1"))
    await payouts.approve(two.id, actor="olga")

    answers = await asyncio.gather(
        payouts.approve(one.id, actor="olga"),
        *(payouts.request(ACME, key=f"k{n}", actor="acme", amount=10_000) for n in range(4)),
        holds.hold("client", "acme", reason="check", actor="olga"),
        files.make("USD", debtor=OURS, actor="olga"),
        payouts.request(ACME, key="late", actor="acme", amount=10_000),
        return_exceptions=True,
    )
    after = await payouts.list_payouts(party=ACME)

    broken = [answer for answer in answers if isinstance(answer, Exception)]
    assert all(isinstance(error, BillingError) for error in broken), broken
    with pytest.raises(PayoutsHeld):
        await payouts.request(ACME, key="never", actor="acme", amount=10_000)
    assert len(await payouts.list_payouts(party=ACME)) == len(after)
    assert await desk.proved()


async def test_a_payout_is_in_one_file_and_the_file_can_be_had_again(
    payouts: Payouts, files: PayoutBatches
) -> None:
    ids = []
    for key in "abc":
        payout = await payouts.request(ACME, key=key, actor="acme", amount=parse_amount("1"))
        ids.append((await payouts.approve(payout.id, actor="olga")).id)

    made = await asyncio.gather(
        *(files.make("USD", debtor=OURS, actor="olga") for _ in range(3)), return_exceptions=True
    )
    (file,) = [one for one in made if not isinstance(one, BaseException)]
    before = await files.write(file.id, "pain.001")
    await payouts.pay(ids[0], actor="olga")
    listed = await files.files()

    assert (file.count, file.total) == (3, parse_amount("3"))
    assert [one.id for one in listed] == [file.id]
    assert await files.write(file.id, "pain.001") == before
    assert all(one.replace("-", "").encode() in before for one in ids)
    assert (await files.write(file.id, "csv")).count(b"client:acme") == 3
