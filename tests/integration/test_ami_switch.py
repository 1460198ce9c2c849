"""The switch on a scripted manager: what is sent, what is believed, and each refusal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from billing.clock import SystemClock
from ivr.ami.link import AmiLink
from ivr.ami.switch import AmiSwitch
from ivr.telephony import ChannelGone, ChannelList, LiveChannel, SwitchEvent, SwitchUnavailable
from tests.doubles.asterisk import (
    Action,
    AmiAsterisk,
    Answer,
    error,
    hangup_event,
    message,
    success,
    until,
)

CHANNEL = "PJSIP/trunk-0000001a"
BOOT = "2026-11-20T09:00:00"


@pytest.fixture
async def asterisk() -> AsyncIterator[AmiAsterisk]:
    async with AmiAsterisk() as asterisk:
        yield asterisk


@pytest.fixture
async def switch(asterisk: AmiAsterisk) -> AsyncIterator[AmiSwitch]:
    link = AmiLink(
        "127.0.0.1", asterisk.port, username="talkmeter", secret="secret", clock=SystemClock()
    )
    task = asyncio.create_task(link.run(), name="ami")
    await until(lambda: link.boot)
    yield AmiSwitch(link)
    task.cancel()
    await asyncio.wait([task])


def row(action: Action, number: int, **changed: str) -> str:
    """One channel of the list, in Asterisk's order of lines."""
    values = {
        "Channel": f"PJSIP/trunk-{number:08x}",
        "CallerIDName": "Eve",
        "Uniqueid": f"1700000000.{number}",
        "Linkedid": "1700000000.1",
        "BridgeId": "b1",
    } | changed
    lines = (f"{name}: {value}" for name, value in values.items())
    return message("Event: CoreShowChannel", f"ActionID: {action['ActionID']}", *lines)


def end(action: Action, items: int, state: str = "Complete") -> str:
    return message(
        "Event: CoreShowChannelsComplete",
        f"ActionID: {action['ActionID']}",
        f"EventList: {state}",
        f"ListItems: {items}",
    )


def start(action: Action) -> str:
    return success(action, "EventList: start", "Message: Channels will follow")


# Limits and hangups


@pytest.mark.parametrize(
    ("seconds", "sent"), [(12, "12.000"), (1.25, "1.250"), (0, "0.100"), (-3, "0.100")]
)
async def test_a_limit_is_asterisks_own_timer_and_never_lifts_it(
    asterisk: AmiAsterisk, switch: AmiSwitch, seconds: float, sent: str
) -> None:
    await switch.set_limit(CHANNEL, seconds)

    action = await asterisk.action("AbsoluteTimeout")
    assert (action["Channel"], action["Timeout"]) == (CHANNEL, sent)


async def test_a_channel_that_is_gone_is_named_for_limits_and_no_error_for_hangups(
    asterisk: AmiAsterisk, switch: AmiSwitch
) -> None:
    asterisk.answers |= dict.fromkeys(
        ("AbsoluteTimeout", "Hangup"), lambda action: [error(action, "No such channel")]
    )

    with pytest.raises(ChannelGone):
        await switch.set_limit(CHANNEL, 5)
    await switch.hang_up(CHANNEL)


async def test_any_other_refusal_says_nothing_about_the_channel(
    asterisk: AmiAsterisk, switch: AmiSwitch
) -> None:
    asterisk.answers["Hangup"] = lambda action: [error(action, "Permission denied")]

    with pytest.raises(SwitchUnavailable):
        await switch.hang_up(CHANNEL)


@pytest.mark.parametrize("name", ["/PJSIP/", "/.*/", "", "all", "PJSIP/x\r\nA: b", "P" * 500])
async def test_only_a_channels_name_is_hung_up_never_a_pattern(
    asterisk: AmiAsterisk, switch: AmiSwitch, name: str
) -> None:
    await switch.hang_up(name)

    sent = [action["Channel"] for action in asterisk.actions if action["Action"] == "Hangup"]
    assert not [channel for channel in sent if channel.startswith("/") or channel != name]


async def test_without_a_link_every_verb_is_unavailable(
    asterisk: AmiAsterisk, switch: AmiSwitch
) -> None:
    asterisk.mute("Login")
    asterisk.drop()
    await until(lambda: not switch.boot)
    verbs: list[Callable[[], Awaitable[object]]] = [
        lambda: switch.set_limit(CHANNEL, 5),
        lambda: switch.hang_up(CHANNEL),
        lambda: switch.whisper(CHANNEL, ["beep"]),
        switch.channels,
    ]

    for verb in verbs:
        with pytest.raises(SwitchUnavailable):
            await verb()


# Whispers


