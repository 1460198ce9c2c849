"""What Asterisk does with a call, measured with phones of our own and a bare FastAGI service.

The service's design stands on these facts; a newer Asterisk that breaks one is told apart here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from ivr.sandbox.agent import AgentPhone, Manners
from ivr.sandbox.asterisk import PrivateAsterisk
from ivr.sandbox.phone import CallRefused, Phone
from tests.integration.parts import AmiConnection, Script, Session, cel, manager, service

pytestmark = pytest.mark.asterisk

DID = "18005550100"
TONE = b"\x80\x80\x00\x00" * 40
WITHIN_SECONDS = 0.25  # measured within 5 ms; the machine of a test may be busy


class Sounds:
    """The bytes of the prompts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, *names: str) -> bytes:
        return b"".join((self._folder / f"{name}.ulaw").read_bytes() for name in names)


@pytest.fixture
def said(sounds: Path) -> Sounds:
    return Sounds(sounds)


def caller(asterisk: PrivateAsterisk, *, number: str = "15551230001", name: str = "Eve") -> Phone:
    return Phone(
        server=("127.0.0.1", asterisk.wanted.sip), from_number=number, from_name=name, sound=TONE
    )


def script(*steps: str | Callable[[Session], Awaitable[None]], done: bool = True) -> Script:
    """A service that answers, plays these commands, and ends as planned."""

    async def play(session: Session) -> None:
        if session.path != "call":
            return
        await session.do("ANSWER")
        for step in steps:
            if isinstance(step, str):
                await session.do(step)
            else:
                await step(session)
        if done:
            await session.do("SET VARIABLE TALKMETER_DONE 1")

    return play


def dial(target: str, limit_seconds: int, *, ring_seconds: int = 5) -> str:
    return f'EXEC Dial "{target},{ring_seconds},U(talkmeter-agent^{limit_seconds})"'


def sip_agent(agent: AgentPhone) -> str:
    return f"PJSIP/agents/sip:agent@127.0.0.1:{agent.port}"


def seconds_between(first: dict[str, str], second: dict[str, str]) -> float:
    return float(second["Timestamp"]) - float(first["Timestamp"])


async def talk(ami: AmiConnection) -> tuple[dict[str, str], dict[str, str]]:
    """The two events a call is billed from."""
    enter = await ami.event("BridgeEnter", BridgeNumChannels="2")
    leave = await ami.event("BridgeLeave", BridgeUniqueid=enter["BridgeUniqueid"])
    return enter, leave


async def test_the_limit_on_the_agents_leg_ends_the_talk_and_the_caller_is_told_more(
    asterisk: PrivateAsterisk, said: Sounds
) -> None:
    async with (
        AgentPhone(manners=Manners(ring_seconds=0.2, sound=TONE)) as agent,
        service(
            asterisk.wanted.agi_port,
            script(dial(sip_agent(agent), 2), "EXEC Playback talkmeter/goodbye"),
        ),
        manager(asterisk) as ami,
        caller(asterisk) as phone,
    ):
        await phone.call(DID)
        enter, leave = await talk(ami)
        await phone.audio.hear(said("goodbye"), seconds_max=3)

        assert seconds_between(enter, leave) == pytest.approx(2, abs=WITHIN_SECONDS)
        call = await agent.next_call()
        assert call.ended.is_set()
        assert call.audio.loud_packets_heard == pytest.approx(100, abs=25)


@pytest.mark.parametrize(("armed", "moved_to", "expected"), [(2, 2, 3), (9, 1, 2)])
async def test_the_limit_on_the_agents_leg_moves_both_ways(
    asterisk: PrivateAsterisk, armed: int, moved_to: int, expected: int
) -> None:
    async with (
        AgentPhone() as agent,
        service(asterisk.wanted.agi_port, script(dial(sip_agent(agent), armed))),
        manager(asterisk) as ami,
        caller(asterisk) as phone,
    ):
        await phone.call(DID)
        answer = await ami.event("DialEnd", DialStatus="ANSWER")
        enter = await ami.event("BridgeEnter", BridgeNumChannels="2")
        await asyncio.sleep(1)
        reply = await ami.do(
            Action="AbsoluteTimeout", Channel=answer["DestChannel"], Timeout=f"{moved_to}"
        )
        _, leave = await talk(ami)

        assert reply["Response"] == "Success"
        assert seconds_between(enter, leave) == pytest.approx(expected, abs=WITHIN_SECONDS)


