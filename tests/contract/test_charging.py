from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.domain.operations import OpenHold, SessionResult, Settle
from billing.domain.rating import RateTable
from billing.domain.splits import Part
from billing.errors import (
    AccountBlocked,
    GrantExceeded,
    HoldAlreadyResolved,
    IdempotencyConflict,
    InsufficientFunds,
    InvalidInput,
    UnknownAccount,
    UnknownHold,
)
from billing.money import parse_amount
from tests.books import Desk, flat, open_desk

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "rating.json").read_text())


@pytest.fixture
async def desk(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(engine, tmp_path) as desk:
        yield desk


async def test_a_session_is_held_extended_settled_and_split_to_the_micro_unit(desk: Desk) -> None:
    await desk.caller("alice", "20")
    terms = await desk.terms("s1", "alice")

    first = await desk.charging.open(terms, slice_seconds=15, expires_seconds=60)
    second = await desk.charging.extend(terms, step=2, to_seconds=30, proven_us=8_000_000)
    settlement = await desk.settle(terms, 25.2, second.seconds)

    assert (first.seconds, first.amount) == (15, parse_amount("5.125"))
    assert (second.seconds, second.amount) == (30, parse_amount("5.25"))
    assert settlement.billed_seconds == 26
    assert settlement.cost == parse_amount("5.216667")
    assert sum(part.amount for part in settlement.parts) == settlement.cost
    assert settlement.balance_after == parse_amount("20") - settlement.cost
    assert await desk.spendable("alice") == settlement.balance_after
    assert await desk.proved()


async def test_a_voided_session_costs_nothing(desk: Desk) -> None:
    await desk.caller("alice", "20")
    terms = await desk.terms("s1", "alice")
    await desk.charging.open(terms, slice_seconds=15, expires_seconds=60)

    await desk.charging.void(terms, note="no talk")
    await desk.charging.void(terms, note="no talk")

    assert await desk.spendable("alice") == parse_amount("20")
    assert await desk.charging.open_sessions() == ()
    assert await desk.proved()


async def test_settling_twice_charges_once_and_another_amount_is_refused(desk: Desk) -> None:
    await desk.caller("alice", "20")
    terms = await desk.terms("s1", "alice")
    grant = await desk.charging.open(terms, slice_seconds=15, expires_seconds=60)

    once = await desk.settle(terms, 10, grant.seconds)
    again = await desk.settle(terms, 10, grant.seconds)

    assert (again.balance_before, again.balance_after) == (once.balance_before, once.balance_after)
    with pytest.raises(HoldAlreadyResolved):
        await desk.settle(terms, 11, grant.seconds)
    with pytest.raises(HoldAlreadyResolved):
        await desk.charging.void(terms, note="too late")
    assert await desk.proved()


async def test_talk_beyond_the_grant_is_charged_as_granted(desk: Desk) -> None:
    await desk.caller("alice", "20")
    terms = await desk.terms("s1", "alice", flat("0.60"))
    grant = await desk.charging.open(terms, slice_seconds=15, expires_seconds=60)

    settlement = await desk.settle(terms, 15.2, grant.seconds)

    assert settlement.cost == parse_amount("0.15")
    assert await desk.proved()


async def test_a_settlement_above_its_grant_is_refused(desk: Desk) -> None:
    await desk.caller("alice", "20")
    terms = await desk.terms("s1", "alice", flat("0.60"))
    await desk.charging.open(terms, slice_seconds=15, expires_seconds=60)

    with pytest.raises(GrantExceeded):
        await desk.writer.submit(
            Settle(
                hold_id="s1",
                account=terms.payer,
                transfer_id="t",
                amount=parse_amount("0.16"),
                parts=(Part(kind="client", account="acme", amount=parse_amount("0.16")),),
                at_us=1,
                result=SessionResult(
                    started_us=0, ended_us=1, talk_us=1, billed_seconds=16, evidence="ami"
                ),
            )
        )
    assert await desk.proved()


async def test_too_little_money_for_setup_and_first_block_opens_nothing(desk: Desk) -> None:
    await desk.caller("alice", "5.00")
    terms = await desk.terms("s1", "alice")

    with pytest.raises(InsufficientFunds):
        await desk.charging.open(terms, slice_seconds=15, expires_seconds=60)

    assert await desk.charging.open_sessions() == ()
    assert await desk.proved()


async def test_the_last_slice_is_as_long_as_the_money(desk: Desk) -> None:
    await desk.caller("alice", "0.20")
    terms = await desk.terms("s1", "alice", flat("0.60"))
    await desk.charging.open(terms, slice_seconds=15, expires_seconds=60)

    last = await desk.charging.extend(terms, step=2, to_seconds=30, proven_us=0)

    assert (last.seconds, last.final) == (20, True)
    with pytest.raises(InsufficientFunds):
        await desk.charging.extend(terms, step=3, to_seconds=45, proven_us=0)


async def test_a_top_up_while_talking_makes_the_next_slice_possible(desk: Desk) -> None:
    await desk.caller("alice", "0.15")
    terms = await desk.terms("s1", "alice", flat("0.60"))
    await desk.charging.open(terms, slice_seconds=15, expires_seconds=60)
    with pytest.raises(InsufficientFunds):
        await desk.charging.extend(terms, step=2, to_seconds=30, proven_us=0)

    await desk.wallet.top_up("alice", parse_amount("1"), key="more", actor="test")
    grant = await desk.charging.extend(terms, step=2, to_seconds=30, proven_us=0)

    assert grant.seconds == 30


async def test_repeating_an_extension_returns_the_same_grant(desk: Desk) -> None:
    await desk.caller("alice", "20")
    terms = await desk.terms("s1", "alice")
    await desk.charging.open(terms, slice_seconds=15, expires_seconds=60)

    once = await desk.charging.extend(terms, step=2, to_seconds=30, proven_us=0)
    again = await desk.charging.extend(terms, step=2, to_seconds=30, proven_us=0)

    assert (again.step, again.seconds, again.amount) == (once.step, once.seconds, once.amount)
    with pytest.raises(IdempotencyConflict):
        await desk.charging.extend(terms, step=5, to_seconds=60, proven_us=0)


async def test_a_blocked_account_opens_and_extends_nothing(desk: Desk) -> None:
    await desk.caller("alice", "20")
    terms = await desk.terms("s1", "alice")
    await desk.charging.open(terms, slice_seconds=15, expires_seconds=60)

    await desk.wallet.set_status("alice", "blocked")

    with pytest.raises(AccountBlocked):
        await desk.charging.extend(terms, step=2, to_seconds=30, proven_us=0)
    with pytest.raises(AccountBlocked):
        await desk.charging.open(
            await desk.terms("s2", "alice"), slice_seconds=15, expires_seconds=60
        )


async def test_fifty_sessions_on_one_balance_never_spend_it_twice(desk: Desk) -> None:
    await desk.caller("alice", "1.00")
    tariff = flat("0.60")
    terms = [await desk.terms(f"s{number:02}", "alice", tariff) for number in range(50)]

    grants = await asyncio.gather(
        *(desk.charging.open(item, slice_seconds=15, expires_seconds=60) for item in terms),
        return_exceptions=True,
    )
    held = [grant for grant in grants if not isinstance(grant, BaseException)]

    assert sum(grant.amount for grant in held) <= parse_amount("1.00")
    assert all(
        isinstance(grant, InsufficientFunds) for grant in grants if isinstance(grant, BaseException)
    )
    assert await desk.spendable("alice") >= 0
    assert await desk.proved()


async def test_a_top_up_is_added_once_per_key(desk: Desk) -> None:
    await desk.caller("alice")

    done = await asyncio.gather(
        *(desk.wallet.top_up("alice", parse_amount("5"), key="k1", actor="test") for _ in range(20))
    )

    assert sorted(item.replayed for item in done) == [False] + [True] * 19
    assert await desk.spendable("alice") == parse_amount("5")
    with pytest.raises(IdempotencyConflict):
        await desk.wallet.top_up("alice", parse_amount("6"), key="k1", actor="test")
    assert await desk.proved()


async def test_an_adjustment_cannot_take_what_is_held(desk: Desk) -> None:
    await desk.caller("alice", "6")
    terms = await desk.terms("s1", "alice")
    await desk.charging.open(terms, slice_seconds=15, expires_seconds=60)

    with pytest.raises(InsufficientFunds):
        await desk.wallet.adjust("alice", -parse_amount("1"), key="a", actor="test", memo="why")
    with pytest.raises(InvalidInput):
        await desk.wallet.adjust("alice", 1, key="b", actor="test", memo=" ")
    assert await desk.proved()


async def test_a_credit_limit_is_spent_like_money(desk: Desk) -> None:
    await desk.caller("bob", credit_limit="0.15")
    terms = await desk.terms("s1", "bob", flat("0.60"))

    grant = await desk.charging.open(terms, slice_seconds=60, expires_seconds=60)
    await desk.settle(terms, 15, grant.seconds)

    assert (grant.seconds, grant.final) == (15, True)
    assert (await desk.charging.balance("bob")).posted == -parse_amount("0.15")
    assert await desk.proved()


async def test_one_refused_operation_does_not_fail_its_neighbours(desk: Desk) -> None:
    await desk.caller("alice", "20")
    good, bad = await desk.terms("s1", "alice"), await desk.terms("s2", "nobody")

    outcomes = await asyncio.gather(
        desk.charging.open(good, slice_seconds=15, expires_seconds=60),
        desk.charging.open(bad, slice_seconds=15, expires_seconds=60),
        desk.charging.extend(await desk.terms("s9", "alice"), step=2, to_seconds=30, proven_us=0),
        return_exceptions=True,
    )

    assert not isinstance(outcomes[0], BaseException)
    assert isinstance(outcomes[1], UnknownAccount)
    assert isinstance(outcomes[2], UnknownHold)
    assert await desk.proved()


async def test_open_sessions_are_rebuilt_as_they_were_authorised(desk: Desk) -> None:
    await desk.caller("alice", "20")
    terms = await desk.terms("s1", "alice")
    await desk.charging.open(terms, slice_seconds=15, expires_seconds=60)
    await desk.charging.extend(terms, step=2, to_seconds=30, proven_us=8_000_000)

    (found,) = await desk.charging.open_sessions()

    assert (found.terms.account, found.terms.shares) == ("alice", terms.shares)
    assert (found.step, found.granted_seconds, found.proven_us) == (2, 30, 8_000_000)
    assert found.terms.table.cost(1530) == parse_amount("16.375")


async def test_reservations_of_concurrent_calls_agree_with_another_system(desk: Desk) -> None:
    vector = VECTORS["reservation"][0]
    minutes = 60
    tariff = flat(str(vector["rate_per_min"]))
    table = RateTable.compile(tariff)
    await desk.caller("mor", str(vector["balance"]))
    version = await desk.version(tariff)
    assert version

    async def start(name: str):
        terms = await desk.terms(name, "mor", tariff)
        return terms, await desk.writer.submit(
            OpenHold(
                hold_id=name,
                account=terms.payer,
                table=table,
                seconds=vector["frozen_time_min"] * minutes,
                at_us=1,
                expires_us=2,
                fair=False,
                session=None,
            )
        )

    one, first = await start("one")
    two, second = await start("two")
    with pytest.raises(InsufficientFunds):
        await start("three")
    await desk.settle(one, 12 * minutes, first.seconds)
    balance = await desk.charging.balance("mor")

    assert (first.seconds, first.amount) == (30 * minutes, parse_amount("6"))
    assert (second.seconds, second.amount) == (10 * minutes, parse_amount("2"))
    assert (balance.posted, balance.held) == (parse_amount("5.6"), parse_amount("2"))
    affordable = table.affordable_seconds(balance.spendable, seconds_max=30 * minutes)
    assert affordable == 18 * minutes
    await desk.settle(two, 9 * minutes, second.seconds)
    balance = await desk.charging.balance("mor")
    assert (balance.posted, balance.held) == (parse_amount("3.8"), 0)