async def test_a_whisper_is_one_originate_into_what_one_party_hears(
    asterisk: AmiAsterisk, switch: AmiSwitch
) -> None:
    await switch.whisper(CHANNEL, ["beep", "one-minute-left"])

    action = await asterisk.action("Originate")
    assert action["Channel"] == "Local/s@talkmeter-whisper/n"
    assert action["Application"] == "ChanSpy"
    assert action["Data"] == f"{CHANNEL},qwE"
    assert action["Variable"] == "TALKMETER_SAY=talkmeter/beep&talkmeter/one-minute-left"
    assert action["Async"] == "true"


@pytest.mark.parametrize(
    ("channel", "prompts"),
    [
        (CHANNEL, ["../../etc/passwd"]),
        (CHANNEL, ["beep,X=1"]),
        (CHANNEL, []),
        (CHANNEL, ["beep"] * 100),
        (f"{CHANNEL},qwB", ["beep"]),
    ],
)
async def test_a_whisper_of_anything_else_is_never_sent(
    asterisk: AmiAsterisk, switch: AmiSwitch, channel: str, prompts: list[str]
) -> None:
    with pytest.raises(SwitchUnavailable):
        await switch.whisper(channel, prompts)

    assert "Originate" not in asterisk.names()


# The list of channels


async def test_the_list_is_what_asterisk_counts_itself(
    asterisk: AmiAsterisk, switch: AmiSwitch
) -> None:
    asterisk.answers["CoreShowChannels"] = lambda action: [
        start(action),
        row(action, 1),
        # Events of calls come between the rows.
        hangup_event("PJSIP/other"),
        row(action, 2, BridgeId=""),
        end(action, 2),
    ]

    listed = await switch.channels()

    assert listed == ChannelList(
        boot=BOOT,
        channels=(
            LiveChannel(
                channel="PJSIP/trunk-00000001",
                uniqueid="1700000000.1",
                linkedid="1700000000.1",
                bridge="b1",
            ),
            LiveChannel(
                channel="PJSIP/trunk-00000002",
                uniqueid="1700000000.2",
                linkedid="1700000000.1",
                bridge="",
            ),
        ),
    )


async def test_an_empty_list_is_an_answer_when_asterisk_says_so(
    asterisk: AmiAsterisk, switch: AmiSwitch
) -> None:
    asterisk.answers["CoreShowChannels"] = lambda action: [start(action), end(action, 0)]

    assert await switch.channels() == ChannelList(boot=BOOT, channels=())


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda action: [start(action), row(action, 1), end(action, 2)], id="a row"),
        pytest.param(lambda action: [start(action), end(action, 1)], id="all rows"),
        pytest.param(lambda action: [end(action, 0)], id="no response"),
        pytest.param(lambda action: [start(action), end(action, 0, "cancelled")], id="cancelled"),
        pytest.param(lambda action: [error(action, "Permission denied")], id="permission"),
        pytest.param(
            lambda action: [
                start(action),
                row(action, 1, CallerIDName="Eve\r\nUniqueid: 1700000000.99"),
                end(action, 1),
            ],
            id="a name that forges",
        ),
        pytest.param(
            lambda action: [
                start(action),
                row(action, 1).replace("BridgeId: b1\r\n", ""),
                end(action, 1),
            ],
            id="a field",
        ),
    ],
)
async def test_a_list_that_lacks_something_raises_and_is_never_an_answer(
    asterisk: AmiAsterisk, switch: AmiSwitch, answer: Answer
) -> None:
    asterisk.answers["CoreShowChannels"] = answer

    with pytest.raises(SwitchUnavailable):
        await switch.channels()


async def test_a_list_cut_by_the_end_of_the_link_raises(
    asterisk: AmiAsterisk, switch: AmiSwitch
) -> None:
    asterisk.answers["CoreShowChannels"] = lambda action: [start(action), row(action, 1)]
    listing = asyncio.create_task(switch.channels())
    await asterisk.action("CoreShowChannels")

    asterisk.drop()

    with pytest.raises(SwitchUnavailable):
        await listing


async def test_a_thousand_channels_are_listed(asterisk: AmiAsterisk, switch: AmiSwitch) -> None:
    asterisk.answers["CoreShowChannels"] = lambda action: [
        start(action),
        *(row(action, number) for number in range(1_000)),
        end(action, 1_000),
    ]

    listed = await switch.channels()

    assert len({channel.uniqueid for channel in listed.channels}) == 1_000


async def test_each_event_reaches_each_subscriber(asterisk: AmiAsterisk, switch: AmiSwitch) -> None:
    first: list[SwitchEvent] = []
    second: list[SwitchEvent] = []
    switch.subscribe(first.append)
    switch.subscribe(second.append)

    asterisk.say(hangup_event("a") + hangup_event("b"))

    await until(lambda: len(second) == 2)
    assert first == second
