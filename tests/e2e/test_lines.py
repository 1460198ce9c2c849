"""What a line demands and says, with a real phone: a price to accept, notices, the longest talk."""

from __future__ import annotations

from pathlib import Path

import pytest

from billing.money import parse_amount
from tests.e2e import sipp
from tests.e2e.harness import ALICE, PREMIUM_DID, SHORT_DID, STRANGER, Line
from tests.e2e.test_outcomes import hung_up_on

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(90)]


async def test_a_dearer_tier_is_whispered_and_the_longest_talk_ends_to_the_second(
    line: Line, tmp_path: Path, silence: Path
) -> None:
    async with (
        sipp.agent(tmp_path, port=line.agent_port, sound=silence),
        line.phone(ALICE) as phone,
    ):
        await phone.call(SHORT_DID)
        await line.log("asked", asking="topic")
        await phone.press("1")
        await line.log("asked", asking="price")
        await phone.press("1")
        notice = await line.log("notice said")
        await hung_up_on(phone)

    record = await line.ended(await line.only_call())
    assert notice["dearer"] is True
    assert record.end_reason == "time_limit"
    assert line.cel(record) == pytest.approx(8.0, abs=0.3)
    assert record.cost == parse_amount("0.08")
    await line.prove()


async def test_a_price_that_is_not_accepted_costs_nothing(line: Line) -> None:
    async with line.phone(ALICE) as phone:
        await phone.call(SHORT_DID)
        await line.log("asked", asking="topic")
        await phone.press("1")
        await line.log("asked", asking="price")
        await phone.press("9")
        await hung_up_on(phone)

    record = await line.ended(await line.only_call())
    assert (record.end_reason, record.cost) == ("price_declined", 0)
    await line.prove()


async def test_a_premium_line_takes_anybody_and_the_carrier_owes_the_payout(
    line: Line, tmp_path: Path, silence: Path
) -> None:
    async with (
        sipp.agent(tmp_path, port=line.agent_port, talk_seconds=2.0, sound=silence),
        line.phone(STRANGER) as phone,
    ):
        await phone.call(PREMIUM_DID)
        await line.log("asked", asking="topic")
        await phone.press("1")
        await hung_up_on(phone)

    record = await line.ended(await line.only_call())
    assert (record.account, record.end_reason) == ("telco", "agent_hung_up")
    assert record.cost == record.billed_seconds * parse_amount("0.01")
    assert await line.balance("telco") == -record.cost
    await line.prove()