async def test_the_channel_event_log_agrees_with_the_manager_and_is_written_at_once(
    asterisk: PrivateAsterisk,
) -> None:
    async with (
        AgentPhone(manners=Manners(talk_seconds=0.5)) as agent,
        service(asterisk.wanted.agi_port, script(dial(sip_agent(agent), 5))) as over,
        manager(asterisk) as ami,
        caller(asterisk) as phone,
    ):
        await phone.call(DID)
        enter, leave = await talk(ami)
        session = await over.get()
        linkedid = session.headers["agi_uniqueid"]
        async with asyncio.timeout(0.5):
            while len(rows := cel(asterisk.home.cel, linkedid)) < 5:  # noqa: ASYNC110 - a file
                await asyncio.sleep(0.005)

        bridge = [row for row in rows if row["kind"].startswith("BRIDGE")]
        assert [row["kind"] for row in bridge] == ["BRIDGE_ENTER"] * 2 + ["BRIDGE_EXIT"] * 2
        assert {row["bridge"] for row in bridge} == {enter["BridgeUniqueid"]}
        assert {row["channel"] for row in bridge} == {enter["Channel"], leave["Channel"]}
        assert bridge[1]["at"] == pytest.approx(float(enter["Timestamp"]), abs=0.05)
        assert bridge[2]["at"] == pytest.approx(float(leave["Timestamp"]), abs=0.05)
        # Both channels end in threads of their own: in which order is nobody's matter.
        assert "HANGUP" in [row["kind"] for row in rows]


async def test_prompts_are_joined_without_a_gap(asterisk: PrivateAsterisk, said: Sounds) -> None:
    async with (
        service(
            asterisk.wanted.agi_port,
            script(
                "EXEC Playback talkmeter/press&talkmeter/for",
                "EXEC Read X,talkmeter/welcome&talkmeter/and,4,,1,0.1",
            ),
        ) as over,
        caller(asterisk) as phone,
    ):
        await phone.call(DID)
        await over.get()

        place = await phone.audio.hear(said("press", "for"), seconds_max=1)
        await phone.audio.hear(said("welcome", "and"), after=place, seconds_max=1)


async def test_get_data_cannot_join_prompts_so_read_is_used(asterisk: PrivateAsterisk) -> None:
    async with (
        service(
            asterisk.wanted.agi_port,
            script("GET DATA talkmeter/press&talkmeter/for 100 4"),
        ) as over,
        caller(asterisk) as phone,
    ):
        await phone.call(DID)
        session = await over.get()

        assert session.lines[1] == "200 result=-1"


@pytest.mark.parametrize("how", ["rfc4733", "info"])
async def test_digits_arrive_while_a_prompt_is_spoken_and_stop_it(
    asterisk: PrivateAsterisk, said: Sounds, how: str
) -> None:
    heard: list[str] = []
    asking = asyncio.Event()

    async def ask(session: Session) -> None:
        asking.set()
        long = "&".join(["talkmeter/press"] * 30)
        await session.do(f"EXEC Read X,{long},6,,1,2")
        heard.append(await session.variable("X"))

    async with (
        service(asterisk.wanted.agi_port, script(ask)) as over,
        caller(asterisk) as phone,
    ):
        await phone.call(DID)
        await asking.wait()
        await phone.audio.hear(said("press"), seconds_max=2)
        await (phone.press if how == "rfc4733" else phone.press_by_info)("471*#")
        await over.get()

        assert heard == ["471*"]


async def test_what_a_caller_says_of_itself_is_reduced_to_harmless_characters(
    asterisk: PrivateAsterisk,
) -> None:
    hostile = caller(asterisk, number="+1555%2723%2C%22%24%7BX%7D9", name='Eve <b>;$(x)&|`\\" 1')
    async with service(asterisk.wanted.agi_port, script()) as over, hostile as phone:
        await phone.call(f"+{DID}")
        session = await over.get()

        assert session.headers["agi_callerid"] == "+1555239"
        assert session.headers["agi_calleridname"] == "Eve bx 1"
        assert session.headers["agi_dnid"] == DID
        assert session.headers["agi_arg_1"] == DID
        assert session.headers["agi_request"].endswith("/call")


@pytest.mark.parametrize("did", ["abc", "12a", "s", "*1", "1%2C2", "12%26", "12%22%29", "12;x=1"])
async def test_what_is_no_number_never_reaches_the_service(
    asterisk: PrivateAsterisk, did: str
) -> None:
    async with service(asterisk.wanted.agi_port, script()) as over, caller(asterisk) as phone:
        with pytest.raises(CallRefused) as caught:
            await phone.call(did, seconds_max=5)

        assert caught.value.code in {400, 404, 416, 484}
        assert over.empty()


async def test_a_caller_that_hangs_up_ends_the_command_and_the_session(
    asterisk: PrivateAsterisk, said: Sounds
) -> None:
    ends: list[str] = []

    async def speak(session: Session) -> None:
        ends.append(await session.do("EXEC Playback " + "&".join(["talkmeter/press"] * 30)))
        ends.append(await session.rest())

    async with (
        service(asterisk.wanted.agi_port, script(speak, done=False)) as over,
        caller(asterisk) as phone,
    ):
        await phone.call(DID)
        await phone.audio.hear(said("press"), seconds_max=2)
        await phone.hang_up()
        await over.get()

        assert ends == ["200 result=-1", ""]
        assert over.empty(), "nobody is left to say farewell to"


