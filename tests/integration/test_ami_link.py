"""The manager link over real sockets: each fault of plain panoramisk is shown beside ours.

Where panoramisk's fault is shown, the test fails as soon as a release of it is better: then the
part of `ivr.ami` that contains it can go.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Self

import pytest
from panoramisk.manager import Manager

from billing.clock import SystemClock
from ivr.ami.link import ActionFailed, AmiLink, LinkLimits
from ivr.telephony import (
    ChannelHungUp,
    LinkDown,
    LinkUp,
    SwitchEvent,
    SwitchUnavailable,
)
from tests.doubles.asterisk import (
    EOL,
    WAIT_SECONDS,
    Action,
    AmiAsterisk,
    error,
    event,
    hangup_event,
    success,
    until,
)

LONG = 60.0
ORIGINATE = {"Action": "Originate", "Channel": "Local/s@x", "Async": "true"}


@pytest.fixture
async def asterisk() -> AsyncIterator[AmiAsterisk]:
    async with AmiAsterisk() as asterisk:
        yield asterisk


class Ours:
    """Our link, running, and every event that it handed on."""

    def __init__(self, asterisk: AmiAsterisk, **limits: Any) -> None:  # Any: of LinkLimits
        self.link = AmiLink(
            "127.0.0.1",
            asterisk.port,
            username="talkmeter",
            secret="secret",
            clock=SystemClock(),
            limits=LinkLimits(**limits),
        )
        self.events: list[SwitchEvent] = []
        self.link.subscribe(self.events.append)

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self.link.run(), name="ami")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task], timeout=WAIT_SECONDS)
        assert self._task.cancelled(), "the link survived its end"

    @property
    def hung_up(self) -> list[str]:
        return [event.channel for event in self.events if isinstance(event, ChannelHungUp)]

    async def up(self, times: int = 1) -> None:
        await until(lambda: sum(isinstance(event, LinkUp) for event in self.events) >= times)

    async def down(self) -> None:
        await until(lambda: any(isinstance(event, LinkDown) for event in self.events))


@contextlib.asynccontextmanager
async def plain(asterisk: AmiAsterisk, **config: Any) -> AsyncIterator[Manager]:  # Any: its own
    """Panoramisk as it is, logged in."""
    quick = {"reconnect_timeout": 0, "username": "talkmeter", "secret": "secret"}
    manager = Manager(
        loop=asyncio.get_running_loop(), host="127.0.0.1", port=asterisk.port, **quick | config
    )
    manager.connect()
    await asterisk.action("Login")
    await until(lambda: manager.authenticated or "secret" in config)
    try:
        yield manager
    finally:
        # It reconnects for ever: only a far delay ends that.
        manager.reconnect_timeout = LONG
        manager.close()


def ignoring_errors() -> None:
    """Errors inside panoramisk's protocol go to the loop; the test looks at their effect."""
    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)


# Values with line breaks


INJECTION = f"x{EOL}{EOL}Action: Originate{EOL}Channel: Local/evil{EOL}{EOL}"


async def test_a_line_break_in_a_value_is_never_sent(asterisk: AmiAsterisk) -> None:
    async with Ours(asterisk) as ours:
        await ours.up()

        for value in (INJECTION, "a\rb", "a\nb", "a\0b", "a\x85b"):
            with pytest.raises(SwitchUnavailable):
                await ours.link.request({"Action": "Setvar", "Value": value})
            with pytest.raises(SwitchUnavailable):
                await ours.link.request({"Action": "Setvar", f"Value{value}": "1"})
        await ours.link.request({"Action": "Marker"})

    assert [name for name in asterisk.names() if name != "Ping"] == [
        "Login",
        "CoreStatus",
        "Marker",
    ]


async def test_a_line_break_in_a_value_is_a_second_action_of_plain_panoramisk(
    asterisk: AmiAsterisk,
) -> None:
    async with plain(asterisk) as manager:
        manager.send_action({"Action": "Setvar", "Value": INJECTION})

        injected = await asterisk.action("Originate")

    assert injected["Channel"] == "Local/evil"


