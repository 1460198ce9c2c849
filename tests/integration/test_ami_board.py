"""Asterisk's answer about its queues becomes a board; what does not look right is left out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from billing.clock import SystemClock
from ivr.ami.board import QueueBoard
from ivr.ami.link import AmiLink
from ivr.ami.switch import AmiSwitch
from ivr.telephony import SwitchUnavailable
from tests.doubles.asterisk import Action, AmiAsterisk, error, message, success, until


def listed(action: Action, *events: str) -> Sequence[str]:
    head, name = success(action, "EventList: start"), f"ActionID: {action['ActionID']}"
    rows = []
    for event in events:
        first, *rest = event.split("\n")
        rows.append(message(first, *rest, name))
    return [head, *rows, message("Event: QueueStatusComplete", name)]


def member(name: str, *, queue: str = "tm-network", status: str = "1", **values: str) -> str:
    rows = {
        "Queue": queue, "Name": name, "Status": status, "Paused": "0", "InCall": "0",
        "LastCall": "0", "Wrapuptime": "10", "CallsTaken": "3", **values,
    }  # fmt: skip
    return "\n".join(["Event: QueueMember", *(f"{key}: {text}" for key, text in rows.items())])


def entry(position: str, wait: str, uniqueid: str = "1.1") -> str:
    return "\n".join(
        [
            "Event: QueueEntry", "Queue: tm-network", f"Position: {position}",
            f"Uniqueid: {uniqueid}", f"Wait: {wait}",
        ]
    )  # fmt: skip


@asynccontextmanager
async def linked(manager: AmiAsterisk) -> AsyncIterator[AmiLink]:
    link = AmiLink(
        "127.0.0.1", manager.port, username="talkmeter", secret=manager.secret,
        clock=SystemClock(),
    )  # fmt: skip
    task = asyncio.create_task(link.run(), name="link")
    try:
        await until(lambda: link.boot)
        yield link
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_callers_stand_in_line_and_agents_have_their_states():
    async with AmiAsterisk() as manager:
        manager.answers["QueueStatus"] = lambda action: listed(
            action,
            entry("2", "5", "1.2"),
            entry("1", "42"),
            member("acme.anna"),
            member("acme.bill", status="2"),
            member("acme.cleo", status="6"),
            member("acme.dora", Paused="1"),
            member("acme.emil", LastCall="995"),
            member("acme.fred", status="5"),
        )
        async with linked(manager) as link:
            board = await QueueBoard(link).read(now=1000.0)

    queue = board["network"]
    assert [(one.position, one.waits_seconds) for one in queue.callers] == [(1, 42), (2, 5)]
    assert [one.state for one in queue.agents] == [
        "free", "talking", "ringing", "paused", "wrap_up", "unreachable",
    ]  # fmt: skip


async def test_queues_of_others_and_nonsense_are_left_out():
    async with AmiAsterisk() as manager:
        manager.answers["QueueStatus"] = lambda action: listed(
            action, member("x", queue="sales"), entry("one", "5"), entry("1", "5")
        )
        async with linked(manager) as link:
            board = await QueueBoard(link).read(now=0)

    assert list(board) == ["network"]
    assert len(board["network"].callers) == 1


async def test_a_switch_that_says_no_is_unavailable():
    async with AmiAsterisk() as manager:
        manager.answers["QueueStatus"] = lambda action: [error(action, "no queues")]
        async with linked(manager) as link:
            with pytest.raises(SwitchUnavailable):
                await QueueBoard(link).read(now=0)


async def test_a_phone_that_listens_is_rung_without_any_way_to_be_heard():
    async with AmiAsterisk() as manager, linked(manager) as link:
        await AmiSwitch(link).listen(
            "sip:olga@127.0.0.1:5090", "PJSIP/trunk-1",
            "0190a000-0000-7000-8000-000000000001",
        )  # fmt: skip
        action = await manager.action("Originate")

    assert action["Application"] == "ChanSpy"
    assert action["Data"] == "PJSIP/trunk-1,qE"
    assert action["ChannelId"] == "0190a000-0000-7000-8000-000000000001"
