"""A second client of the demo, with a reseller above it, a referrer, and payouts in every state."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import insert

from billing.charging import Charging
from billing.clock import ManualClock, SystemClock, microseconds_of
from billing.domain.agreements import Referrer
from billing.domain.operations import AccountRef
from billing.domain.payouts import BankAccount, PayoutTerms
from billing.domain.rating import RateTable
from billing.domain.sessions import SessionTerms
from billing.domain.splits import Share
from billing.ids import new_id
from billing.journal import Journal
from billing.money import parse_amount
from billing.payouts import Payouts
from ivr.directory.catalog_apply import apply
from ivr.directory.client_rows import client_rows
from ivr.directory.clients import save_client
from ivr.directory.destinations import Destination
from ivr.directory.edits import fragment
from ivr.directory.model import Access, Client, Did, Topic
from ivr.tables import calls

if TYPE_CHECKING:
    from ivr.app import Service

CODE: Final = "lexline"
RESELLER: Final = "northgate"
REFERRER: Final = "bridgeway"
DID: Final = "18005550600"
CALLER: Final = ("bob", "15551230002")
AGENTS: Final = ("anna", "boris", "clara")
BANK: Final = BankAccount(name="Lexline Legal", iban="LT121000011101001000", bic="HABALT22")
HOLD_BACK_DAYS: Final = 7
DAYS: Final = 28
LAST_DAY: Final = 3
NEW_AGREEMENT_DAY: Final = 15
SECOND_US: Final = 1_000_000
NOTE: Final = "made up for the demo"
ASKED: Final = ("5", "4", "3", "2")


async def fill_parties(service: Service, today: datetime) -> int:
    """Open the client, change its agreement half-way, and let everybody earn; returns the calls."""
    await _open(service, today - timedelta(days=DAYS + 1))
    dice = random.Random(DAYS)  # noqa: S311 - the same month each time
    made = 0
    for day in range(DAYS, LAST_DAY - 1, -1):
        at = today - timedelta(days=day)
        if day == NEW_AGREEMENT_DAY:
            await _agree_anew(service, at)
        for _ in range(dice.randint(0, 2)):
            started = at - timedelta(minutes=dice.randint(1, 500))
            await _call(service, started, dice.choice((45, 90, 200, 420)), dice.choice(AGENTS))
            made += 1
    await _payouts(service)
    return made


async def _open(service: Service, at: datetime) -> None:
    from ivr.app import pin_key

    engine, clock = service.books.engine, ManualClock(at)
    client = Client(
        code=CODE,
        title="Lexline Legal",
        currency="USD",
        shares=(_share("provider", "provider", 2_500), _share("client", CODE, 7_500)),
        referrers=(Referrer(account=REFERRER, basis_points=1_000, bonus=parse_amount("25")),),
    )
    key = pin_key(service.settings)
    await save_client(engine, client, seen="", actor="operator", clock=clock, pin_key=key)
    topics = [
        Topic(digit=digit, name=name, destination=Destination(kind="demo", target="agent"),
              tariff=None)
        for digit, name in ((1, "Contracts"), (2, "Tenancy"), (0, "Operator"))
    ]  # fmt: skip
    did = Did(
        number=DID, client=CODE, kind="local", monthly_fee=parse_amount("12"),
        timezone="Europe/Vilnius", tariff="hourly",
        access=Access(trust_caller_id=True, pin="optional"), topics=tuple(topics),
    )  # fmt: skip
    await apply(engine, fragment(dids=(did,)), clock=clock, pin_key=key)
    await service.books.directory.load()


async def _agree_anew(service: Service, at: datetime) -> None:
    """From now on a reseller stands above the client."""
    from ivr.app import pin_key

    engine = service.books.engine
    async with engine.connect() as connection:
        row = (await client_rows(connection, [CODE]))[CODE]
    shares = (
        _share("provider", "provider", 2_500),
        _share("client", CODE, 6_500),
        _share("reseller", RESELLER, 1_000),
    )
    await save_client(
        engine, replace(row.client, shares=shares), seen=row.mark, actor="operator",
        clock=ManualClock(at), pin_key=pin_key(service.settings),
    )  # fmt: skip
    await service.books.directory.load()


async def _call(service: Service, at: datetime, talks: int, agent: str) -> None:
    books, clock = service.books, ManualClock(at)
    directory = books.directory.current()
    did, client = directory.dids[DID], directory.client(CODE)
    topic = did.topics[talks % 2]
    version = directory.tariff(did.tariff)
    call_id, started_us = new_id(clock), microseconds_of(at)
    begun_us = started_us + 20 * SECOND_US
    terms = SessionTerms(
        session_id=call_id, account=CALLER[0], client=CODE, service=DID, detail=topic.name,
        tariff_version_id=version.id,
        table=RateTable.compile(version.tariff, started_at=at, timezone=did.timezone),
        timezone=did.timezone, shares=client.shares_at(started_us), currency=client.currency,
        priced_us=started_us,
    )  # fmt: skip
    journal = Journal(service.settings.state_dir / "journal")
    charging = Charging(writer=books.writer, engine=books.engine, clock=clock, journal=journal)
    grant = await charging.open(terms, slice_seconds=talks, expires_seconds=3_600)
    clock.advance(20 + talks)
    await charging.settle(
        terms, talk_us=talks * SECOND_US, granted_seconds=grant.seconds, started_us=begun_us,
        ended_us=begun_us + talks * SECOND_US, evidence="ami", note=NOTE, agent=agent,
    )  # fmt: skip
    row = {
        "id": call_id, "node": "demo", "boot": "demo", "channel": "demo", "uniqueid": call_id,
        "did": DID, "client": CODE, "account": CALLER[0], "caller": CALLER[1],
        "digit": topic.digit, "topic": topic.name, "destination": str(topic.destination),
        "tariff": did.tariff, "tariff_version": 1, "state": "ended", "started_us": started_us,
        "answered_us": begun_us, "ended_us": begun_us + (talks + 3) * SECOND_US,
        "end_reason": "agent_hung_up",
    }  # fmt: skip
    async with books.engine.begin() as connection:
        await connection.execute(insert(calls), row)


async def _payouts(service: Service) -> None:
    """Ask for four payouts, and decide three of them: one in each state."""
    use = Payouts(engine=service.books.engine, clock=SystemClock())
    party = AccountRef(kind="client", code=CODE, currency="USD")
    await use.set_terms(
        "client", CODE, PayoutTerms(hold_back_days=HOLD_BACK_DAYS, minimum=10_000, bank=BANK)
    )
    payable = (await use.payable(party)).payable
    asked = [parse_amount(amount) for amount in ASKED]
    if payable < sum(asked):
        return
    ids = [
        (await use.request(party, key=f"demo-{number}", actor=CODE, amount=amount)).id
        for number, amount in enumerate(asked)
    ]
    for payout_id in ids[:2]:
        await use.approve(payout_id, actor="operator")
    await use.pay(ids[0], actor="operator")
    await use.reject(ids[2], actor="operator", note="The bank account is closed")


def _share(kind: str, account: str, basis_points: int) -> Share:
    return Share(kind=kind, account=account, basis_points=basis_points)
