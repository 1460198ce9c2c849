"""A topic changed over the API is what the next caller hears; who talks goes on as agreed."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from typing import Any

import pytest

from billing.money import parse_amount
from ivr.sandbox.agent import AgentPhone
from tests.e2e.harness import ALICE, BOB, DID, Line, heard
from tests.e2e.test_outcomes import hung_up_on

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(90)]


async def ask(line: Line, method: str, path: str, **body: Any) -> dict[str, Any]:
    """Ask the API of the running service."""
    settings = line.settings
    token = (settings.state_dir / "cli.token").read_text(encoding="utf-8").strip()
    request = urllib.request.Request(
        f"http://127.0.0.1:{settings.web_port}/api/v1{path}",
        method=method,
        data=json.dumps(body).encode() if body else None,
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )

    def send() -> dict[str, Any]:
        with urllib.request.urlopen(request, timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    return await asyncio.to_thread(send)


async def test_a_topic_that_was_changed_is_what_the_next_caller_hears(line: Line) -> None:
    async with AgentPhone(port=line.agent_port), line.phone(ALICE) as phone:
        await phone.call(DID)
        await line.log("asked", asking="topic")
        await phone.press("1")
        await line.state("talking")
        known = len(line.seen)
        before = await ask(line, "GET", f"/dids/{DID}")
        topics = before["notation"]["topics"]
        topics["1"] = {"name": "Legal", "destination": "demo:agent", "tariff": "double"}
        del topics["2"]
        await ask(
            line, "PUT", f"/dids/{DID}", notation=before["notation"], version=before["version"]
        )
        await line.log("directory loaded", since=known)
        async with line.phone(BOB) as other:
            await other.call(DID)
            await line.log("asked", asking="topic", since=known)
            await asyncio.sleep(2.5)
            await other.hang_up()
        await phone.hang_up()
        await hung_up_on(phone)
    said = heard(bytes(other.audio.heard))

    assert "topic-legal" in said
    assert not {"topic-billing", "topic-network"} & set(said)
    calls = [fact["call_id"] for fact in line.seen if fact.get("event") == "call began"]
    record = await line.ended(str(calls[0]))
    assert (record.topic, record.tariff) == ("Billing", "cent")
    assert record.cost <= parse_amount("0.60")
    await line.prove()