@pytest.mark.parametrize("who_ends", ["caller", "limit"])
async def test_a_service_that_hangs_keeps_no_channel(
    asterisk: PrivateAsterisk, who_ends: str
) -> None:
    ends: list[str] = []

    async def hang(session: Session) -> None:
        if who_ends == "limit":
            await session.do("SET AUTOHANGUP 1")
        ends.append(await session.rest())

    async with (
        service(asterisk.wanted.agi_port, script(hang, done=False)) as over,
        manager(asterisk) as ami,
        caller(asterisk) as phone,
    ):
        await phone.call(DID)
        if who_ends == "caller":
            await phone.hang_up()
        session = await over.get()
        await ami.event("Hangup", Uniqueid=session.headers["agi_uniqueid"])

        assert ends == [""]
        async with asyncio.timeout(3):
            await phone.ended.wait()


async def test_the_built_in_agent_talks_until_its_limit(
    asterisk: PrivateAsterisk, said: Sounds
) -> None:
    async with (
        service(asterisk.wanted.agi_port, script(dial("Local/agent@talkmeter-demo/n", 1))) as over,
        manager(asterisk) as ami,
        caller(asterisk) as phone,
    ):
        await phone.call(DID)
        answer = await ami.event("DialEnd", DialStatus="ANSWER")
        enter, leave = await talk(ami)
        await over.get()

        assert answer["DestChannel"].startswith("Local/agent@talkmeter-demo-")
        assert seconds_between(enter, leave) == pytest.approx(1, abs=WITHIN_SECONDS)
        await phone.audio.hear(said("demo-agent-1"), seconds_max=1)


async def test_a_whisper_is_heard_whole_by_the_one_it_is_for_and_by_nobody_else(
    asterisk: PrivateAsterisk,
) -> None:
    async with (
        AgentPhone() as agent,
        service(asterisk.wanted.agi_port, script(dial(sip_agent(agent), 20))) as over,
        manager(asterisk) as ami,
        Phone(server=("127.0.0.1", asterisk.wanted.sip), from_number="15551230001") as phone,
    ):
        await phone.call(DID)
        enter = await ami.event("BridgeEnter", BridgeNumChannels="2")
        call = await agent.next_call()
        reply = await ami.do(
            Action="Originate",
            Channel="Local/s@talkmeter-whisper/n",
            Application="ChanSpy",
            Data=f"{enter['Channel']},qwE",
            Variable="TALKMETER_SAY=talkmeter/one-minute-left&talkmeter/goodbye",
            Async="true",
        )
        await ami.event("Hangup", Channel="Local/s@talkmeter-whisper-")

        assert reply["Response"] == "Success"
        assert phone.audio.loud_packets_heard == pytest.approx(20, abs=4)
        assert call.audio.loud_packets_heard == 0
        await phone.hang_up()
        await over.get()


async def test_a_caller_hears_that_the_agents_phone_rings(asterisk: PrivateAsterisk) -> None:
    async with (
        AgentPhone(manners=Manners(ring_seconds=10)) as agent,
        service(
            asterisk.wanted.agi_port, script(dial(sip_agent(agent), 5, ring_seconds=1))
        ) as over,
        caller(asterisk) as phone,
    ):
        await phone.call(DID)
        call = await agent.next_call()
        await over.get()

        assert phone.audio.loud_packets_heard > 30
        assert not call.answered.is_set()


async def test_an_apology_is_spoken_when_the_service_does_not_listen(
    asterisk: PrivateAsterisk, said: Sounds
) -> None:
    async with caller(asterisk) as phone:
        await phone.call(DID, seconds_max=5)
        await phone.audio.hear(said("technical-problem"), seconds_max=3)
        async with asyncio.timeout(3):
            await phone.ended.wait()


async def test_an_apology_is_spoken_when_the_service_dies_in_a_call(
    asterisk: PrivateAsterisk, said: Sounds
) -> None:
    async with (
        service(asterisk.wanted.agi_port, script(done=False)) as over,
        caller(asterisk) as phone,
    ):
        await phone.call(DID)
        await phone.audio.hear(said("technical-problem"), seconds_max=3)
        async with asyncio.timeout(3):
            await phone.ended.wait()

        paths = [(await over.get()).path for _ in range(2)]
        assert paths == ["call", "farewell"]


async def test_a_service_that_is_back_takes_leave_itself(
    asterisk: PrivateAsterisk, said: Sounds
) -> None:
    async def farewell(session: Session) -> None:
        if session.path == "call":
            await session.do("ANSWER")
            return
        await session.do("EXEC Playback talkmeter/goodbye")
        await session.do("SET VARIABLE TALKMETER_DONE 1")

    async with service(asterisk.wanted.agi_port, farewell), caller(asterisk) as phone:
        await phone.call(DID)
        await phone.audio.hear(said("goodbye"), seconds_max=3)
        async with asyncio.timeout(3):
            await phone.ended.wait()

        with pytest.raises(TimeoutError):
            await phone.audio.hear(said("technical-problem"), seconds_max=0)
