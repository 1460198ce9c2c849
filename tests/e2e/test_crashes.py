"""The service dies, freezes or is restarted at every point of a call, on a real Asterisk."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from billing.money import parse_amount
from tests.e2e import sipp
from tests.e2e.harness import ALICE, DID, SLICE_SECONDS, Line

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(120)]

CUT_SECONDS = 0.3


@pytest.mark.parametrize("step", ["choosing", "quoted", "waiting"])
async def test_killed_before_the_agent_rings_the_caller_hears_an_apology_and_pays_nothing(
    line: Line, step: str
) -> None:
    async with line.phone(ALICE) as phone:
        await phone.call(DID)
        await line.state("choosing")
        if step != "choosing":
            await phone.press("4")
            await line.state(step)
        await line.kill()
        heard = phone.audio.packets_heard
        async with asyncio.timeout(15):
            await phone.ended.wait()

    assert phone.audio.packets_heard > heard
    await line.start()
    if step == "waiting":
        await line.log("call recovered")
    assert await line.balance("alice") == parse_amount("20")
    await line.prove()


async def test_killed_while_the_agent_rings_the_talk_is_limited_and_settled_later(
    line: Line, tmp_path: Path, silence: Path
) -> None:
    async with (
        sipp.agent(tmp_path, port=line.agent_port, ring_seconds=1.5, sound=silence) as agent,
        line.phone(ALICE) as phone,
    ):
        await phone.call(DID)
        await line.state("choosing")
        await phone.press("1")
        await agent.saw("180 Ringing")
        call_id = await line.only_call()
        await line.kill()
        async with asyncio.timeout(SLICE_SECONDS + 15):
            await phone.ended.wait()

    await line.start()
    record = await line.ended(call_id)
    assert record.talk_us / 1e6 == pytest.approx(SLICE_SECONDS, abs=CUT_SECONDS)
    assert record.billed_seconds == SLICE_SECONDS
    assert record.cost == SLICE_SECONDS * 10_000
    assert await line.balance("alice") == parse_amount("20") - record.cost
    await line.prove()


async def test_killed_while_talking_a_call_that_ends_meanwhile_is_settled_from_the_record(
    line: Line, tmp_path: Path, silence: Path
) -> None:
    async with (
        sipp.agent(tmp_path, port=line.agent_port, sound=silence),
        line.phone(ALICE) as phone,
    ):
        await phone.call(DID)
        await line.state("choosing")
        await phone.press("1")
        await line.state("talking")
        call_id = await line.only_call()
        await line.kill()
        done, _ = await asyncio.wait(
            [asyncio.create_task(phone.ended.wait(), name="ended")], timeout=2
        )
        assert not done
        await phone.hang_up()

    await line.start()
    record = await line.ended(call_id)
    assert record.talk_us / 1e6 == pytest.approx(line.cel(record), abs=0.001)
    assert 1.5 < record.talk_us / 1e6 < SLICE_SECONDS
    assert record.cost == record.billed_seconds * 10_000
    assert await line.balance("alice") == parse_amount("20") - record.cost
    await line.prove()


async def test_killed_for_good_asterisk_cuts_at_the_held_limit(
    line: Line, tmp_path: Path, silence: Path
) -> None:
    async with (
        sipp.agent(tmp_path, port=line.agent_port, sound=silence),
        line.phone(ALICE) as phone,
    ):
        await phone.call(DID)
        await line.state("choosing")
        await phone.press("1")
        await line.state("talking")
        call_id = await line.only_call()
        await line.kill()
        async with asyncio.timeout(SLICE_SECONDS + 15):
            await phone.ended.wait()

    await line.start()
    record = await line.ended(call_id)
    assert line.cel(record) <= SLICE_SECONDS + CUT_SECONDS
    assert record.billed_seconds == SLICE_SECONDS
    await line.prove()


async def test_restarted_while_talking_the_call_is_adopted_and_goes_on(
    line: Line, tmp_path: Path, silence: Path
) -> None:
    async with (
        sipp.agent(tmp_path, port=line.agent_port, sound=silence),
        line.phone(ALICE) as phone,
    ):
        await phone.call(DID)
        await line.state("choosing")
        await phone.press("1")
        await line.state("talking")
        call_id = await line.only_call()
        await line.kill()
        await line.start()
        await line.log("call adopted")
        ended = asyncio.create_task(phone.ended.wait(), name="ended")
        done, _ = await asyncio.wait([ended], timeout=SLICE_SECONDS + 3)
        assert not done, "the adopted call was not extended"
        await phone.hang_up()
        record = await line.ended(call_id)

    assert record.talk_us / 1e6 > SLICE_SECONDS + 2
    assert record.talk_us / 1e6 == pytest.approx(line.cel(record), abs=0.05)
    assert record.cost == record.billed_seconds * 10_000
    assert await line.balance("alice") == parse_amount("20") - record.cost
    await line.prove()


async def test_an_adopted_call_whose_agent_hangs_up_ends_with_a_farewell(
    line: Line, tmp_path: Path, silence: Path
) -> None:
    async with (
        # As long as a slice lasts, nearly: so long may it take the service to be back.
        sipp.agent(tmp_path, port=line.agent_port, talk_seconds=SLICE_SECONDS - 1, sound=silence),
        line.phone(ALICE) as phone,
    ):
        await phone.call(DID)
        await line.state("choosing")
        await phone.press("1")
        await line.state("talking")
        call_id = await line.only_call()
        await line.kill()
        await line.start()
        await line.log("call adopted")
        record = await line.ended(call_id)
        async with asyncio.timeout(10):
            await phone.ended.wait()

    assert record.talk_us / 1e6 == pytest.approx(SLICE_SECONDS - 1, abs=0.2)
    await line.prove()


async def test_frozen_while_talking_asterisk_cuts_and_the_thawed_service_settles_right(
    line: Line, tmp_path: Path, silence: Path
) -> None:
    async with (
        sipp.agent(tmp_path, port=line.agent_port, sound=silence),
        line.phone(ALICE) as phone,
    ):
        await phone.call(DID)
        await line.state("choosing")
        await phone.press("1")
        await line.state("talking")
        line.signal(signal.SIGSTOP)
        await asyncio.wait(
            [asyncio.create_task(phone.ended.wait(), name="ended")], timeout=SLICE_SECONDS + 3
        )
        line.signal(signal.SIGCONT)
        record = await line.ended(await line.only_call())
        async with asyncio.timeout(15):
            await phone.ended.wait()

    assert line.cel(record) <= SLICE_SECONDS + CUT_SECONDS
    assert record.billed_seconds == SLICE_SECONDS
    assert not record.review
    await line.prove()


async def test_terminated_while_talking_the_call_is_handed_over_and_settled_later(
    line: Line, tmp_path: Path, silence: Path
) -> None:
    async with (
        sipp.agent(tmp_path, port=line.agent_port, sound=silence),
        line.phone(ALICE) as phone,
    ):
        await phone.call(DID)
        await line.state("choosing")
        await phone.press("1")
        await line.state("talking")
        call_id = await line.only_call()
        await line.stop()
        async with asyncio.timeout(SLICE_SECONDS * 2 + 15):
            await phone.ended.wait()

    await line.start()
    record = await line.ended(call_id)
    assert record.talk_us / 1e6 == pytest.approx(line.cel(record), abs=0.05)
    assert record.cost == record.billed_seconds * 10_000
    await line.prove()
