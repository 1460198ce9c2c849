"""What a support desk needs beside plain calls: messages, callbacks, transfers, recordings."""

from __future__ import annotations

import asyncio
import json
import wave
from pathlib import Path

import pytest

from billing.money import parse_amount
from billing.storage.engine import create
from ivr.sandbox.agent import AgentCall, AgentPhone, Manners
from ivr.sandbox.phone import Phone
from tests.e2e.harness import (
    AGENTS_DID,
    ALICE,
    BOB,
    CAROL,
    DAILY_DID,
    DESK_DID,
    STRANGER,
    Line,
    until,
)
from tests.e2e.test_outcomes import hung_up_on

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(90)]

TONE = bytes(range(0x80, 0xA0)) * 5


async def choose(line: Line, phone: Phone, digit: str) -> None:
    await phone.call(DESK_DID)
    await line.log("asked", asking="topic")
    await phone.press(digit)


async def rung(agent: AgentPhone) -> AgentCall:
    call = await agent.next_call()
    await call.answered.wait()
    return call


async def rows(line: Line, query: str) -> list[tuple[object, ...]]:
    engine = create(line.settings.url)
    async with engine.connect() as connection:
        found = (await connection.exec_driver_sql(query)).all()
    await engine.dispose()
    return [tuple(row) for row in found]


def recording(line: Line, call_id: str, kind: str) -> Path:
    return line.asterisk.home.shared / "recordings" / f"{call_id}.{kind}.wav"


def seconds_of(file: Path) -> float:
    with wave.open(str(file)) as sound:
        assert (sound.getframerate(), sound.getsampwidth()) == (8000, 2)
        return sound.getnframes() / 8000


@pytest.mark.parametrize("digit", ["4", "5", "6"], ids=["nobody", "closed", "box"])
async def test_a_caller_leaves_a_message_for_nothing(line: Line, digit: str) -> None:
    async with Phone(server=("127.0.0.1", line.sip_port), from_number=ALICE, sound=TONE) as phone:
        await choose(line, phone, digit)
        await line.log("asked", asking="message")
        await asyncio.sleep(2)
        await phone.press("#")
        await hung_up_on(phone)

    record = await line.ended(await line.only_call())
    assert (record.end_reason, record.cost) == ("message_left", 0)
    assert 1.0 < seconds_of(recording(line, record.call_id, "message")) < 4.0
    kept = await until(lambda: rows(line, "SELECT call, kind FROM recordings"))
    assert kept == [(record.call_id, "message")]
    assert await line.balance("alice") == parse_amount("20")
    await line.prove()


async def test_a_message_that_ends_with_a_hangup_is_kept(line: Line) -> None:
    async with Phone(server=("127.0.0.1", line.sip_port), from_number=ALICE, sound=TONE) as phone:
        await choose(line, phone, "6")
        await line.log("asked", asking="message")
        await asyncio.sleep(2)
        await phone.hang_up()

    record = await line.ended(await line.only_call())
    assert record.end_reason == "message_left"
    assert seconds_of(recording(line, record.call_id, "message")) > 1.0
    await line.prove()


async def test_a_phone_rings_in_an_allowed_country_and_shows_the_line(line: Line) -> None:
    async with AgentPhone(port=line.agent_port) as agent, line.phone(ALICE) as phone:
        await choose(line, phone, "7")
        call = await rung(agent)
        await line.state("talking")
        await asyncio.sleep(1)
        await phone.hang_up()

    record = await line.ended(await line.only_call())
    assert "+12025550199" in call.dialled
    assert DESK_DID in call.caller
    assert record.talk_us / 1e6 == pytest.approx(line.cel(record), abs=0.05)
    await line.prove()


async def test_a_phone_in_another_country_is_never_dialled(line: Line) -> None:
    async with AgentPhone(port=line.agent_port) as agent, line.phone(ALICE) as phone:
        await choose(line, phone, "8")
        await hung_up_on(phone)
        assert agent.calls.empty()

    record = await line.ended(await line.only_call())
    assert (record.end_reason, record.cost) == ("topic_unavailable", 0)
    await line.prove()


