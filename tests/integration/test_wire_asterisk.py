"""The leg, the switch and the record of talks on a real Asterisk, with phones of our own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from billing.clock import SystemClock
from ivr.agi.server import AgiServer
from ivr.ami.cel import CelFile
from ivr.ami.link import AmiLink
from ivr.ami.switch import AmiSwitch
from ivr.sandbox.agent import AgentPhone, Manners
from ivr.sandbox.asterisk import PrivateAsterisk
from ivr.sandbox.phone import Phone
from ivr.telephony import (
    AgentAnswered,
    BridgeEntered,
    BridgeLeft,
    CallerHungUp,
    CallFacts,
    CallLeg,
    ChannelGone,
    ChannelHungUp,
    DialResult,
    SwitchEvent,
    TalkRecord,
)
from tests.doubles.asterisk import until

pytestmark = pytest.mark.asterisk

DID = "18005550100"
CALLER = "15551230001"
CALL_SECONDS = 20.0
WITHIN_US = 50_000
WITHIN_SECONDS = 0.5  # the machine of a test may be busy

Serve = Callable[[CallLeg], Awaitable[object]]


class Wire:
    """Everything that the service holds in its hands, and every event."""

    def __init__(self, asterisk: PrivateAsterisk) -> None:
        self.asterisk = asterisk
        self.link = AmiLink(
            "127.0.0.1",
            asterisk.ami_port,
            username="talkmeter",
            secret=asterisk.ami_secret,
            clock=SystemClock(),
        )
        self.switch = AmiSwitch(self.link)
        self.records = CelFile(asterisk.home.cel)
        self.events: list[SwitchEvent] = []
        self.switch.subscribe(self.events.append)

    def of(self, kind: type[SwitchEvent]) -> list[SwitchEvent]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def talk(self) -> BridgeEntered | None:
        """The moment that two were in the bridge."""
        entries = (event for event in self.events if isinstance(event, BridgeEntered))
        return next((event for event in entries if event.members == 2), None)

    async def record(self, facts: CallFacts) -> TalkRecord:
        """The record, when Asterisk has written that the call is over."""
        async with asyncio.timeout(CALL_SECONDS):
            while True:
                record = await self.records.of(uniqueid=facts.uniqueid, since_us=0)
                if record.over:
                    return record
                await asyncio.sleep(0.02)


@pytest.fixture
async def wire(asterisk: PrivateAsterisk) -> AsyncIterator[Wire]:
    wire = Wire(asterisk)
    task = asyncio.create_task(wire.link.run(), name="ami")
    await until(lambda: wire.switch.boot)
    yield wire
    task.cancel()
    await asyncio.wait([task])


@asynccontextmanager
async def a_call(wire: Wire, serve: Serve) -> AsyncIterator[tuple[Phone, asyncio.Future[object]]]:
    """Call; `serve` answers for the service, and what comes of it is told by the future."""
    outcome: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    async def on_call(leg: CallLeg, path: str) -> None:
        if path != "call" or outcome.done():
            return
        try:
            async with asyncio.timeout(CALL_SECONDS):
                outcome.set_result(await serve(leg))
        except Exception as error:  # noqa: BLE001 - the test judges it
            outcome.set_result(error)

    port = wire.asterisk.wanted.agi_port
    sip = ("127.0.0.1", wire.asterisk.wanted.sip)
    async with (
        AgiServer("127.0.0.1", port, on_call=on_call, node="node-1"),
        Phone(server=sip, from_number=CALLER, from_name="Eve") as phone,
    ):
        await phone.call(DID)
        yield phone, outcome


def sip_agent(agent: AgentPhone) -> str:
    return f"sip:agent@127.0.0.1:{agent.port}"


async def test_a_whole_call_by_verbs_with_three_witnesses_of_its_talk(wire: Wire) -> None:
    digits: list[str] = []

    async def serve(leg: CallLeg) -> DialResult:
        await leg.answer()
        digits.append(await leg.collect("welcome", "enter-pin", digits_max=4, wait_seconds=5))
        digits.append(await leg.collect("press", digits_max=1, wait_seconds=0.05))
        await leg.play("connecting", "one-minute-left")
        await leg.set_limit(30.5)
        result = await leg.connect(sip_agent(agent), limit_seconds=20, ring_seconds=5)
        await leg.say_digits("42")
        await leg.finish()
        await leg.hang_up()
        facts.append(leg.facts)
        return result

    facts: list[CallFacts] = []
    async with (
        AgentPhone(manners=Manners(talk_seconds=0.6)) as agent,
        a_call(wire, serve) as (phone, outcome),
    ):
        await phone.press("47#")
        result = await outcome
        async with asyncio.timeout(CALL_SECONDS):
            await phone.ended.wait()
    record = await wire.record(facts[0])
    await until(lambda: len(wire.of(BridgeLeft)) == 2)

    assert result is DialResult.TALKED
    assert digits == ["47", ""]
    assert facts[0].did == DID
    assert (facts[0].caller_number, facts[0].caller_name) == (CALLER, "Eve")
    entered, left = wire.talk, wire.of(BridgeLeft)[0]
    assert entered is not None
    assert isinstance(left, BridgeLeft)
    assert entered.linkedid == facts[0].uniqueid
    assert record.started_us is not None
    assert record.ended_us is not None
    assert abs(record.started_us - entered.at_us) < WITHIN_US
    assert abs(record.ended_us - left.at_us) < WITHIN_US
    ours = left.received - entered.received
    assert abs((left.at_us - entered.at_us) / 1_000_000 - ours) < WITHIN_SECONDS
    (answered,) = wire.of(AgentAnswered)
    assert isinstance(answered, AgentAnswered)
    assert answered.uniqueid == facts[0].uniqueid


@pytest.mark.parametrize(
    ("manners", "result"),
    [
        (Manners(refuse_with="486 Busy Here"), DialResult.BUSY),
        (Manners(refuse_with="404 Not Found"), DialResult.UNREACHABLE),
        (Manners(ring_seconds=30), DialResult.NO_ANSWER),
    ],
)
async def test_an_agent_that_takes_no_call_is_named_by_how(
    wire: Wire, manners: Manners, result: DialResult
) -> None:
    async def serve(leg: CallLeg) -> DialResult:
        await leg.answer()
        return await leg.connect(sip_agent(agent), limit_seconds=5, ring_seconds=1)

    async with AgentPhone(manners=manners) as agent, a_call(wire, serve) as (_, outcome):
        assert await outcome is result

    assert wire.talk is None


async def test_a_caller_that_hangs_up_in_the_talk_is_told_as_such_and_recorded(wire: Wire) -> None:
    facts: list[CallFacts] = []

    async def serve(leg: CallLeg) -> object:
        facts.append(leg.facts)
        await leg.answer()
        return await leg.connect("demo:agent", limit_seconds=20, ring_seconds=5)

    async with a_call(wire, serve) as (phone, outcome):
        await until(lambda: wire.talk)
        await phone.hang_up()
        error = await outcome
    record = await wire.record(facts[0])
    await until(
        lambda: any(
            isinstance(event, ChannelHungUp) and event.uniqueid == facts[0].uniqueid
            for event in wire.events
        )
    )

    assert isinstance(error, CallerHungUp)
    assert record.started_us is not None
    assert record.ended_us is not None


@pytest.mark.parametrize("verb", ["collect", "play", "connect"])
async def test_a_caller_that_hangs_up_in_a_verb_is_told_as_such(wire: Wire, verb: str) -> None:
    began = asyncio.Event()

    async def serve(leg: CallLeg) -> object:
        await leg.answer()
        began.set()
        if verb == "collect":
            return await leg.collect("welcome", digits_max=5, wait_seconds=10)
        if verb == "connect":
            return await leg.connect(sip_agent(agent), limit_seconds=5, ring_seconds=10)
        for _ in range(100):
            await leg.play("welcome")
        return "never noticed"

    async with (
        AgentPhone(manners=Manners(ring_seconds=30)) as agent,
        a_call(wire, serve) as (phone, outcome),
    ):
        await began.wait()
        await phone.hang_up()

        assert isinstance(await outcome, CallerHungUp)


async def test_the_switch_lists_limits_and_ends_a_live_talk(wire: Wire) -> None:
    facts: list[CallFacts] = []

    async def serve(leg: CallLeg) -> DialResult:
        facts.append(leg.facts)
        await leg.answer()
        result = await leg.connect("demo:agent", limit_seconds=20, ring_seconds=5)
        await leg.play("goodbye")
        await leg.finish()
        return result

    async with a_call(wire, serve) as (_, outcome):
        await until(lambda: wire.talk)
        listed = await wire.switch.channels()
        both = [channel for channel in listed.channels if channel.bridge]
        agent = next(one for one in both if one.uniqueid != facts[0].uniqueid)
        await wire.switch.whisper(facts[0].channel, ["one-minute-left"])
        await wire.switch.set_limit(agent.channel, 0.5)
        began = asyncio.get_running_loop().time()
        result = await outcome
        lasted = asyncio.get_running_loop().time() - began
        await until(
            lambda: (
                agent.channel
                in {event.channel for event in wire.events if isinstance(event, ChannelHungUp)}
            )
        )
        with pytest.raises(ChannelGone):
            await wire.switch.set_limit(agent.channel, 5)
        await wire.switch.hang_up(agent.channel)

    assert listed.boot == wire.switch.boot
    assert len(both) == 2
    assert len({channel.bridge for channel in both}) == 1
    assert {channel.linkedid for channel in both} == {facts[0].uniqueid}
    assert result is DialResult.TALKED
    assert lasted < 0.5 + 1 + WITHIN_SECONDS


async def test_a_wrong_secret_is_refused_and_told(asterisk: PrivateAsterisk) -> None:
    link = AmiLink(
        "127.0.0.1",
        asterisk.ami_port,
        username="talkmeter",
        secret="wrong",
        clock=SystemClock(),
    )
    task = asyncio.create_task(link.run(), name="ami")

    await until(lambda: link.refused)
    task.cancel()
    await asyncio.wait([task])

    assert not link.boot