# What is under way when the link is lost


async def test_an_action_under_way_fails_with_the_link_and_is_never_sent_again(
    asterisk: AmiAsterisk,
) -> None:
    asterisk.mute("Originate")
    async with Ours(asterisk, action_seconds=LONG) as ours:
        await ours.up()
        call = asyncio.create_task(ours.link.request(ORIGINATE))
        await asterisk.action("Originate")

        asterisk.drop()
        async with asyncio.timeout(WAIT_SECONDS):
            with pytest.raises(SwitchUnavailable):
                await call
        await ours.up(times=2)
        asterisk.say(event("FullyBooted"))
        await ours.link.request({"Action": "Marker"})

    assert asterisk.names().count("Originate") == 1


async def test_an_action_under_way_is_sent_twice_by_plain_panoramisk(asterisk: AmiAsterisk) -> None:
    asterisk.mute("Originate")
    async with plain(asterisk) as manager:
        manager.send_action(dict(ORIGINATE))
        await asterisk.action("Originate")

        asterisk.drop()
        await asterisk.action("Login", times=2)
        asterisk.say(event("FullyBooted"))
        again = await asterisk.action("Originate", times=2)

    assert again.connection == 2


@pytest.mark.parametrize("name", ["Login", "CoreStatus", "Ping"])
async def test_a_link_that_is_lost_in_mid_action_is_built_anew_at_once(
    asterisk: AmiAsterisk, name: str
) -> None:
    asterisk.mute(name)
    async with Ours(asterisk, action_seconds=LONG, ping_seconds=0.02) as ours:
        await asterisk.action(name)
        links = sum(isinstance(event, LinkUp) for event in ours.events)

        asterisk.answers.clear()
        asterisk.drop()

        await ours.up(times=links + 1)


async def test_without_a_link_every_action_fails_at_once(asterisk: AmiAsterisk) -> None:
    asterisk.mute("Login")
    async with Ours(asterisk, action_seconds=LONG) as ours:
        await asterisk.action("Login")

        async with asyncio.timeout(WAIT_SECONDS):
            with pytest.raises(SwitchUnavailable):
                await ours.link.request(ORIGINATE)

    assert "Originate" not in asterisk.names()


async def test_an_action_without_a_link_is_an_attribute_error_of_plain_panoramisk() -> None:
    manager = Manager(loop=asyncio.get_running_loop())

    with pytest.raises(AttributeError):
        manager.send_action(dict(ORIGINATE))


# Silence


async def test_an_action_that_is_never_answered_ends_and_leaves_nothing(
    asterisk: AmiAsterisk,
) -> None:
    asterisk.mute("Originate")
    async with Ours(asterisk, action_seconds=0.05) as ours:
        await ours.up()

        with pytest.raises(SwitchUnavailable):
            await ours.link.request(ORIGINATE)

        assert ours.link.pending == 0
        assert ours.link.boot, "one unanswered action is no lost link"


async def test_an_action_that_is_never_answered_stays_in_plain_panoramisk(
    asterisk: AmiAsterisk,
) -> None:
    asterisk.mute("Originate")
    async with plain(asterisk) as manager:
        for _ in range(20):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(manager.send_action(dict(ORIGINATE)), 0.001)

        assert len(manager.responses) == 20


async def test_a_late_answer_is_not_taken_for_the_next_action(asterisk: AmiAsterisk) -> None:
    asterisk.mute("Slow")
    async with Ours(asterisk, action_seconds=0.1) as ours:
        await ours.up()
        with pytest.raises(SwitchUnavailable):
            await ours.link.request({"Action": "Slow"})
        slow = await asterisk.action("Slow")
        asterisk.answers["Quick"] = lambda action: [
            success(slow, "Of: slow"),
            success(action, "Of: quick"),
        ]

        (headers,) = await ours.link.request({"Action": "Quick"})

    assert dict(headers)["Of"] == "quick"