async def test_a_recorded_talk_is_announced_kept_and_found(line: Line) -> None:
    async with AgentPhone(port=line.agent_port) as agent, line.phone(ALICE) as phone:
        await choose(line, phone, "1")
        await rung(agent)
        await line.state("talking")
        await asyncio.sleep(2)
        await phone.hang_up()

    record = await line.ended(await line.only_call())
    kept = await until(lambda: rows(line, "SELECT call, kind, client FROM recordings"))
    assert kept == [(record.call_id, "talk", "acme")]
    assert seconds_of(recording(line, record.call_id, "talk")) == pytest.approx(
        record.talk_us / 1e6, abs=0.5
    )
    await line.prove()


async def test_what_may_be_spent_on_a_day_ends_the_talk_and_refuses_the_next_call(
    line: Line,
) -> None:
    async with AgentPhone(port=line.agent_port) as agent, line.phone(ALICE) as phone:
        await phone.call(DAILY_DID)
        await line.log("asked", asking="topic")
        await phone.press("1")
        await rung(agent)
        await hung_up_on(phone)  # 0.08 a day at 0.60 a minute
    talk = await line.ended(await line.only_call())
    since = len(line.seen)
    async with line.phone(ALICE) as phone:
        await phone.call(DAILY_DID)
        await line.after("asked", since=since, asking="topic")
        await phone.press("1")
        await hung_up_on(phone)
    refused = await line.ended(await line.only_call())

    assert (talk.end_reason, talk.cost) == ("time_limit", parse_amount("0.08"))
    assert (refused.end_reason, refused.cost) == ("daily_limit", 0)
    await line.prove()


@pytest.mark.parametrize("target", ["2", "4713#"], ids=["topic", "agent"])
async def test_an_agent_puts_the_caller_through_and_each_part_has_its_price(
    line: Line, target: str
) -> None:
    async with AgentPhone(port=line.agent_port) as agent, line.phone(ALICE) as phone:
        await choose(line, phone, "1")
        first = await rung(agent)
        await line.state("talking")
        await asyncio.sleep(1)
        await first.audio.press("*2")
        await asyncio.sleep(0.6)
        await first.audio.press(target)
        second = await rung(agent)
        started = await line.after("talk started", since=0)
        await line.after("talk started", since=started)
        await asyncio.sleep(2)
        await second.dialog.bye()
        await hung_up_on(phone)

    one, two = [fact["call_id"] for fact in line.seen if fact.get("event") == "call ended"]
    before, after = await line.ended(one), await line.ended(two)
    assert (before.end_reason, after.end_reason) == ("transferred", "agent_hung_up")
    assert before.tariff == "cent"
    assert after.tariff == ("double" if target == "2" else "cent")
    assert (before.ended_us or 0) <= (after.answered_us or 0)
    for part in (before, after):
        assert part.talk_us / 1e6 == pytest.approx(line.cel(part), abs=0.05)
    price = "0.02" if target == "2" else "0.01"
    assert after.cost == after.billed_seconds * parse_amount(price)
    reconciled = json.loads(await line.run("reconcile", "--json"))
    assert reconciled["differences"] == []
    await line.prove()


