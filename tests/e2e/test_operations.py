"""What operators do to live calls, with a real Asterisk: listen in unheard, and give more time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import text

from billing.money import parse_amount
from billing.storage.engine import create
from ivr.sandbox.agent import AgentPhone, Manners
from ivr.sandbox.asterisk import PrivateAsterisk
from tests.e2e.harness import (
    ALICE,
    DID,
    LISTEN_DID,
    POOR,
    QUEUE_DID,
    Line,
    coded,
    line_under_test,
    until,
)
from tests.e2e.sipp import free_udp_port
from tests.e2e.test_outcomes import hung_up_on

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(90)]

AGENT = coded("en", "the agent speaks")
EAR = coded("en", "the listener speaks")


async def api(line: Line, method: str, path: str, **values: Any) -> tuple[int, Any]:
    token = (line.settings.state_dir / "cli.token").read_text().strip()
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "once"}
    url = f"http://127.0.0.1:{line.settings.web_port}/api/v1{path}"
    async with aiohttp.ClientSession() as session:
        answer = await session.request(method, url, headers=headers, **values)
        return answer.status, await answer.json()


@pytest.fixture
async def ear(tmp_path: Path, asterisk: PrivateAsterisk) -> AsyncIterator[tuple[Line, AgentPhone]]:
    """A line whose command line has a phone that may listen."""
    async with AgentPhone(manners=Manners(sound=EAR)) as phone:
        own = f"command line=sip:ear@127.0.0.1:{phone.port}"
        async with line_under_test(
            tmp_path, asterisk, agent_port=free_udp_port(), listen_phones=own
        ) as line:
            yield line, phone


async def test_who_listens_hears_the_talk_is_heard_by_nobody_and_is_written_down(
    ear: tuple[Line, AgentPhone],
) -> None:
    line, listener = ear
    async with (
        AgentPhone(port=line.agent_port, manners=Manners(sound=AGENT)) as agent,
        line.phone(ALICE) as phone,
    ):
        await phone.call(LISTEN_DID)
        await line.log("asked", asking="topic")
        await phone.press("1")
        await line.state("talking")
        talk = await agent.next_call()
        call_id = await line.only_call()
        status, _ = await api(
            line, "POST", f"/live/{call_id}/listen", json={"phone": "own", "reason": "a complaint"}
        )
        spy = await listener.next_call()
        await spy.answered.wait()
        await asyncio.sleep(2.5)
        await phone.hang_up()
        async with asyncio.timeout(10):
            await spy.ended.wait()
        heard = (bytes(spy.audio.heard), bytes(phone.audio.heard), bytes(talk.audio.heard))

    await line.ended(call_id)
    rows = await until(lambda: written(line))
    assert status == 202
    assert AGENT[:160] in heard[0]
    assert EAR[:160] not in heard[1]
    assert EAR[:160] not in heard[2]
    (row,) = rows
    assert (row.login, row.reason, row.call) == ("command line", "a complaint", call_id)
    assert 1.5e6 < row.ended_us - row.heard_us < 8e6
    await line.prove()


async def written(line: Line) -> list[Any]:
    engine = create(line.settings.url)
    async with engine.connect() as connection:
        rows = (
            await connection.execute(text("SELECT * FROM listenings WHERE ended_us IS NOT NULL"))
        ).all()
    await engine.dispose()
    return list(rows)


async def test_nobody_listens_to_a_line_that_does_not_tell_its_callers(
    ear: tuple[Line, AgentPhone],
) -> None:
    line, listener = ear
    async with (
        AgentPhone(port=line.agent_port, manners=Manners(sound=AGENT)),
        line.phone(ALICE) as phone,
    ):
        await phone.call(DID)
        await line.log("asked", asking="topic")
        await phone.press("1")
        await line.state("talking")
        call_id = await line.only_call()
        status, _ = await api(
            line, "POST", f"/live/{call_id}/listen", json={"phone": "own", "reason": "curious"}
        )
        await asyncio.sleep(1)
        await phone.hang_up()

    await line.ended(call_id)
    assert status == 422
    assert listener.calls.empty()


async def test_a_call_whose_money_ends_goes_on_for_the_minute_that_it_is_given(line: Line) -> None:
    async with (
        AgentPhone(port=line.agent_port, manners=Manners(talk_seconds=12.0)),
        line.phone(POOR) as phone,
    ):
        await phone.call(DID)
        await line.log("asked", asking="topic")
        await phone.press("1")
        await line.state("talking")
        await asyncio.sleep(2)
        call_id = await line.only_call()
        status, body = await api(
            line, "POST", f"/live/{call_id}/extend", json={"minutes": 1, "reason": "slow agent"}
        )
        again = await api(
            line, "POST", f"/live/{call_id}/extend", json={"minutes": 1, "reason": "slow agent"}
        )
        await hung_up_on(phone)

    record = await line.ended(call_id)
    assert (status, body["ends_after_seconds"], body["amount"]) == (200, 68, "0.60")
    assert again[1]["ends_after_seconds"] == 68
    assert record.talk_us / 1e6 == pytest.approx(12.0, abs=0.6)
    assert record.talk_us / 1e6 == pytest.approx(line.cel(record), abs=0.05)
    assert await line.balance("poor") == parse_amount("0.68") - record.cost
    await line.prove()


async def test_the_board_tells_who_waits_in_asterisk_and_who_answers(line: Line) -> None:
    async with line.phone(ALICE) as phone:
        await phone.call(QUEUE_DID)
        await line.log("asked", asking="topic")
        await phone.press("2")
        await line.state("waiting")
        await asyncio.sleep(1.5)
        _, body = await api(line, "GET", "/live/queues")
        await phone.hang_up()

    queues = {queue["name"]: queue for queue in body["items"]}
    assert body["linked"], body
    assert queues["nobody"]["waiting"], body
    (waits,) = queues["nobody"]["waiting"]
    assert waits["call_id"] == await line.only_call()
    assert waits["position"] == 1
    assert [agent["code"] for agent in queues["support"]["agents"]] == ["anna"]
    assert queues["support"]["agents"][0]["state"] == "free"
    await line.ended(await line.only_call())
