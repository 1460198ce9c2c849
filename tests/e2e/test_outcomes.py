"""How a call can end, each with a real phone: who pays what, and what is left behind."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

import pytest

from billing.money import parse_amount
from tests.e2e import sipp
from tests.e2e.harness import ALICE, BOB, DID, EUROPEAN, PLANNED, POOR, SECURE_DID, STRANGER, Line

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(90)]

ENDS_SECONDS = 25


async def hung_up_on(phone: object) -> None:
    async with asyncio.timeout(ENDS_SECONDS):
        await phone.ended.wait()  # type: ignore[attr-defined]


async def test_the_agent_hangs_up_first_and_the_caller_hears_what_it_cost(
    line: Line, tmp_path: Path, silence: Path
) -> None:
    async with (
        sipp.agent(tmp_path, port=line.agent_port, talk_seconds=2.0, sound=silence),
        line.phone(ALICE) as phone,
    ):
        await phone.call(DID)
        await line.state("choosing")
        await phone.press("1")
        await line.log("call settled")
        heard = phone.audio.packets_heard
        await hung_up_on(phone)

    record = await line.ended(await line.only_call())
    assert record.end_reason == "agent_hung_up"
    assert record.talk_us / 1e6 == pytest.approx(2.0, abs=0.2)
    assert record.talk_us / 1e6 == pytest.approx(line.cel(record), abs=0.05)
    assert phone.audio.packets_heard > heard + 10
    assert await line.balance("alice") == parse_amount("20") - record.cost
    await line.prove()


async def test_the_call_is_cut_to_the_second_when_the_money_ends(
    line: Line, tmp_path: Path, silence: Path
) -> None:
    async with (
        sipp.agent(tmp_path, port=line.agent_port, sound=silence),
        line.phone(POOR) as phone,
    ):
        await phone.call(DID)
        await line.state("choosing")
        await phone.press("1")
        await hung_up_on(phone)

    record = await line.ended(await line.only_call())
    assert record.end_reason == "balance_spent"
    assert line.cel(record) == pytest.approx(8.0, abs=0.3)
    assert record.cost == parse_amount("0.08")
    assert await line.balance("poor") == 0
    await line.prove()


async def test_two_calls_on_one_account_never_spend_more_than_it_has(
    line: Line, tmp_path: Path, silence: Path
) -> None:
    # One slice and a half: the first holds nine seconds, the second what is left.
    await line.top_up("poor", "0.06")
    async with (
        sipp.agent(tmp_path, port=line.agent_port, calls=2, sound=silence),
        line.phone(POOR) as one,
        line.phone(POOR) as two,
    ):
        for phone in (one, two):
            since = len(line.seen)
            await phone.call(DID)
            await line.log("call moved", since=since, after="choosing")
            await phone.press("1")
        await hung_up_on(one)
        await hung_up_on(two)

    calls = [fact["call_id"] for fact in line.seen if fact.get("event") == "call began"]
    records = [await line.ended(call_id) for call_id in calls]
    assert sum(record.cost for record in records) <= parse_amount("0.14")
    assert await line.balance("poor") == parse_amount("0.14") - sum(r.cost for r in records)
    assert len(records) == 2
    assert all(line.cel(record) <= record.billed_seconds + 0.3 for record in records)
    await line.prove()


async def test_a_top_up_in_mid_call_makes_it_go_on(
    line: Line, tmp_path: Path, silence: Path
) -> None:
    async with (
        sipp.agent(tmp_path, port=line.agent_port, sound=silence),
        line.phone(POOR) as phone,
    ):
        await phone.call(DID)
        await line.state("choosing")
        await phone.press("1")
        await line.state("talking")
        await line.top_up("poor", "1.00")
        talked_on = asyncio.create_task(phone.ended.wait(), name="ended")
        done, _ = await asyncio.wait([talked_on], timeout=10.5)
        assert not done, "the call was cut although there was money"
        await phone.hang_up()
        await talked_on

    record = await line.ended(await line.only_call())
    assert record.talk_us > 10_000_000
    assert record.talk_us / 1e6 == pytest.approx(line.cel(record), abs=0.05)
    await line.prove()


@pytest.mark.parametrize("status", ["486 Busy Here", "503 Service Unavailable", "603 Decline"])
async def test_a_rejecting_agent_costs_nothing(line: Line, tmp_path: Path, status: str) -> None:
    async with (
        sipp.rejecting_agent(tmp_path, port=line.agent_port, status=status),
        line.phone(ALICE) as phone,
    ):
        await phone.call(DID)
        await line.state("choosing")
        await phone.press("1")
        await hung_up_on(phone)

    record = await line.ended(await line.only_call())
    assert (record.end_reason, record.cost) == ("no_agent", 0)
    assert await line.balance("alice") == parse_amount("20")
    await line.prove()


async def test_an_agent_that_never_answers_costs_nothing(
    line: Line, tmp_path: Path, silence: Path
) -> None:
    async with (
        sipp.agent(tmp_path, port=line.agent_port, ring_seconds=30, sound=silence),
        line.phone(ALICE) as phone,
    ):
        await phone.call(DID)
        await line.state("choosing")
        await phone.press("1")
        await hung_up_on(phone)

    record = await line.ended(await line.only_call())
    assert (record.end_reason, record.cost) == ("no_agent", 0)
    await line.prove()


@pytest.mark.parametrize("step", ["ringing", "choosing", "quoted", "waiting"])
async def test_a_caller_who_hangs_up_before_the_talk_pays_nothing(
    line: Line, tmp_path: Path, silence: Path, step: str
) -> None:
    async with (
        sipp.agent(tmp_path, port=line.agent_port, ring_seconds=30, sound=silence),
        line.phone(ALICE) as phone,
    ):
        await phone.call(DID)
        if step != "ringing":
            await line.state("choosing")
        if step in {"quoted", "waiting"}:
            await phone.press("1")
            await line.state(step)
        await phone.hang_up()
        record = await line.ended(await line.only_call())

    assert (record.end_reason, record.cost) == ("caller_hung_up", 0)
    assert await line.balance("alice") == parse_amount("20")
    await line.prove()


async def test_three_wrong_pins_end_the_call(line: Line) -> None:
    async with line.phone(STRANGER) as phone:
        await phone.call(SECURE_DID)
        since = 0
        for _ in range(3):
            since = await line.after("asked", since=since, asking="account")
            await phone.press("100001#")
            since = await line.after("asked", since=since, asking="pin")
            await phone.press("999999#")
        await hung_up_on(phone)

    record = await line.ended(await line.only_call())
    assert (record.end_reason, record.account, record.cost) == ("login_failed", None, 0)
    await line.prove()


async def test_five_wrong_pins_lock_the_account_across_calls(line: Line) -> None:
    for pins in (["000000"] * 3, ["000000", "000000", "471100"]):
        since = len(line.seen)
        async with line.phone(STRANGER) as phone:
            await phone.call(SECURE_DID)
            for pin in pins:
                since = await line.after("asked", since=since, asking="account")
                await phone.press("100001#")
                since = await line.after("asked", since=since, asking="pin")
                await phone.press(f"{pin}#")
            await hung_up_on(phone)

    calls = [fact["call_id"] for fact in line.seen if fact.get("event") == "call began"]
    assert [(await line.ended(call_id)).end_reason for call_id in calls] == ["login_failed"] * 2
    await line.log("pin refused while locked", scope="account")
    await line.prove()


async def test_account_number_and_pin_open_the_line_to_any_phone(line: Line) -> None:
    async with line.phone(STRANGER) as phone:
        await phone.call(SECURE_DID)
        await line.log("asked", asking="account")
        await phone.press("100001#")
        await line.log("asked", asking="pin")
        await phone.press("471100#")
        await line.state("choosing")
        await phone.press("0")
        await line.state("talking")
        await phone.hang_up()

    record = await line.ended(await line.only_call())
    assert record.account == "alice"
    assert record.talk_us > 0
    await line.prove()


async def test_a_known_phone_on_an_untrusted_line_still_needs_its_pin(line: Line) -> None:
    async with line.phone(BOB) as phone:
        await phone.call(SECURE_DID)
        await line.log("asked", asking="pin")
        await phone.press("471200#")
        await line.state("choosing")
        await phone.hang_up()

    assert (await line.ended(await line.only_call())).account == "bob"


async def test_too_small_a_balance_is_told_before_anything_rings(line: Line) -> None:
    async with line.phone(POOR) as phone:
        await phone.call(DID)
        await line.state("choosing")
        await phone.press("3")
        await hung_up_on(phone)

    record = await line.ended(await line.only_call())
    assert (record.end_reason, record.cost) == ("balance_too_small", 0)
    assert await line.balance("poor") == parse_amount("0.08")


@pytest.mark.parametrize(("digit", "reason"), [("2", "topic_unavailable"), ("4", "no_agent")])
async def test_a_topic_that_cannot_be_connected_is_free(
    line: Line, digit: str, reason: str
) -> None:
    async with line.phone(ALICE) as phone:
        await phone.call(DID)
        await line.state("choosing")
        await phone.press(digit)
        await hung_up_on(phone)

    record = await line.ended(await line.only_call())
    assert (record.end_reason, record.cost) == (reason, 0)
    await line.prove()


async def test_a_number_that_is_nobodys_line_is_refused_politely(line: Line) -> None:
    async with line.phone(ALICE) as phone:
        await phone.call("18005559999")
        await hung_up_on(phone)

    assert (await line.ended(await line.only_call())).end_reason == "line_closed"


async def test_a_plan_pays_the_first_seconds_and_the_balance_the_rest(
    line: Line, tmp_path: Path, silence: Path
) -> None:
    async with (
        sipp.agent(tmp_path, port=line.agent_port, talk_seconds=6.0, sound=silence),
        line.phone(PLANNED) as phone,
    ):
        await phone.call(DID)
        await line.state("choosing")
        await phone.press("1")
        await hung_up_on(phone)

    record = await line.ended(await line.only_call())
    assert record.end_reason == "agent_hung_up"
    assert line.cel(record) == pytest.approx(6.0, abs=0.3)
    # 3 s of the plan; 0.01 for each second that was begun after them.
    assert record.cost == (math.ceil(record.talk_us / 1e6) - 3) * parse_amount("0.01")
    assert await line.balance("planned") == parse_amount("3") - record.cost
    await line.prove()


async def test_an_account_in_another_currency_is_told_so_and_pays_nothing(
    line: Line, tmp_path: Path
) -> None:
    async with line.phone(EUROPEAN) as phone:
        await phone.call(DID)
        await hung_up_on(phone)

    record = await line.ended(await line.only_call())
    assert (record.end_reason, record.cost) == ("other_currency", 0)
    assert await line.balance("euro") == parse_amount("5")
    await line.prove()