async def test_a_peer_that_no_longer_answers_pings_is_cut_off(asterisk: AmiAsterisk) -> None:
    async with Ours(asterisk, ping_seconds=0.02, action_seconds=0.1) as ours:
        await ours.up()
        asterisk.mute("Ping")

        await asterisk.connected(2)
        asterisk.answers.clear()
        await ours.up(times=2)

        assert isinstance(ours.events[1], LinkDown)
        await until(lambda: asterisk.open_connections == 1)


async def test_plain_panoramisk_pings_a_silent_peer_for_ever(asterisk: AmiAsterisk) -> None:
    asterisk.mute("Ping")
    async with plain(asterisk, ping_delay=0, ping_interval=0) as manager:
        await asterisk.action("Ping", times=50)

        assert len(asterisk.connections) == 1
        assert len(manager.responses) >= 50


@pytest.mark.parametrize("greeting", ["", "Asterisk Call Manager/9", "SSH-2.0-x\r\n", "x" * 5_000])
async def test_whoever_does_not_greet_as_a_manager_is_left_in_time(greeting: str) -> None:
    async with (
        AmiAsterisk(greeting=greeting) as asterisk,
        Ours(asterisk, connect_seconds=0.05) as ours,
    ):
        await asterisk.connected(2)

        await until(lambda: asterisk.open_connections <= 1)
        assert not ours.events
        assert not asterisk.actions, "the secret was told to a stranger"


# Bytes


async def test_a_character_cut_by_the_network_is_whole(asterisk: AmiAsterisk) -> None:
    start, end = hangup_event("José").encode().split(b"\xa9")
    async with Ours(asterisk) as ours:
        await ours.up()
        asterisk.say(start)
        await until(lambda: "Jos" in ours.link.protocol._text)
        asterisk.say(b"\xa9" + end)

        await until(lambda: ours.hung_up)

    assert ours.hung_up == ["José"]


async def test_a_character_cut_by_the_network_is_lost_by_plain_panoramisk(
    asterisk: AmiAsterisk,
) -> None:
    start, end = hangup_event("José").encode().split(b"\xa9")
    channels: list[str] = []
    async with plain(asterisk) as manager:
        manager.register_event("Hangup", lambda _manager, event: channels.append(event.channel))
        asterisk.say(start)
        await until(lambda: "Jos" in "".join(manager.protocol.queue))
        asterisk.say(b"\xa9" + end)

        await until(lambda: channels)

    assert channels == ["Jos"]


async def test_a_message_without_end_costs_the_link_and_no_memory(asterisk: AmiAsterisk) -> None:
    async with Ours(asterisk) as ours:
        await ours.up()
        asterisk.say("Event: X\r\nA: " + "x" * 500_000)

        await ours.up(times=2)

        assert len(ours.link.protocol._text) < 1_000


async def test_plain_panoramisk_keeps_a_message_of_any_size(asterisk: AmiAsterisk) -> None:
    async with plain(asterisk) as manager:
        asterisk.say("Event: X\r\nA: " + "x" * 500_000)

        await until(lambda: len("".join(manager.protocol.queue)) > 500_000)

        assert len(asterisk.connections) == 1


@pytest.mark.parametrize(
    "junk",
    [b"\xff\xfe\r\n\r\n", b"\r\n\r\n\r\n\r\n", b"junk\r\n\r\n", b": \r\n\r\n", b"\0: \0\r\n\r\n"],
)
async def test_junk_between_messages_costs_nothing(asterisk: AmiAsterisk, junk: bytes) -> None:
    async with Ours(asterisk) as ours:
        await ours.up()
        asterisk.say(junk)
        asterisk.say(hangup_event("after"))

        await until(lambda: ours.hung_up)

    assert len(asterisk.connections) == 1


# Events


