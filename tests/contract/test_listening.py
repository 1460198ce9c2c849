"""Listening to a talk: only where the caller was told, always written down, over with the call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.errors import InvalidInput
from billing.ids import new_id
from ivr.calls.call import Call
from ivr.calls.listening import AT_ONCE, Listenings
from ivr.calls.registry import Registry
from ivr.calls.states import CallState
from ivr.directory.destinations import Destination
from ivr.directory.model import Directory
from ivr.directory.queues import Agent, Queue
from ivr.operation_tables import listenings
from ivr.telephony import AgentAnswered, CallFacts, ChannelHungUp
from tests.books import Desk, open_desk
from tests.doubles.leg import ScriptedSwitch

ANNA = Agent(code="anna", destination=Destination.parse("sip:anna@127.0.0.1:5090"))
OTHER = Agent(code="otto", destination=Destination.parse("sip:otto@127.0.0.1:5090"))
DIRECTORY = Directory(
    dids={}, clients={}, tariffs={}, phones={}, numbers={}, pins={},
    queues={
        "network": Queue(name="network", client="acme", agents=(ANNA,)),
        "legal": Queue(name="legal", client="globex", agents=(OTHER,)),
    },
)  # fmt: skip


class Ear:
    """One talk of acme's, and who may listen to it."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.switch = ScriptedSwitch()
        self.registry = Registry(self.switch, calls_max=5)
        self.listenings = Listenings(
            registry=self.registry, switch=self.switch, writer=desk.writer, clock=desk.clock,
            directory=lambda: DIRECTORY, phones={"olga": "sip:olga@127.0.0.1:5099"},
            new_id=lambda: new_id(desk.clock),
        )  # fmt: skip

    def talk(self, *, told: bool = True, state: CallState = CallState.TALKING) -> Call:
        call = Call(
            id=new_id(self.desk.clock), clock=self.desk.clock, boot="b", started_us=0,
            state=state, client="acme", listen_told=told,
            facts=CallFacts(
                node="n", channel="PJSIP/trunk-1", uniqueid="1.1", did="1", caller_number="2",
                caller_name="",
            ),
        )  # fmt: skip
        self.registry.add(call)
        return call

    async def listen(self, call: Call, phone: str = "own", login: str = "olga") -> str:
        found = await self.listenings.listen(
            call.id, login=login, phone=phone, reason="a complaint"
        )
        assert found
        return found

    async def written(self) -> list[tuple[str, str, bool, bool]]:
        async with self.desk.engine.connect() as connection:
            rows = await connection.execute(select(listenings).order_by(listenings.c.id))
            return [
                (row.login, row.phone, row.heard_us is not None, row.ended_us is not None)
                for row in rows
            ]


@pytest.fixture
async def ear(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Ear]:
    async with open_desk(engine, tmp_path) as desk:
        yield Ear(desk)


async def test_a_talk_whose_caller_was_not_told_is_heard_by_nobody(ear: Ear):
    call = ear.talk(told=False)

    with pytest.raises(InvalidInput, match="not told"):
        await ear.listen(call)

    assert not ear.switch.listened
    assert not await ear.written()


@pytest.mark.parametrize("state", [CallState.CHOOSING, CallState.WAITING])
async def test_only_talks_are_heard_not_what_callers_key_in(ear: Ear, state: CallState):
    with pytest.raises(InvalidInput, match="nobody talks"):
        await ear.listen(ear.talk(state=state))


@pytest.mark.parametrize(
    ("login", "phone"), [("otto", "own"), ("olga", "agent:otto"), ("olga", "sip:x@evil:5060")]
)
async def test_only_phones_that_are_known_ring(ear: Ear, login: str, phone: str):
    with pytest.raises(InvalidInput, match="phones that may ring"):
        await ear.listen(ear.talk(), phone=phone, login=login)

    assert not ear.switch.listened


async def test_ones_own_phone_and_the_agents_of_the_client_may_ring(ear: Ear):
    assert ear.listenings.phones("olga", "acme") == {
        "own": "sip:olga@127.0.0.1:5099", "agent:anna": "sip:anna@127.0.0.1:5090",
    }  # fmt: skip


async def test_it_is_written_down_before_the_phone_rings_then_when_it_was_heard(ear: Ear):
    call = ear.talk()
    listening = await ear.listen(call)
    asked = await ear.written()
    ear.switch.tell(
        AgentAnswered(
            uniqueid="", channel="", agent_channel="PJSIP/agents-9", at_us=5_000_000,
            agent_uniqueid=listening,
        )
    )  # fmt: skip
    ear.switch.tell(
        ChannelHungUp(
            channel="PJSIP/agents-9", uniqueid=listening, linkedid=listening, at_us=9_000_000
        )
    )
    await ear.listenings.round()

    assert asked == [("olga", "sip:olga@127.0.0.1:5099", False, False)]
    assert await ear.written() == [("olga", "sip:olga@127.0.0.1:5099", True, True)]
    assert ear.switch.listened == [("sip:olga@127.0.0.1:5099", "PJSIP/trunk-1", listening)]
    assert [mark[1] for mark in call.marks] == ["listened"]


async def test_so_many_listen_at_once_and_no_more(ear: Ear):
    call = ear.talk()
    for _ in range(AT_ONCE):
        await ear.listen(call)

    with pytest.raises(InvalidInput, match="too many"):
        await ear.listen(call)


async def test_a_call_that_is_over_cannot_be_heard(ear: Ear):
    assert (await ear.listenings.listen("gone", login="olga", phone="own", reason="r")) is None
