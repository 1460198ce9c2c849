"""What a line demands and says, with a real phone: a price to accept, notices, the longest talk."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from billing.money import parse_amount
from ivr.sandbox.agent import AgentPhone
from tests.e2e import sipp
from tests.e2e.harness import (
    ALICE,
    BOB,
    PREMIUM_DID,
    QUEUE_DID,
    SHORT_DID,
    STRANGER,
    TWO_TONGUES_DID,
    Line,
)
from tests.e2e.test_outcomes import hung_up_on

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(90)]


async def test_a_dearer_tier_is_whispered_and_the_longest_talk_ends_to_the_second(
    line: Line, tmp_path: Path, silence: Path
) -> None:
    async with (
        sipp.agent(tmp_path, port=line.agent_port, sound=silence),
        line.phone(ALICE) as phone,
    ):
        await phone.call(SHORT_DID)
        await line.log("asked", asking="topic")
        await phone.press("1")
        await line.log("asked", asking="price")
        await phone.press("1")
        notice = await line.log("notice said")
        await hung_up_on(phone)

    record = await line.ended(await line.only_call())
    assert notice["dearer"] is True
    assert record.end_reason == "time_limit"
    assert line.cel(record) == pytest.approx(8.0, abs=0.3)
    assert record.cost == parse_amount("0.08")
    await line.prove()


async def test_a_price_that_is_not_accepted_costs_nothing(line: Line) -> None:
    async with line.phone(ALICE) as phone:
        await phone.call(SHORT_DID)
        await line.log("asked", asking="topic")
        await phone.press("1")
        await line.log("asked", asking="price")
        await phone.press("9")
        await hung_up_on(phone)

    record = await line.ended(await line.only_call())
    assert (record.end_reason, record.cost) == ("price_declined", 0)
    await line.prove()


async def test_a_premium_line_takes_anybody_and_the_carrier_owes_the_payout(
    line: Line, tmp_path: Path, silence: Path
) -> None:
    async with (
        sipp.agent(tmp_path, port=line.agent_port, talk_seconds=2.0, sound=silence),
        line.phone(STRANGER) as phone,
    ):
        await phone.call(PREMIUM_DID)
        await line.log("asked", asking="topic")
        await phone.press("1")
        await hung_up_on(phone)

    record = await line.ended(await line.only_call())
    assert (record.account, record.end_reason) == ("telco", "agent_hung_up")
    assert record.cost == record.billed_seconds * parse_amount("0.01")
    assert await line.balance("telco") == -record.cost
    await line.prove()


@pytest.mark.parametrize("pressed", ["1", ""])
async def test_an_agent_on_a_mobile_phone_presses_1_first_and_a_voicemail_costs_nothing(
    line: Line, pressed: str
) -> None:
    async with AgentPhone(port=line.agent_port) as agent, line.phone(ALICE) as phone:
        await phone.call(QUEUE_DID)
        await line.log("asked", asking="topic")
        await phone.press("3")
        rung = await asyncio.wait_for(agent.calls.get(), 10)
        await rung.answered.wait()
        if pressed:
            await asyncio.sleep(1)
            await rung.audio.press(pressed)
            await line.state("talking")
            await asyncio.sleep(1)
            await phone.hang_up()
        else:
            await hung_up_on(phone)

    record = await line.ended(await line.only_call())
    assert record.end_reason == ("caller_hung_up" if pressed else "no_agent")
    assert (record.cost > 0) == bool(pressed)
    if pressed:
        assert record.talk_us / 1e6 == pytest.approx(line.cel(record), abs=0.05)
        assert record.talk_us < 2_500_000
    await line.prove()


@pytest.mark.parametrize(
    ("number", "pressed", "language"), [(ALICE, "2", "de"), (ALICE, "1", "en"), (BOB, "", "de")]
)
async def test_a_caller_is_spoken_to_in_its_own_language(
    line: Line, number: str, pressed: str, language: str
) -> None:
    async with line.phone(number) as phone:
        await phone.call(TWO_TONGUES_DID)
        if pressed:
            await line.log("asked", asking="language")
            await phone.press(pressed)
        chosen = await line.log("language chosen")
        await line.log("asked", asking="topic")
        await phone.press("0")
        await line.state("talking")
        await phone.hang_up()

    record = await line.ended(await line.only_call())
    assert chosen["language"] == language
    assert record.end_reason == "caller_hung_up"
    await line.prove()
