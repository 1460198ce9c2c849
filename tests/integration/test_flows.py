"""The support line with a scripted caller and a real ledger: what is heard, what is booked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from billing.domain.plans import Meter, Plan
from billing.ids import new_id
from billing.money import parse_amount
from billing.storage.engine import create
from billing.subscriptions import Subscriptions
from ivr.calls.closing import Closing
from ivr.calls.history import CallRecord, recent
from ivr.calls.registry import Registry
from ivr.calls.stalls import StallWatch
from ivr.calls.store import CallStore
from ivr.directory.model import Access, Client, Destination, Did, Directory, TariffVersion, Topic
from ivr.flows.desk import Desk as FlowDesk
from ivr.flows.support import support_line
from ivr.migrations import upgrade
from tests.books import SHARES, STANDARD, Desk, flat, open_desk
from tests.doubles.leg import NoRecords, ScriptedLeg, ScriptedSwitch
from tests.plans import Shop

CENT = flat("0.60")


@dataclass
class Stage:
    """A line with one caller to come."""

    books: Desk
    switch: ScriptedSwitch
    registry: Registry
    desk: FlowDesk
    directory: Directory
    registered: list[tuple[str, str]] = field(default_factory=list)

    async def plan(self, *, minutes: str) -> None:
        """Let alice subscribe a plan that costs nothing."""
        meter = Meter(unit="minutes", included=parse_amount(minutes) * 60)
        shop = Shop(self.books, Subscriptions(engine=self.books.engine, clock=self.books.clock))
        await shop.offer(Plan(name="talk", currency="USD", price=0, meters=(meter,)))
        await shop.plans.subscribe("alice", "talk")

    async def play(self, leg: ScriptedLeg) -> CallRecord:
        await support_line(leg, self.desk)
        async with self.books.engine.connect() as connection:
            (record,) = await recent(connection, limit=1)
        assert await self.books.proved()
        assert len(self.registry) == 0
        return record

    def change(self, **facts: object) -> None:
        did = self.directory.dids["18005550100"]
        self.directory = replace(
            self.directory,
            dids={did.number: replace(did, **facts)},  # type: ignore[arg-type]
        )


def topic(digit: int, destination: str = "demo:agent", tariff: str | None = None) -> Topic:
    return Topic(
        digit=digit, name=f"Topic {digit}", destination=Destination.parse(destination),
        tariff=tariff,
    )  # fmt: skip


async def directory(books: Desk) -> Directory:
    tariffs = {
        name: TariffVersion(id=await books.version(tariff), name=name, version=1, tariff=tariff)
        for name, tariff in (("cent", CENT), ("standard", STANDARD))
    }
    did = Did(
        number="18005550100", client="acme", kind="local", monthly_fee=0, timezone="UTC",
        tariff="cent", access=Access(trust_caller_id=True, pin="optional"),
        topics=(topic(1), topic(2, "queue:network"), topic(3, tariff="standard"), topic(0)),
    )  # fmt: skip
    return Directory(
        dids={did.number: did},
        clients={"acme": Client(code="acme", title="Acme", currency="USD", shares=SHARES)},
        tariffs=tariffs,
        phones={"15551230001": "alice"},
        numbers={"100001": "alice"},
        pins={"alice": "1234"},
    )


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    engine = create(f"sqlite+aiosqlite:///{tmp_path}/talkmeter.db")
    await upgrade(engine)
    async with open_desk(engine, tmp_path) as books:
        await books.caller("alice", "20")
        switch = ScriptedSwitch()
        registry = Registry(switch, calls_max=10)
        closing = Closing(
            charging=books.charging, registry=registry, records=NoRecords(),
            stalls=StallWatch(books.clock),
        )  # fmt: skip

        async def check_pin(account: str | None, pin: str, _caller: str) -> bool:
            return account is not None and stage.directory.pins.get(account) == pin

        async def register_phone(account: str, number: str) -> bool:
            stage.registered.append((account, number))
            return True

        desk = FlowDesk(
            directory=lambda: stage.directory, check_pin=check_pin, register_phone=register_phone,
            charging=books.charging,
            closing=closing, registry=registry,
            store=CallStore(writer=books.writer, engine=engine), clock=books.clock,
            new_id=lambda: new_id(books.clock), boot=lambda: switch.boot,
            slice_seconds=15, ring_seconds=30,
        )  # fmt: skip
        stage = Stage(books, switch, registry, desk, await directory(books))
        switch.link()
        yield stage
    await engine.dispose()


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
