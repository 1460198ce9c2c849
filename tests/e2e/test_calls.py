from __future__ import annotations

from pathlib import Path

import pytest

from billing.money import parse_amount
from tests.e2e import sipp
from tests.e2e.harness import ALICE, DID, Line

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(90)]


@pytest.mark.parametrize("digits_by", ["info", "rfc4733"])
async def test_a_normal_call_is_billed_by_the_bridge_and_nothing_else(
    line: Line, tmp_path: Path, silence: Path, digits_by: str
) -> None:
    agent = sipp.agent(tmp_path, port=line.agent_port, ring_seconds=1, sound=silence)
    caller = sipp.caller(
        tmp_path, sip_port=line.sip_port, did=DID, number=ALICE,
        digits=[(1.0, "1")], hang_up_after=5.0,
        sound=silence if digits_by == "info" else None,
    )  # fmt: skip

    async with agent, caller:
        call = await line.log("call began")
        await caller.finished()
        record = await line.ended(call["call_id"])

    assert record.end_reason == "caller_hung_up"
    assert record.topic == "Billing"
    assert record.talk_us / 1e6 == pytest.approx(line.cel(record), abs=0.05)
    assert 2 < record.talk_us / 1e6 < 4
    assert record.cost == -(-record.talk_us // 1_000_000) * 10_000
    assert sum(part.amount for part in record.split) == record.cost
    assert await line.balance("alice") == parse_amount("20") - record.cost
    await line.prove()