@pytest.mark.parametrize("who", ["the other", "the first again", "nobody answered"])
async def test_an_agent_asks_another_first_and_the_caller_waits_for_nothing(
    line: Line, who: str
) -> None:
    async with AgentPhone(port=line.agent_port) as agent, line.phone(ALICE) as phone:
        await choose(line, phone, "1")
        first = await rung(agent)
        await line.state("talking")
        await asyncio.sleep(1)
        if who == "nobody answered":
            agent.manners = Manners(refuse_with="486 Busy Here")
        await first.audio.press("*3")
        await asyncio.sleep(0.6)
        await first.audio.press("2" if who == "nobody answered" else "4713#")
        await line.log("agents consult")
        last = first
        if who != "nobody answered":
            second = await rung(agent)
            await asyncio.sleep(2)
            await (first if who == "the other" else second).dialog.bye()
            last = second if who == "the other" else first
        started = await line.after("talk started", since=0)
        await line.after("talk started", since=started)
        await asyncio.sleep(2)
        await last.dialog.bye()
        await hung_up_on(phone)

    one, two = [fact["call_id"] for fact in line.seen if fact.get("event") == "call ended"]
    before, after = await line.ended(one), await line.ended(two)
    assert (before.end_reason, after.end_reason) == ("transferred", "agent_hung_up")
    assert (after.answered_us or 0) - (before.ended_us or 0) > (
        300_000 if who == "nobody answered" else 2_000_000
    )
    for part in (before, after):
        assert part.tariff == "cent"
        assert part.talk_us / 1e6 == pytest.approx(line.cel(part), abs=0.05)
        assert part.cost == part.billed_seconds * parse_amount("0.01")
    reconciled = json.loads(await line.run("reconcile", "--json"))
    assert reconciled["differences"] == []
    await line.prove()


@pytest.mark.parametrize("keys", ["*2", "*3"])
async def test_an_agent_of_a_queue_that_put_a_caller_through_gets_the_next_one(
    line: Line, keys: str
) -> None:
    async with AgentPhone(port=line.agent_port) as agent, line.phone(ALICE) as phone:
        await choose(line, phone, "3")
        anna = await rung(agent)
        await line.state("talking")
        await anna.audio.press(keys)
        await asyncio.sleep(0.6)
        await anna.audio.press("4713#")
        carl = await rung(agent)
        await asyncio.sleep(1)
        await anna.dialog.bye()
        started = await line.after("talk started", since=0)
        await line.after("talk started", since=started)
        await carl.dialog.bye()
        await hung_up_on(phone)
        since = len(line.seen)
        async with line.phone(BOB) as other:
            await other.call(DESK_DID)
            await line.after("asked", since=since, asking="topic")
            await other.press("3")
            await rung(agent)
            await line.after("talk started", since=since)
    await line.ended(await line.only_call())
    await line.prove()


async def test_an_agent_who_keys_in_nothing_keeps_the_caller(line: Line) -> None:
    async with AgentPhone(port=line.agent_port) as agent, line.phone(ALICE) as phone:
        await choose(line, phone, "1")
        call = await rung(agent)
        await line.state("talking")
        await call.audio.press("*2")
        await asyncio.sleep(6)
        assert not call.ended.is_set()
        await phone.hang_up()

    record = await line.ended(await line.only_call())
    assert record.end_reason == "caller_hung_up"
    assert record.talk_us / 1e6 == pytest.approx(line.cel(record), abs=0.05)
    await line.prove()


@pytest.mark.parametrize("pressed", ["1", ""])
async def test_a_caller_is_called_back_and_pays_the_talk_only(line: Line, pressed: str) -> None:
    async with line.phone(CAROL) as phone:
        await choose(line, phone, "9")
        await line.log("asked", asking="callback", seconds_max=30)
        await phone.press("1")
        await hung_up_on(phone)
    async with AgentPhone(port=line.agent_port) as agent:
        carl = await rung(agent)
        await line.log("callback rings")
        await asyncio.sleep(0.6)
        await carl.audio.press("1")
        caller = await rung(agent)
        await asyncio.sleep(0.6)
        if pressed:
            await caller.audio.press("1")
            await line.state("talking")
            await asyncio.sleep(2)
        await caller.ended.wait() if not pressed else await caller.dialog.bye()
        await line.log("callback moved")

    asked, made = [fact["call_id"] for fact in line.seen if fact.get("event") == "call began"]
    record = await line.ended(made)
    assert (await line.ended(asked)).end_reason == "callback_asked"
    assert record.account == "carol"
    state, tries = (await rows(line, "SELECT state, tries FROM callbacks"))[0]
    if pressed:
        assert state == "done"
        assert record.talk_us / 1e6 == pytest.approx(line.cel(record), abs=0.05)
        assert record.cost == record.billed_seconds * parse_amount("0.01")
    else:
        assert (state, tries) == ("waiting", 1)
        assert record.cost == 0
    await line.prove()


