"""What a line allows, with a scripted caller and a real ledger."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from billing.domain.notation import parse_days
from billing.domain.tariffs import Window
from billing.money import parse_amount
from billing.storage.tables import sessions
from ivr.calls.call import Call
from ivr.directory.model import Access
from ivr.directory.rules import ClientRules, LineRules, Opening, TopicRules
from ivr.flows.support import support_line
from ivr.tables import calls
from tests.doubles.leg import ScriptedLeg
from tests.stage import Stage, topic

VOUCHER = "123456789012"
# The clock of the tests stands at Wednesday noon.
MORNINGS = Opening(hours=(Window(days=parse_days("mon-fri"), from_minute=480, to_minute=720),))
NOONS = Opening(hours=(Window(days=parse_days("mon-fri"), from_minute=720, to_minute=780),))


async def empty(stage: Stage, left: str = "0") -> None:
    await stage.books.wallet.adjust(
        "alice", parse_amount(left) - parse_amount("20"), key="empty", actor="test", memo="empty"
    )


@pytest.mark.parametrize(
    ("opening", "reason"),
    [
        (MORNINGS, "line_closed"),
        (NOONS, "agent_hung_up"),
        (replace(NOONS, holidays=("03-04",)), "line_closed"),
    ],
)
async def test_a_line_is_open_by_its_hours(stage: Stage, opening: Opening, reason: str) -> None:
    stage.change(rules=LineRules(opening=opening))
    leg = ScriptedLeg(stage.switch, digits=["1"], talk_us=1_000_000)

    record = await stage.play(leg)

    assert record.end_reason == reason
    assert ("line-closed" in leg.heard) == (reason == "line_closed")


async def test_hours_are_those_of_the_lines_own_clock(stage: Stage) -> None:
    stage.change(rules=LineRules(opening=NOONS), timezone="Europe/Vilnius")  # 14:00 there

    record = await stage.play(ScriptedLeg(stage.switch, digits=["1"]))

    assert record.end_reason == "line_closed"


async def test_a_closed_topic_is_not_offered_and_says_so_when_pressed(stage: Stage) -> None:
    closed = replace(topic(1), rules=TopicRules(opening=MORNINGS))
    stage.change(topics=(closed, topic(3)))
    leg = ScriptedLeg(stage.switch, digits=["1", "3"], talk_us=1_000_000)

    record = await stage.play(leg)

    assert record.topic == "Topic 3"
    assert "topic-1" not in leg.heard
    assert "topic-closed" in leg.heard


async def test_a_hidden_topic_is_not_offered_but_can_be_chosen(stage: Stage) -> None:
    stage.change(topics=(replace(topic(1), rules=TopicRules(hidden=True)), topic(3)))
    leg = ScriptedLeg(stage.switch, digits=["1"], talk_us=1_000_000)

    record = await stage.play(leg)

    assert record.topic == "Topic 1"
    assert "topic-1" not in leg.heard


async def test_a_topic_that_is_switched_off_is_as_if_it_were_not_there(stage: Stage) -> None:
    stage.change(topics=(replace(topic(1), rules=TopicRules(enabled=False)), topic(3)))
    leg = ScriptedLeg(stage.switch, digits=["1", "3"], talk_us=1_000_000)

    await stage.play(leg)

    assert "choice-invalid" in leg.heard


async def test_no_talk_is_longer_than_the_line_allows(stage: Stage) -> None:
    stage.change(rules=LineRules(maximum_talk_seconds=10))
    leg = ScriptedLeg(stage.switch, digits=["1"], talk_us=10_000_000)

    record = await stage.play(leg)

    assert leg.dialled == ("demo:agent", 10)
    assert (record.end_reason, record.billed_seconds) == ("time_limit", 10)
    assert "time-ended" in leg.heard


async def test_what_the_switch_took_to_cut_the_talk_is_nobodys_to_pay(stage: Stage) -> None:
    stage.change(rules=LineRules(maximum_talk_seconds=10))

    record = await stage.play(ScriptedLeg(stage.switch, digits=["1"], talk_us=10_002_213))

    assert record.billed_seconds == 10


@pytest.mark.parametrize(("proved", "limit"), [(False, 5), (True, 15)])
async def test_who_gave_no_pin_may_spend_less(stage: Stage, *, proved: bool, limit: int) -> None:
    stage.change(
        rules=LineRules(spend_limit=parse_amount("0.05")),
        access=Access(trust_caller_id=True, pin="required" if proved else "optional"),
    )
    digits = ["1234", "1"] if proved else ["1"]
    leg = ScriptedLeg(stage.switch, digits=digits, talk_us=1_000_000)

    await stage.play(leg)

    assert leg.dialled == ("demo:agent", limit)


@pytest.mark.parametrize(
    ("pressed", "reason"), [("1", "agent_hung_up"), ("2", "price_declined"), ("", "price_declined")]
)
async def test_a_price_that_must_be_accepted(stage: Stage, pressed: str, reason: str) -> None:
    stage.change(rules=LineRules(confirm_price=True))
    leg = ScriptedLeg(stage.switch, digits=["1", pressed], talk_us=1_000_000)

    record = await stage.play(leg)

    assert record.end_reason == reason
    assert leg.heard.index("price-is") < leg.heard.index("accept-price")
    assert (leg.dialled is None) == (reason == "price_declined")


async def test_a_voucher_pays_for_a_call_that_the_balance_cannot(stage: Stage) -> None:
    await empty(stage)
    leg = ScriptedLeg(stage.switch, digits=["1", "999", VOUCHER], talk_us=1_000_000)

    record = await stage.play(leg)

    assert record.end_reason == "agent_hung_up"
    assert leg.heard.index("enter-voucher") < leg.heard.index("voucher-wrong")
    assert "balance-lasts" in leg.heard


@pytest.mark.parametrize("pressed", [["1", ""], ["1", "999", "998", "997"]])
async def test_without_a_voucher_a_small_balance_ends_the_call(
    stage: Stage, pressed: list[str]
) -> None:
    await empty(stage)
    leg = ScriptedLeg(stage.switch, digits=[*pressed])

    record = await stage.play(leg)

    assert (record.end_reason, record.cost) == ("balance_too_small", 0)
    assert leg.heard[-1] == "balance-too-small"


async def test_a_premium_line_debits_no_caller_and_splits_what_the_carrier_pays(
    stage: Stage,
) -> None:
    await stage.books.wallet.open_account(
        "telco", mode="postpaid", currency="USD", credit_limit=parse_amount("1000")
    )
    stage.change(kind="premium", rules=LineRules(carrier="telco", announced="standard"))
    leg = ScriptedLeg(stage.switch, digits=["1"], talk_us=4_200_000, number="15559990000")

    record = await stage.play(leg)

    assert (record.account, record.cost) == ("telco", parse_amount("0.05"))
    assert leg.heard.index("premium-price") < leg.heard.index("price-setup")
    assert not {"enter-account", "balance-is", "call-cost", "balance-left"} & set(leg.heard)
    assert (await stage.books.charging.balance("telco")).posted == -parse_amount("0.05")
    assert await stage.books.proved()


async def test_an_account_has_so_many_calls_at_once(stage: Stage) -> None:
    stage.desk = replace(stage.desk, account_calls_max=0)
    leg = ScriptedLeg(stage.switch, digits=[])

    record = await stage.play(leg)

    assert record.end_reason == "line_busy"
    assert leg.heard == ["line-busy"]


@pytest.mark.parametrize(("pressed", "rating"), [("5", 5), ("9", None), ("", None)])
async def test_a_caller_may_rate_the_agent_after_the_talk(
    stage: Stage, pressed: str, rating: int | None
) -> None:
    stage.change(rules=LineRules(ask_rating=True))
    leg = ScriptedLeg(stage.switch, digits=["1", pressed], talk_us=1_000_000)

    record = await stage.play(leg)

    async with stage.books.engine.connect() as connection:
        kept = await connection.scalar(select(calls.c.rating).where(calls.c.id == record.call_id))
    assert kept == rating
    assert leg.heard.index("call-cost") < leg.heard.index("rate-agent")
    assert leg.heard[-1] == "goodbye"


async def test_the_lines_of_a_suspended_client_take_no_new_call(stage: Stage) -> None:
    clients = {
        code: replace(client, rules=ClientRules(suspended=True))
        for code, client in stage.directory.clients.items()
    }
    stage.directory = replace(stage.directory, clients=clients)
    leg = ScriptedLeg(stage.switch, digits=["1"])

    record = await stage.play(leg)

    assert record.end_reason == "line_suspended"
    assert leg.heard == ["line-closed"]


async def test_who_was_rung_is_written_down_with_the_talk(stage: Stage) -> None:
    await stage.play(ScriptedLeg(stage.switch, digits=["1"], talk_us=1_000_000))
    async with stage.books.engine.connect() as connection:
        served = (await connection.scalars(select(sessions.c.agent))).all()

    assert served == ["demo:agent"]


async def test_a_client_has_so_many_calls_at_once(stage: Stage) -> None:
    clients = {
        code: replace(client, rules=ClientRules(calls_max=1))
        for code, client in stage.directory.clients.items()
    }
    stage.directory = replace(stage.directory, clients=clients)
    other = Call(
        id="other", facts=replace(ScriptedLeg(stage.switch, digits=[]).facts, uniqueid="2.2"),
        boot="b", started_us=0, clock=stage.books.clock, client="acme",
    )  # fmt: skip
    stage.registry.add(other)

    leg = ScriptedLeg(stage.switch, digits=[])

    await support_line(leg, stage.desk)

    assert leg.heard == ["line-busy"]


@pytest.mark.parametrize(
    ("countries", "own", "reason"),
    [
        ({"US"}, (), "no_agent"),
        ({"US"}, ("DE",), "topic_unavailable"),
        (set(), (), "topic_unavailable"),
    ],
)
async def test_phones_ring_in_allowed_countries_only(
    stage: Stage, countries: set[str], own: tuple[str, ...], reason: str
) -> None:
    stage.change(topics=(topic(1, "phone:+12025550199"),))
    stage.desk = replace(stage.desk, countries=frozenset(countries))
    clients = {
        code: replace(client, rules=ClientRules(countries=own))
        for code, client in stage.directory.clients.items()
    }
    stage.directory = replace(stage.directory, clients=clients)
    leg = ScriptedLeg(stage.switch, digits=["1"])

    record = await stage.play(leg)

    assert record.end_reason == reason
    assert (leg.dialled is not None) == (reason == "no_agent")
