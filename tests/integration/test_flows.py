"""The support line with a scripted caller and a real ledger: what is heard, what is booked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from billing.money import parse_amount
from ivr.directory.model import Access
from tests.doubles.leg import ScriptedLeg
from tests.stage import Stage, topic


async def test_a_talk_is_charged_split_and_told(stage: Stage) -> None:
    leg = ScriptedLeg(stage.switch, digits=["1"], talk_us=4_200_000)

    record = await stage.play(leg)

    assert (record.end_reason, record.billed_seconds) == ("agent_hung_up", 5)
    assert record.cost == parse_amount("0.05")
    assert leg.dialled == ("demo:agent", 15)
    assert leg.limit == 30 + 15 + 60
    told = leg.heard[leg.heard.index("call-cost") :]
    assert told[:3] == ["call-cost", "num-5", "cur-usd-cent-many"]
    assert told[3] == "balance-left"
    assert told[-1] == "goodbye"
    assert leg.finished


async def test_a_plan_pays_first_and_the_caller_hears_it(stage: Stage) -> None:
    await stage.plan(minutes="0.05")
    leg = ScriptedLeg(stage.switch, digits=["1"], talk_us=4_200_000)

    record = await stage.play(leg)

    assert (record.billed_seconds, record.cost) == (2, parse_amount("0.02"))
    told = leg.heard[leg.heard.index("plan-pays") :]
    assert told[:4] == ["plan-pays", "num-3", "seconds", "plan-then"]
    told = leg.heard[leg.heard.index("plan-paid") :]
    assert told[:4] == ["plan-paid", "num-3", "seconds", "call-cost"]
    assert await stage.books.proved()


async def test_a_plan_alone_is_enough_for_a_call(stage: Stage) -> None:
    await stage.books.wallet.adjust(
        "alice", parse_amount("-20"), key="empty", actor="test", memo="empty"
    )
    await stage.plan(minutes="1")
    leg = ScriptedLeg(stage.switch, digits=["1"], talk_us=4_200_000)

    record = await stage.play(leg)

    assert (record.end_reason, record.billed_seconds, record.cost) == ("agent_hung_up", 0, 0)
    assert "price-is" not in leg.heard
    assert "call-cost" not in leg.heard
    assert await stage.books.proved()


async def test_the_price_is_told_before_anything_rings(stage: Stage) -> None:
    leg = ScriptedLeg(stage.switch, digits=["3"])

    await stage.play(leg)

    assert (
        leg.heard.index("price-setup") < leg.heard.index("price-is") < leg.heard.index("connecting")
    )
    assert "balance-lasts" in leg.heard


async def test_silence_leads_to_the_operator(stage: Stage) -> None:
    leg = ScriptedLeg(stage.switch, digits=["", "", ""], talk_us=1_000_000)

    record = await stage.play(leg)

    assert record.topic == "Topic 0"
    assert leg.heard.count("choice-missing") == 2


async def test_wrong_keys_are_told_and_end_the_call_where_there_is_no_operator(
    stage: Stage,
) -> None:
    stage.change(topics=(topic(1),))
    leg = ScriptedLeg(stage.switch, digits=["7", "8", "9"])

    record = await stage.play(leg)

    assert record.end_reason == "no_choice"
    assert leg.heard.count("choice-invalid") == 2
    assert leg.dialled is None


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"kind": "premium"}, "line_closed"),
        ({"access": Access(trust_caller_id=False, pin="never")}, "unknown_caller"),
    ],
)
async def test_a_line_that_does_not_serve_the_caller_says_so(
    stage: Stage, facts: dict[str, object], reason: str
) -> None:
    stage.change(**facts)
    leg = ScriptedLeg(stage.switch, digits=[])

    record = await stage.play(leg)

    assert (record.end_reason, record.cost) == (reason, 0)
    assert leg.heard
    assert leg.finished


async def test_a_blocked_account_is_told_so(stage: Stage) -> None:
    await stage.books.wallet.set_status("alice", "blocked")
    leg = ScriptedLeg(stage.switch, digits=[])

    record = await stage.play(leg)

    assert record.end_reason == "account_blocked"
    assert leg.heard[-1] == "account-blocked"


async def test_an_unknown_account_and_a_wrong_pin_sound_alike(stage: Stage) -> None:
    stage.change(access=Access(trust_caller_id=False, pin="required"))
    heard = []
    for account in ("100001", "999999"):
        leg = ScriptedLeg(stage.switch, number="15559990000", digits=[account, "0000"] * 3)
        record = await stage.play(leg)
        assert record.end_reason == "login_failed"
        heard.append(leg.heard)

    assert heard[0] == heard[1]


async def test_a_full_line_is_told_and_leaves_no_trace_in_the_ledger(stage: Stage) -> None:
    stage.registry.closed = True
    leg = ScriptedLeg(stage.switch, digits=[])

    record = await stage.play(leg)

    assert record.end_reason == "line_busy"
    assert leg.heard == ["line-busy"]


async def test_a_hang_up_in_the_menu_is_free(stage: Stage) -> None:
    leg = ScriptedLeg(stage.switch, digits=[None])

    record = await stage.play(leg)

    assert (record.end_reason, record.cost) == ("caller_hung_up", 0)


async def test_a_failing_step_apologises_and_is_free(stage: Stage) -> None:
    stage.directory = replace(stage.directory, tariffs={})
    leg = ScriptedLeg(stage.switch, digits=["1"])

    record = await stage.play(leg)

    assert (record.end_reason, record.cost) == ("technical_problem", 0)
    assert leg.heard[-1] == "technical-problem"


@pytest.mark.parametrize(
    ("number", "pressed", "registered"),
    [
        ("15559990000", ["100001", "1234", "1", "1"], [("alice", "15559990000")]),
        ("15559990000", ["100001", "1234", "", "1"], []),
        ("100", ["100001", "1234", "1"], []),  # an extension is many people's
        ("", ["100001", "1234", "1"], []),
    ],
)
async def test_a_phone_is_registered_after_a_pin_when_its_caller_wishes(
    stage: Stage, number: str, pressed: list[str], registered: list[tuple[str, str]]
) -> None:
    leg = ScriptedLeg(stage.switch, digits=[*pressed], talk_us=1_000_000, number=number)

    record = await stage.play(leg)

    assert record.account == "alice"
    assert stage.registered == registered
    assert ("phone-registered" in leg.heard) == bool(registered)


async def test_no_phone_is_registered_where_caller_ids_are_not_trusted(stage: Stage) -> None:
    stage.change(access=Access(trust_caller_id=False, pin="required"))
    leg = ScriptedLeg(
        stage.switch, digits=["100001", "1234", "1"], talk_us=1_000_000, number="15559990000"
    )

    await stage.play(leg)

    assert "register-phone" not in leg.heard
