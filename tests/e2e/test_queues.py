"""Waiting for an agent in Asterisk's own queues, with real phones: free, and metered right."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from billing.money import parse_amount
from tests.e2e import sipp
from tests.e2e.harness import ALICE, BOB, POOR, QUEUE_DID, Line
from tests.e2e.test_outcomes import hung_up_on

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(90)]


async def test_a_queue_finds_the_agent_and_only_the_talk_is_charged(
    line: Line, tmp_path: Path, silence: Path
) -> None:
    async with (
        sipp.agent(tmp_path, port=line.agent_port, talk_seconds=3.0, sound=silence),
        line.phone(ALICE) as phone,
    ):
        await phone.call(QUEUE_DID)
        await line.log("asked", asking="topic")
        await phone.press("1")
        await line.state("talking")
        await hung_up_on(phone)

    record = await line.ended(await line.only_call())
    assert record.end_reason == "agent_hung_up"
    assert record.talk_us / 1e6 == pytest.approx(3.0, abs=0.3)
    assert record.talk_us / 1e6 == pytest.approx(line.cel(record), abs=0.05)
    assert record.cost == record.billed_seconds * parse_amount("0.01")
    await line.prove()


async def test_a_queued_talk_is_cut_when_the_money_ends(
    line: Line, tmp_path: Path, silence: Path
) -> None:
    async with (
        sipp.agent(tmp_path, port=line.agent_port, sound=silence),
        line.phone(POOR) as phone,
    ):
        await phone.call(QUEUE_DID)
        await line.log("asked", asking="topic")
        await phone.press("1")
        await hung_up_on(phone)

    record = await line.ended(await line.only_call())
    assert record.end_reason == "balance_spent"
    assert line.cel(record) == pytest.approx(8.0, abs=0.3)
    await line.prove()


async def test_a_second_caller_waits_until_the_agent_is_free_and_pays_nothing_for_it(
    line: Line, tmp_path: Path, silence: Path
) -> None:
    async with (
        sipp.agent(tmp_path, port=line.agent_port, talk_seconds=4.0, calls=2, sound=silence),
        line.phone(ALICE) as first,
        line.phone(BOB) as second,
    ):
        await first.call(QUEUE_DID)
        since = await line.after("asked", since=0, asking="topic")
        await first.press("1")
        await line.log("talk started")
        await second.call(QUEUE_DID)
        await line.after("asked", since=since, asking="topic")
        await second.press("1")
        await hung_up_on(first)
        await hung_up_on(second)

    calls = [fact["call_id"] for fact in line.seen if fact.get("event") == "call began"]
    one, two = [await line.ended(call_id) for call_id in calls]
    assert one.ended_us <= two.answered_us
    assert [record.talk_us / 1e6 for record in (one, two)] == pytest.approx([4.0, 4.0], abs=0.4)
    await line.prove()


async def test_who_waited_too_long_is_taken_by_the_overflow(line: Line) -> None:
    async with line.phone(ALICE) as phone:
        await phone.call(QUEUE_DID)
        await line.log("asked", asking="topic")
        await phone.press("2")
        await line.state("talking")
        await asyncio.sleep(1)
        await phone.hang_up()

    record = await line.ended(await line.only_call())
    assert record.talk_us / 1e6 == pytest.approx(line.cel(record), abs=0.05)
    await line.prove()


async def test_who_hangs_up_while_waiting_pays_nothing(line: Line) -> None:
    async with line.phone(ALICE) as phone:
        await phone.call(QUEUE_DID)
        await line.log("asked", asking="topic")
        await phone.press("2")
        await line.state("waiting")
        await asyncio.sleep(1)
        await phone.hang_up()

    record = await line.ended(await line.only_call())
    assert (record.end_reason, record.cost) == ("caller_hung_up", 0)
    assert await line.balance("alice") == parse_amount("20")
    await line.prove()


async def test_an_agent_who_pauses_gets_no_calls(line: Line, tmp_path: Path, silence: Path) -> None:
    await line.run("agent", "set", "acme", "anna", "paused")
    await line.log("queues written", away=1)
    async with (
        sipp.agent(tmp_path, port=line.agent_port, talk_seconds=1.0, sound=silence),
        line.phone(ALICE) as phone,
    ):
        await phone.call(QUEUE_DID)
        await line.log("asked", asking="topic")
        await phone.press("1")
        await line.state("waiting")
        await asyncio.sleep(2)
        talked_before = any(fact.get("event") == "talk started" for fact in line.seen)
        await line.run("agent", "set", "acme", "anna", "available")
        await line.state("talking")
        await hung_up_on(phone)

    assert not talked_before
    await line.prove()