async def test_agents_come_and_go_by_phone(line: Line) -> None:
    async with line.phone(STRANGER) as phone:
        await phone.call(AGENTS_DID)
        await line.log("asked", asking="agent")
        await phone.press("4711#")
        await line.log("asked", asking="pin")
        await phone.press("250811#")
        await line.log("asked", asking="state")
        await phone.press("2")
        await line.log("agent changed", to="paused")
        await line.log("queues written", away=1)
        since = await line.after("agent changed", since=0)
        await line.after("asked", since=since, asking="state")
        await phone.press("1")
        await line.log("agent changed", to="available")
        await phone.hang_up()

    record = await line.ended(await line.only_call())
    assert (record.account, record.cost) == (None, 0)
    await line.prove()


async def test_a_wrong_pin_opens_no_agents_desk(line: Line) -> None:
    async with line.phone(STRANGER) as phone:
        await phone.call(AGENTS_DID)
        since = 0
        for _ in range(3):
            since = await line.after("asked", since=since, asking="agent")
            await phone.press("4711#")
            since = await line.after("asked", since=since, asking="pin")
            await phone.press("999999#")
        await hung_up_on(phone)

    assert (await line.ended(await line.only_call())).end_reason == "login_failed"
    await line.prove()


@pytest.mark.parametrize("comes_back", ["while they talk", "when it is over"])
async def test_a_crash_after_a_transfer_charges_each_part_once(line: Line, comes_back: str) -> None:
    async with AgentPhone(port=line.agent_port) as agent, line.phone(ALICE) as phone:
        await choose(line, phone, "1")
        first = await rung(agent)
        await line.state("talking")
        await asyncio.sleep(1)
        await first.audio.press("*2")
        await asyncio.sleep(0.6)
        await first.audio.press("2")
        second = await rung(agent)
        started = await line.after("talk started", since=0)
        await line.after("talk started", since=started)
        await line.kill()
        if comes_back == "while they talk":
            await line.start()
            await line.log("call adopted", state="talking")
        await second.dialog.bye()
        await asyncio.sleep(0.5)
        if comes_back == "when it is over":
            await line.start()
        await phone.hang_up()

    async def both() -> list[tuple[object, ...]]:
        found = await rows(line, "SELECT id FROM calls WHERE ended_us > 0 ORDER BY part")
        return found if len(found) == 2 else []

    found = await until(both)
    parts = [await line.record(str(row[0])) for row in found]
    assert [part.tariff for part in parts if part] == ["cent", "double"]
    for part in parts:
        assert part
        assert part.talk_us / 1e6 == pytest.approx(line.cel(part), abs=0.05)
        price = "0.02" if part.tariff == "double" else "0.01"
        assert part.cost == part.billed_seconds * parse_amount(price)
    await line.prove()


async def test_a_callback_goes_on_over_a_crash_and_is_charged_once(line: Line) -> None:
    async with line.phone(CAROL) as phone:
        await choose(line, phone, "9")
        await line.log("asked", asking="callback", seconds_max=30)
        await phone.press("1")
        await hung_up_on(phone)
    async with AgentPhone(port=line.agent_port) as agent:
        carl = await rung(agent)
        await asyncio.sleep(0.6)
        await carl.audio.press("1")
        caller = await rung(agent)
        await asyncio.sleep(0.6)
        await caller.audio.press("1")
        await line.state("talking")
        made = await line.only_call()
        await line.kill()
        await line.start()
        await line.log("call adopted", state="talking")
        await asyncio.sleep(1)
        await caller.dialog.bye()
        record = await line.ended(made)

    assert record.account == "carol"
    assert record.talk_us / 1e6 == pytest.approx(line.cel(record), abs=0.05)
    assert record.cost == record.billed_seconds * parse_amount("0.01")
    await line.prove()
