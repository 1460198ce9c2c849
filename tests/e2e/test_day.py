"""A simulated day: callers who do anything at any time, on real phones against a real Asterisk.

They press wrong keys, say nothing, hang up in every state, leave messages, ask to be called back,
call twice at once, run out of money and are topped up; agents put them through, or do not answer in
time. Afterwards every invariant of the ledger holds, and Asterisk's own record agrees with
every charge. `TALKMETER_DAY_CALLS=300` makes it a long day; the seed is fixed.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections import Counter

import pytest
from sqlalchemy import select

from billing.storage.engine import create
from ivr.sandbox.agent import AgentCall, AgentPhone, Manners
from ivr.tables import calls
from tests.e2e.harness import (
    ALICE,
    BOB,
    CAROL,
    DESK_DID,
    DID,
    EUROPEAN,
    PLANNED,
    POOR,
    PREMIUM_DID,
    QUEUE_DID,
    SECURE_DID,
    SHORT_DID,
    STRANGER,
    Line,
)

CALLS = int(os.environ.get("TALKMETER_DAY_CALLS", "40"))
AT_ONCE = 6
CALL_SECONDS_MAX = 25
SEED = 4711
LINES = (DID, DID, DESK_DID, DESK_DID, QUEUE_DID, SHORT_DID, SECURE_DID, PREMIUM_DID)
PHONES = (ALICE, BOB, CAROL, POOR, PLANNED, EUROPEAN, STRANGER)
# Among them what a line asks for: account number, PIN, topics, yes.
KEYS = ("1", "1", "1", "0", "3", "4", "5", "7", "9", "#", "100001#", "471100#", "000000#", "")

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(120 + CALLS * 6)]


async def anybody(line: Line, dice: random.Random) -> None:
    """One caller: presses something now and then, and hangs up some time, or is hung up on."""
    async with line.phone(dice.choice(PHONES)) as phone:
        patience = dice.uniform(0.3, CALL_SECONDS_MAX * 0.6)
        try:
            async with asyncio.timeout(CALL_SECONDS_MAX):
                await phone.call(dice.choice(LINES))
                async with asyncio.timeout(patience):
                    while not phone.ended.is_set():
                        await asyncio.sleep(dice.uniform(0.1, 1.0))
                        if keys := dice.choice(KEYS):
                            await phone.press(keys)
        except TimeoutError:
            await phone.hang_up()


# What agents press while they talk: mostly nothing, or a transfer to a topic, an agent, nowhere.
AGENT_KEYS = ("", "", "", "1", "*2", "*22", "*24713#", "*28", "*24", "*34713#", "*31", "*38")


async def restless(agent: AgentPhone, dice: random.Random) -> None:
    """All agents: each call is answered, and now and then somebody presses keys."""
    async with asyncio.TaskGroup() as group:
        while True:
            group.create_task(_answer(await agent.calls.get(), random.Random(dice.random())))


async def _answer(call: AgentCall, dice: random.Random) -> None:
    await call.answered.wait()
    await asyncio.sleep(dice.uniform(0.5, 1.5))
    for key in dice.choice(AGENT_KEYS):
        await call.audio.press(key)
        await asyncio.sleep(0.3)


async def day(line: Line) -> None:
    dice = random.Random(SEED)
    room = asyncio.Semaphore(AT_ONCE)

    async def one(seed: int) -> None:
        async with room:
            await anybody(line, random.Random(seed))

    async with asyncio.TaskGroup() as group:
        for number in range(CALLS):
            group.create_task(one(dice.randrange(2**32)))
            if number % 10 == 9:
                group.create_task(line.top_up("poor", "0.05"))


async def test_after_a_day_of_anything_every_charge_is_right(line: Line) -> None:
    manners = Manners(ring_seconds=0.2, talk_seconds=6.0)
    async with AgentPhone(port=line.agent_port, manners=manners) as agent:
        answering = asyncio.create_task(restless(agent, random.Random(SEED)), name="agents")
        await day(line)
        async with asyncio.timeout(60):
            while await live(line):  # noqa: ASYNC110 - rows of a database
                await asyncio.sleep(0.2)
        answering.cancel()

    records = await ends(line)
    reconciled = await line.run("reconcile", "--json")
    assert len(records) >= CALLS * 0.9  # who hung up before the ring was answered left no call
    assert {state for state, _ in records} == {"ended"}
    found = json.loads(reconciled)
    assert found["differences"] == []
    assert found["compared"] > CALLS // 10
    reasons = Counter(reason for _, reason in records)
    assert len(reasons) >= 4, reasons
    assert "technical_problem" not in reasons, reasons
    for account in ("alice", "bob", "carol", "poor", "planned", "euro", "telco"):
        await line.balance(account)  # nothing is held any more
    await line.prove()


async def live(line: Line) -> int:
    engine = create(line.settings.url)
    async with engine.connect() as connection:
        rows = (await connection.execute(select(calls.c.ended_us))).all()
    await engine.dispose()
    began = sum(fact.get("event") == "call began" for fact in line.seen)
    return sum(row.ended_us is None for row in rows) + max(0, began - len(rows))


async def ends(line: Line) -> list[tuple[str, str]]:
    engine = create(line.settings.url)
    async with engine.connect() as connection:
        rows = (await connection.execute(select(calls.c.state, calls.c.end_reason))).all()
    await engine.dispose()
    return [(row.state, row.end_reason) for row in rows]
