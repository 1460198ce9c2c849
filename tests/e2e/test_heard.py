"""What callers hear, sample by sample: each prompt of the tests has a sound that no other has."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from billing.clock import SystemClock
from billing.storage.engine import create
from ivr.directory.own_prompts import OwnPrompt, save_prompt, use_prompt
from ivr.flows import speech
from ivr.sandbox.agent import AgentCall, AgentPhone
from ivr.sandbox.phone import Phone
from tests.e2e import sipp
from tests.e2e.harness import (
    ALICE,
    BOB,
    CAROL,
    DAILY_DID,
    DESK_DID,
    DID,
    POOR,
    PREMIUM_DID,
    SECURE_DID,
    SHORT_DID,
    STRANGER,
    TWO_TONGUES_DID,
    Line,
    coded,
    heard,
    until,
)
from tests.e2e.test_outcomes import hung_up_on

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(90)]

CENT = 10_000
PRICE = ["price-is", *speech.cost(60 * CENT, "USD"), "price-per-minute"]


def stands_in(words: list[str], said: list[str]) -> None:
    """Assert that the words were said in this order, with others between or around."""
    assert in_order(words, said), f"{words} in {said}"


def in_order(words: list[str], said: list[str]) -> bool:
    rest = iter(said)
    return all(word in rest for word in words)


async def hears(phone: Phone | AgentCall, *words: str, language: str = "en") -> None:
    """Wait until somebody has heard these words: a key stops what is being said."""

    async def said() -> bool:
        return in_order(list(words), heard(bytes(phone.audio.heard), language=language))

    await until(said, 30)


async def hears_last(phone: Phone, word: str) -> None:
    """Wait until this is the last word that a caller has heard."""

    async def said() -> bool:
        return heard(bytes(phone.audio.heard))[-1:] == [word]

    await until(said, 30)


async def test_a_whole_call_is_heard_word_by_word(
    line: Line, tmp_path: Path, silence: Path
) -> None:
    async with (
        sipp.agent(tmp_path, port=line.agent_port, talk_seconds=2.0, sound=silence),
        line.phone(ALICE) as phone,
    ):
        await phone.call(DID)
        await hears(phone, "topic-operator", "press", "num-0")
        await phone.press("1")
        await hung_up_on(phone)
    record = await line.ended(await line.only_call())
    said = heard(bytes(phone.audio.heard))

    offer = [
        word
        for name, digit in (("billing", 1), ("network", 2), ("software", 3), ("4", 4))
        for word in ("for", f"topic-{name}", "press", f"num-{digit}")
    ]
    lasts = 20 * 100
    assert said == [
        "welcome", "balance-is", *speech.money(20_000_000, "USD"),
        "choose-topic", *offer, "for", "topic-operator", "press", "num-0",
        *PRICE, "balance-lasts", *speech.duration(lasts), "connecting",
        "call-cost", *speech.cost(record.cost, "USD"),
        "balance-left", *speech.money(record.balance_after or 0, "USD"), "goodbye",
    ]  # fmt: skip


async def test_a_wrong_pin_and_an_unknown_account_sound_alike(line: Line) -> None:
    said = []
    for account in ("100001", "999999"):
        async with line.phone(STRANGER) as phone:
            await phone.call(SECURE_DID)
            for _ in range(3):
                await hears_last(phone, "enter-account")
                await phone.press(f"{account}#")
                await hears_last(phone, "enter-pin")
                await phone.press("000000#")
            await hung_up_on(phone)
        said.append(heard(bytes(phone.audio.heard)))

    assert said[0] == said[1]
    stands_in(["welcome", "enter-account", "enter-pin", "login-wrong", "login-too-many"], said[0])


@pytest.mark.parametrize(
    ("number", "did", "pressed", "words"),
    [
        (STRANGER, "18005559999", "", ["line-closed"]),
        (STRANGER, DID, "", ["enter-account"]),
        (ALICE, DID, "9", ["choice-invalid", "choose-topic"]),
        (ALICE, DID, "4", [*PRICE, "connecting", "no-agent"]),
        (ALICE, SHORT_DID, "1", [*PRICE, "price-after", "price-then", "accept-price"]),
        (BOB, DID, "1", ["can-spend", *speech.money(9_000_000, "USD"), *PRICE]),
        (ALICE, DESK_DID, "4", ["no-agent", "leave-message", "beep"]),
        (ALICE, DESK_DID, "5", ["topic-closed", "leave-message", "beep"]),
        (ALICE, DESK_DID, "8", ["topic-unavailable"]),
        (CAROL, DESK_DID, "9", ["recorded", "no-agent", "callback-offer"]),
        (ALICE, PREMIUM_DID, "1", ["welcome", "premium-price", "price-setup", "connecting"]),
        (POOR, DID, "3", ["enter-voucher"]),
    ],
)
async def test_what_callers_are_told(
    line: Line, number: str, did: str, pressed: str, words: list[str]
) -> None:
    async with line.phone(number) as phone:
        await phone.call(did)
        if pressed:
            await hears(phone, "choose-topic")
            await phone.press(pressed)
        await hears(phone, *words)

    stands_in(words, heard(bytes(phone.audio.heard)))


async def test_a_german_caller_hears_german_only(line: Line) -> None:
    async with line.phone(BOB) as phone:
        await phone.call(TWO_TONGUES_DID)
        await hears(phone, "welcome", "can-spend", "num-9", language="de")
        await phone.hang_up()
    sound = bytes(phone.audio.heard)

    assert heard(sound) == []


async def test_a_notice_is_whispered_to_the_caller_and_not_to_the_agent(line: Line) -> None:
    async with AgentPhone(port=line.agent_port) as agent, line.phone(ALICE) as phone:
        await phone.call(SHORT_DID)
        await line.log("asked", asking="topic")
        await phone.press("1")
        await line.log("asked", asking="price")
        await phone.press("1")
        rung = await agent.next_call()
        await line.log("notice said")
        await hung_up_on(phone)

    words = ["price-rises", *speech.cost(120 * CENT, "USD"), "price-per-minute"]
    stands_in(words, heard(bytes(phone.audio.heard), part=0.3))
    stands_in(["time-ended", "call-cost"], heard(bytes(phone.audio.heard)))
    assert heard(bytes(rung.audio.heard)) == []


async def test_the_agent_of_a_callback_hears_the_topic_and_the_caller_the_price(
    line: Line,
) -> None:
    async with line.phone(CAROL) as phone:
        await phone.call(DESK_DID)
        await line.log("asked", asking="topic")
        await phone.press("9")
        await hears(phone, "callback-offer")
        await phone.press("1")
        await hung_up_on(phone)
    async with AgentPhone(port=line.agent_port) as agent:
        carl = await agent.next_call()
        await carl.answered.wait()
        await hears(carl, "callback-agent", "topic-9")
        await carl.audio.press("1")
        caller = await agent.next_call()
        await caller.answered.wait()
        await caller.ended.wait()

    stands_in(["callback-offer", "callback-kept"], heard(bytes(phone.audio.heard)))
    stands_in(["callback-agent", "topic-9"], heard(bytes(carl.audio.heard)))
    stands_in(["welcome", *PRICE, "called-back"], heard(bytes(caller.audio.heard)))


async def test_who_may_spend_no_more_today_is_told(line: Line) -> None:
    async with AgentPhone(port=line.agent_port), line.phone(ALICE) as phone:
        await phone.call(DAILY_DID)
        await line.log("asked", asking="topic")
        await phone.press("1")
        await hung_up_on(phone)
    since = len(line.seen)
    async with line.phone(ALICE) as phone:
        await phone.call(DAILY_DID)
        await line.after("asked", since=since, asking="topic")

        async def menu() -> bool:
            return "choose-topic" in heard(bytes(phone.audio.heard))

        # The balance before it takes as long as its words.
        await until(menu)
        await phone.press("1")
        await hung_up_on(phone)

    stands_in(["choose-topic", "daily-limit"], heard(bytes(phone.audio.heard)))


async def test_a_line_speaks_with_its_clients_own_voice(line: Line) -> None:
    clock, engine = SystemClock(), create(line.settings.url)
    for name, digit in (("hello", -1), ("bills", 1)):
        prompt = OwnPrompt(
            client="acme", name=name, language="en", text=None, bytes=400, changed_us=0
        )
        await save_prompt(engine, prompt, coded("own", name), clock=clock)
        await use_prompt(engine, "acme", DID, digit, name)
    await engine.dispose()
    file = line.asterisk.home.shared / "prompts" / "acme" / "en" / "bills.ulaw"

    async def written() -> bool:
        return file.exists()

    await until(written)
    await asyncio.sleep(1)
    async with line.phone(ALICE) as phone:
        await phone.call(DID)
        await line.log("asked", asking="topic")
        await asyncio.sleep(2)
        await phone.hang_up()
    sound = bytes(phone.audio.heard)

    stands_in(["balance-is", "for", "press", "num-1", "for", "topic-network"], heard(sound))
    assert not {"welcome", "topic-billing"} & set(heard(sound))
    assert sound.find(coded("own", "hello")) < sound.find(coded("own", "bills"))
    assert coded("own", "hello") in sound


async def test_who_is_put_through_to_nobody_hears_so_and_what_the_first_part_cost(
    line: Line,
) -> None:
    async with AgentPhone(port=line.agent_port) as agent, line.phone(ALICE) as phone:
        await phone.call(DESK_DID)
        await line.log("asked", asking="topic")
        await phone.press("1")
        rung = await agent.next_call()
        await line.state("talking")
        await rung.audio.press("*2")
        await hears(rung, "transfer-to")
        await rung.audio.press("8")
        await hung_up_on(phone)

    words = ["recorded", "topic-unavailable", "call-cost", "balance-left", "goodbye"]
    stands_in(words, heard(bytes(phone.audio.heard)))
    stands_in(["transfer-to"], heard(bytes(rung.audio.heard)))
    await line.prove()