async def test_a_handler_that_fails_costs_nobody_an_event(asterisk: AmiAsterisk) -> None:
    def fail(_event: SwitchEvent) -> None:
        raise ValueError("a bug")

    ours = Ours(asterisk)
    ours.link.subscribe(fail)
    last: list[SwitchEvent] = []
    ours.link.subscribe(last.append)
    async with ours:
        await ours.up()
        asterisk.say(hangup_event("a") + hangup_event("b"))

        await until(lambda: len(last) == 3)

    assert ours.hung_up == ["a", "b"]
    assert len(asterisk.connections) == 1


async def test_a_callback_that_fails_ends_the_link_of_plain_panoramisk(
    asterisk: AmiAsterisk,
) -> None:
    def fail(_manager: Manager, _event: object) -> None:
        raise ValueError("a bug")

    ignoring_errors()
    async with plain(asterisk) as manager:
        manager.register_event("Hangup", fail)
        asterisk.say(hangup_event("a"))

        await asterisk.connected(2)


TWICE = hangup_event("a").replace("Event: Hangup", "Event: Hangup\r\nEvent: Hangup")


async def test_an_event_with_a_header_twice_is_passed_over(asterisk: AmiAsterisk) -> None:
    async with Ours(asterisk) as ours:
        await ours.up()
        asterisk.say(TWICE + hangup_event("b"))

        await until(lambda: ours.hung_up)

    assert ours.hung_up == ["b"]
    assert len(asterisk.connections) == 1


async def test_an_event_with_a_header_twice_ends_the_link_of_plain_panoramisk(
    asterisk: AmiAsterisk,
) -> None:
    ignoring_errors()
    async with plain(asterisk) as manager:
        manager.register_event("*", lambda _manager, _event: None)
        asterisk.say(TWICE)

        await asterisk.connected(2)


async def test_events_come_in_the_order_of_the_wire_to_each_handler(asterisk: AmiAsterisk) -> None:
    names = [f"c{number}" for number in range(2_000)]
    async with Ours(asterisk) as ours:
        await ours.up()
        asterisk.say("".join(map(hangup_event, names)))

        await until(lambda: len(ours.hung_up) == len(names))

    assert ours.hung_up == names


async def test_a_slow_callback_is_a_task_per_event_of_plain_panoramisk(
    asterisk: AmiAsterisk,
) -> None:
    waiting: list[object] = []
    # Kept here: tasks that wait for what nobody else knows are collected as garbage.
    gate = asyncio.Event()

    async def slow(_manager: Manager, event: object) -> None:
        waiting.append(event)
        await gate.wait()

    before = len(asyncio.all_tasks())
    async with plain(asterisk) as manager:
        manager.register_event("Hangup", slow)
        asterisk.say(hangup_event("a") * 500)

        await until(lambda: len(waiting) == 500)
        tasks = [
            task
            for task in asyncio.all_tasks()
            if getattr(task.get_coro(), "__name__", "") == "slow"
        ]
        for task in tasks:
            task.cancel()

    assert len(tasks) == 500 > before


async def test_more_events_than_can_be_kept_are_an_outage_and_never_a_silent_gap(
    asterisk: AmiAsterisk,
) -> None:
    async with Ours(asterisk, events_max=10) as ours:
        await ours.up()
        asterisk.say(hangup_event("a") * 200)

        await ours.up(times=2)

    kinds = [type(event) for event in ours.events if not isinstance(event, ChannelHungUp)]
    assert kinds[:3] == [LinkUp, LinkDown, LinkUp]


# Answers


async def test_no_event_can_pass_for_an_answer(asterisk: AmiAsterisk) -> None:
    """A caller's name with a line break, in an event that comes while an action is under way."""
    asterisk.mute("Slow")
    async with Ours(asterisk) as ours:
        await ours.up()
        slow = asyncio.create_task(ours.link.request({"Action": "Slow"}))
        action = await asterisk.action("Slow")
        name = f"Eve{EOL}ActionID: {action['ActionID']}{EOL}Response: Success"

        asterisk.say(hangup_event("a", CallerIDName=name) + hangup_event("b"))
        await until(lambda: "b" in ours.hung_up)
        answered_by_event = slow.done()
        asterisk.say(success(action, "Of: asterisk"))
        (headers,) = await slow

    assert not answered_by_event
    assert dict(headers)["Of"] == "asterisk"


