"""A line with a scripted switch and a real ledger: who calls, and what the line is like."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from billing.domain.plans import Meter, Plan
from billing.errors import UnknownVoucher
from billing.ids import new_id
from billing.money import parse_amount
from billing.storage.engine import create
from billing.subscriptions import Subscriptions
from ivr.calls.callbacks import Callbacks
from ivr.calls.closing import Closing
from ivr.calls.consultations import Consultations
from ivr.calls.history import CallRecord, recent
from ivr.calls.registry import Registry
from ivr.calls.stalls import StallWatch
from ivr.calls.store import CallStore
from ivr.calls.tally import Tally
from ivr.directory.destinations import Destination
from ivr.directory.model import Access, Client, Did, Directory, TariffVersion, Topic
from ivr.flows.desk import Desk as FlowDesk
from ivr.flows.support import support_line
from tests.books import SHARES, STANDARD, Desk, flat, open_desk
from tests.doubles.leg import NoRecords, ScriptedLeg, ScriptedSwitch
from tests.migrated import sqlite_url
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


class ScriptedPeople:
    """Callers whose PINs stand in the directory, and one voucher."""

    def __init__(self, stage: Callable[[], Stage], books: Desk) -> None:
        self._stage = stage
        self._books = books

    async def check_pin(self, account: str | None, pin: str, caller: str) -> bool:
        return account is not None and self._stage().directory.pins.get(account) == pin

    async def register_phone(self, account: str, number: str) -> bool:
        self._stage().registered.append((account, number))
        return True

    async def redeem(self, account: str, code: str) -> None:
        if code != "123456789012":
            raise UnknownVoucher
        await self._books.wallet.top_up(account, parse_amount("5"), key=code, actor="voucher")

    async def set_agent(self, client: str, agent: str, state: str) -> None:
        raise NotImplementedError

    async def priority(self, account: str) -> int:
        return 0


@asynccontextmanager
async def open_stage(folder: Path) -> AsyncIterator[Stage]:
    """Build a line on a ledger of its own."""
    engine = create(sqlite_url(folder))
    async with open_desk(engine, folder) as books:
        await books.caller("alice", "20")
        switch = ScriptedSwitch()
        registry = Registry(switch, calls_max=10)
        closing = Closing(
            charging=books.charging, registry=registry, records=NoRecords(),
            stalls=StallWatch(books.clock),
        )  # fmt: skip

        callbacks = Callbacks(
            engine, books.clock, switch=switch, registry=registry,
            directory=lambda: stage.directory, node="node-1", ring_seconds=30,
        )  # fmt: skip
        desk = FlowDesk(
            directory=lambda: stage.directory, people=ScriptedPeople(lambda: stage, books),
            callbacks=callbacks, consultations=Consultations(), mailbox=None,
            has_sound=lambda *_: False, charging=books.charging,
            closing=closing, registry=registry,
            store=CallStore(writer=books.writer, engine=engine), tally=Tally(books.clock),
            clock=books.clock,
            new_id=lambda: new_id(books.clock), boot=lambda: switch.boot,
            slice_seconds=15, ring_seconds=30,
        )  # fmt: skip
        stage = Stage(books, switch, registry, desk, await directory(books))
        switch.link()
        yield stage
    await engine.dispose()
