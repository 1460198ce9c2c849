"""More talk for a live call, on a real ledger: who pays, how far the end moves, and only once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.errors import IdempotencyConflict, InvalidInput
from billing.money import parse_amount
from ivr.calls.call import Call
from ivr.calls.control import Control
from ivr.calls.meter import Meter
from ivr.calls.registry import Registry
from ivr.calls.states import CallState
from ivr.telephony import CallFacts
from tests.books import Desk, flat, open_desk
from tests.doubles.leg import ScriptedSwitch

CENT_A_SECOND = flat("0.60")
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


class Line:
    """One call of alice that talks: a cent a second, one dollar on her account."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.switch = ScriptedSwitch()
        self.registry = Registry(self.switch, calls_max=5)
        self.control = Control(registry=self.registry, wallet=desk.wallet)
        self.meter = Meter(
            registry=self.registry, charging=desk.charging, switch=self.switch, clock=desk.clock,
            slice_seconds=15, renew_seconds=7, words=lambda *_: ("warned",),
        )  # fmt: skip

    async def talk(self, *, ceiling: int | None = None) -> Call:
        call = Call(
            id="0190a000-0000-7000-8000-000000000001", clock=self.desk.clock, boot="b",
            started_us=0, state=CallState.TALKING, account="alice", client="acme",
            facts=CallFacts(
                node="n", channel="PJSIP/trunk-1", uniqueid="1.1", did="1", caller_number="2",
                caller_name="",
            ),
        )  # fmt: skip
        call.terms = await self.desk.terms(call.id, "alice", CENT_A_SECOND)
        call.ceiling_seconds = ceiling
        grant = await self.desk.charging.open(call.terms, slice_seconds=15, expires_seconds=9999)
        call.take_grant(grant)
        call.talk.started_us, call.talk.agent_channel = 1, "PJSIP/agents-1"
        call.talk.started_at = self.desk.clock.monotonic()
        self.registry.add(call)
        await self.tick()
        return call

    async def tick(self) -> None:
        async with asyncio.TaskGroup() as group:
            self.meter.tick(group)

    async def extend(self, call: Call, minutes: int = 2, key: str = "k" * 20) -> None:
        assert await self.control.extend(
            call.id, minutes=minutes, key=key, actor="olga", reason="a slow agent"
        )


@pytest.fixture
async def line(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Line]:
    async with open_desk(engine, tmp_path) as desk:
        await desk.caller("alice", "1")
        yield Line(desk)


async def test_the_provider_pays_for_what_the_caller_lacks_and_the_end_moves(line: Line):
    call = await line.talk()
    assert call.ends_after_seconds == 100

    await line.extend(call, minutes=2)
    line.desk.clock.advance(9)
    await line.tick()

    assert call.ends_after_seconds == 220
    assert (await line.desk.wallet.account("alice")).posted == parse_amount("2.20")
    assert await line.desk.proved()


async def test_the_same_wish_twice_at_once_and_again_is_given_once(line: Line):
    call = await line.talk()

    await asyncio.gather(line.extend(call), line.extend(call))
    await line.extend(call)

    assert (await line.desk.wallet.account("alice")).posted == parse_amount("2.20")
    assert sum(one.minutes for one in call.extensions.values()) == 2


async def test_the_same_key_with_another_time_is_refused(line: Line):
    call = await line.talk()
    await line.extend(call)

    with pytest.raises(IdempotencyConflict):
        await line.extend(call, minutes=3)


async def test_a_line_that_ends_talks_ends_this_one_later_at_no_cost(line: Line):
    call = await line.talk(ceiling=15)
    line.desk.clock.advance(9)
    await line.tick()

    await line.extend(call, minutes=1)
    await line.tick()  # it holds more
    line.desk.clock.advance(9)
    await line.tick()

    assert call.ends_after_seconds == 75
    assert call.limit_seconds > 15
    assert line.switch.limits[-2][0] == "PJSIP/agents-1"
    assert line.switch.limits[-2][1] > 9
    assert (await line.desk.wallet.account("alice")).posted == parse_amount("1")


async def test_a_talk_that_nothing_limits_cannot_be_extended(line: Line):
    await line.desk.wallet.top_up("alice", parse_amount("100000"), key="k", actor="o")
    call = await line.talk()

    with pytest.raises(InvalidInput, match="nothing limits"):
        await line.extend(call)


async def test_a_call_that_is_over_is_not_extended(line: Line):
    assert (
        await line.control.extend("gone", minutes=1, key="k" * 20, actor="olga", reason="r") is None
    )