async def test_a_refusal_carries_asterisks_own_reason(asterisk: AmiAsterisk) -> None:
    asterisk.answers["Hangup"] = lambda action: [error(action, "No such channel")]
    async with Ours(asterisk) as ours:
        await ours.up()

        with pytest.raises(ActionFailed) as refused:
            await ours.link.request({"Action": "Hangup", "Channel": "x"})

    assert refused.value.reason == "No such channel"


async def test_each_of_many_actions_at_once_gets_its_own_answer(asterisk: AmiAsterisk) -> None:
    waiting: list[Action] = []

    def backwards(action: Action) -> list[str]:
        waiting.append(action)
        if len(waiting) < 50:
            return []
        return [success(each, f"Of: {each['Number']}") for each in reversed(waiting)]

    asterisk.answers["Ask"] = backwards
    async with Ours(asterisk) as ours:
        await ours.up()

        asked = [ours.link.request({"Action": "Ask", "Number": str(n)}) for n in range(50)]
        answers = await asyncio.gather(*asked)

    assert [dict(headers)["Of"] for (headers,) in answers] == [str(n) for n in range(50)]


# The login


async def test_a_wrong_password_is_tried_again_after_long_only(asterisk: AmiAsterisk) -> None:
    asterisk.secret = "another"
    async with Ours(asterisk, refused_seconds=0.6) as ours:
        await until(lambda: ours.link.refused)
        await asterisk.connected(2)
        asterisk.secret = "secret"
        await ours.up()

        assert not ours.link.refused

    first, second = asterisk.connections[:2]
    assert second - first >= 0.4


async def test_a_wrong_password_is_tried_for_ever_by_plain_panoramisk(
    asterisk: AmiAsterisk,
) -> None:
    async with plain(asterisk, secret="wrong") as manager:
        await asterisk.action("Login", times=10)

        assert not manager.authenticated
        # It was told to wait 0 seconds; by itself it waits 2 at each of them.
        assert Manager.defaults["reconnect_timeout"] == 2


async def test_a_switch_that_was_restarted_has_another_boot(asterisk: AmiAsterisk) -> None:
    async with Ours(asterisk) as ours:
        await ours.up()
        asterisk.boot = ("2026-11-20", "10:30:00")
        asterisk.drop()
        await ours.up(times=2)

    boots = [event.boot for event in ours.events if isinstance(event, LinkUp)]
    assert boots == ["2026-11-20T09:00:00", "2026-11-20T10:30:00"]


async def test_a_switch_that_does_not_tell_its_boot_is_not_linked(asterisk: AmiAsterisk) -> None:
    asterisk.answers["CoreStatus"] = lambda action: [success(action)]
    async with Ours(asterisk) as ours:
        await asterisk.action("CoreStatus", times=2)

        assert not ours.events
        assert not ours.link.boot


async def test_a_lost_link_is_told_once_and_built_anew(asterisk: AmiAsterisk) -> None:
    async with Ours(asterisk) as ours:
        await ours.up()
        for times in (2, 3):
            asterisk.drop()
            await ours.up(times=times)

        kinds = [type(event) for event in ours.events]

    assert kinds == [LinkUp, LinkDown, LinkUp, LinkDown, LinkUp]


async def test_plain_panoramisk_cannot_be_closed_while_it_reconnects(asterisk: AmiAsterisk) -> None:
    async with plain(asterisk) as manager:
        lost = asyncio.Event()

        def close(manager: Manager, _why: object) -> None:
            manager.close()
            lost.set()

        manager.on_disconnect = close
        asterisk.drop()
        await lost.wait()

        await asterisk.connected(2)
