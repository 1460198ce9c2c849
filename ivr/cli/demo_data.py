"""A month of made-up calls for `talkmeter run`, so that no page and no chart is empty.

They are booked like real ones, through the ledger, at moments that are over; each says in its note
that nobody talked. They end two days ago, so that `talkmeter reconcile` compares real calls only.
"""

from __future__ import annotations

import contextlib
import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import insert, select

from billing.charging import Charging
from billing.clock import ManualClock, SystemClock, microseconds_of
from billing.domain.invoices import Month
from billing.domain.rating import RateTable
from billing.domain.sessions import SessionTerms
from billing.errors import InvalidInput
from billing.ids import new_id
from billing.invoicing import Invoicing
from billing.journal import Journal
from billing.money import parse_amount
from billing.vouchers import Vouchers
from billing.wallet import Wallet
from ivr.cli.demo_cards import fill_cards
from ivr.cli.demo_operations import operations, picture
from ivr.cli.demo_parties import AGENTS, fill_parties
from ivr.cli.demo_webhooks import fill_webhooks
from ivr.directory.care import add_note
from ivr.directory.own_prompts import OwnPrompt, save_prompt
from ivr.sandbox.configure import LANGUAGE, PROMPTS
from ivr.sounds import browser_sound, spoken
from ivr.tables import callbacks, calls

if TYPE_CHECKING:
    from ivr.app import Service
    from ivr.directory.model import Topic

PLANS: Final = Path(__file__).parent.parent / "sandbox" / "demo-plans.yaml"
DID: Final = "18005550100"
DAYS: Final = 29
LAST_DAY: Final = 2
CALLERS: Final = (("alice", "15551230001"), ("bob", "15551230002"))
TOP_UP: Final = "250"
NOTE: Final = "made up for the demo"
SECOND_US: Final = 1_000_000


async def fill(service: Service) -> int:
    """Fill an installation without any call; returns how many were made up."""
    async with service.books.engine.connect() as connection:
        if (await connection.execute(select(calls.c.id).limit(1))).first() is not None:
            return 0
    if service.books.directory.current().did(DID) is None:
        return 0  # another catalog than the demo's
    dice = random.Random(DAYS)  # noqa: S311 - the same month each time
    today = SystemClock().now().replace(minute=0, second=0, microsecond=0)
    await _plans_and_vouchers(service, today - timedelta(days=DAYS, hours=1))
    await _top_up(service, today - timedelta(days=DAYS))
    made = 0
    for day in range(DAYS, LAST_DAY - 1, -1):
        # In the order of time: a statement is read from top to bottom.
        await fill_cards(service.books.engine, today, days_ago=day)
        for _ in range(dice.randint(1, 3)):
            at = today - timedelta(days=day, hours=dice.randint(0, 9), minutes=dice.randint(0, 59))
            made += await _call(service, at, dice)
    made += await fill_parties(service, today)
    await _invoices(service, today)
    await operations(service, today - timedelta(days=LAST_DAY))
    await fill_webhooks(service.books.engine, today - timedelta(days=LAST_DAY, hours=5))
    return made + await _desk(service, today - timedelta(days=LAST_DAY, hours=1))


async def _desk(service: Service, at: datetime) -> int:
    """Leave a message, a callback that was made, and a sound of the client's own."""
    mailbox, engine = service.lines.desk.mailbox, service.books.engine
    if mailbox is None:
        return 0
    call_id, at_us = new_id(ManualClock(at)), microseconds_of(at)
    row = {
        "id": call_id, "node": "demo", "boot": "demo", "channel": "demo", "uniqueid": call_id,
        "did": DID, "client": "acme", "account": "bob", "caller": "15551230002", "digit": 3,
        "topic": "Software", "state": "ended", "started_us": at_us,
        "ended_us": at_us + 40 * SECOND_US, "end_reason": "message_left",
    }  # fmt: skip
    sound = (PROMPTS / LANGUAGE / "demo-agent-2.ulaw").read_bytes()
    mailbox.file(call_id, "message").write_bytes(browser_sound(sound))
    callback = {
        "id": new_id(ManualClock(at)), "call": call_id, "client": "acme", "did": DID, "digit": 3,
        "account": "bob", "number": "+15551230002", "language": "en", "state": "done", "tries": 0,
        "next_us": at_us, "created_us": at_us, "ended_us": at_us, "made": call_id,
    }  # fmt: skip
    async with engine.begin() as connection:
        await connection.execute(insert(calls), row)
        await connection.execute(insert(callbacks), callback)
    await mailbox.round()
    text = "Welcome to Acme. How can we help you?"
    with contextlib.suppress(InvalidInput):  # no voice is installed: the page says so, too
        spoken_text = await spoken(text, LANGUAGE)
        prompt = OwnPrompt(
            client="acme", name="hello", language=LANGUAGE, text=text, bytes=len(spoken_text),
            changed_us=0,
        )  # fmt: skip
        await save_prompt(engine, prompt, spoken_text, clock=SystemClock())
    return 1


async def _invoices(service: Service, today: datetime) -> None:
    """Bill the postpaid caller for the month before."""
    before = today.replace(day=1) - timedelta(days=1)
    invoicing = Invoicing(engine=service.books.engine, clock=SystemClock())
    await invoicing.run(Month.parse(f"{before:%Y-%m}"))


async def _plans_and_vouchers(service: Service, at: datetime) -> None:
    from ivr.app import pin_key, voucher_key
    from ivr.directory.catalog_apply import apply
    from ivr.directory.catalog_file import load_catalog

    clock, engine = SystemClock(), service.books.engine
    await apply(engine, load_catalog(PLANS), clock=clock, pin_key=pin_key(service.settings))
    vouchers = Vouchers(engine=engine, clock=ManualClock(at), secret=voucher_key(service.settings))
    made = await vouchers.generate(
        amount=parse_amount("10"), currency="USD", count=20, actor="demo", note="demo"
    )
    for (account, _), code in zip(CALLERS, made.codes, strict=False):
        await vouchers.redeem(account, code, actor="demo")
    await add_note(
        engine, "alice", "Calls on Monday mornings; prefers to be called back.", actor="demo",
        clock=clock,
    )  # fmt: skip


async def _top_up(service: Service, at: datetime) -> None:
    books = service.books
    wallet = Wallet(writer=books.writer, engine=books.engine, clock=ManualClock(at))
    for account, _ in CALLERS:
        await wallet.top_up(
            account, parse_amount(TOP_UP), key=f"demo-history-{account}", actor="demo", memo=NOTE
        )


async def _call(service: Service, at: datetime, dice: random.Random) -> int:
    """Book one call that began at a moment: a talk, or nobody who answered."""
    books, clock = service.books, ManualClock(at)
    did = books.directory.current().did(DID)
    assert did is not None
    topic = dice.choice([topic for topic in did.topics if topic.destination.kind != "queue"])
    account, caller = dice.choice(CALLERS)
    call_id, started_us = new_id(clock), microseconds_of(at)
    waits, talks = dice.randint(8, 40), dice.choice([0, 42, 75, 130, 260, 480, 900])
    begun_us = started_us + waits * SECOND_US
    if talks:
        charging = Charging(
            writer=books.writer,
            engine=books.engine,
            clock=clock,
            journal=Journal(service.settings.state_dir / "journal"),
        )
        terms = _terms(service, call_id, account, topic, at)
        grant = await charging.open(terms, slice_seconds=talks, expires_seconds=3_600)
        clock.advance(waits + talks)
        await charging.settle(
            terms,
            talk_us=talks * SECOND_US,
            granted_seconds=grant.seconds,
            started_us=begun_us,
            ended_us=begun_us + talks * SECOND_US,
            evidence="ami",
            note=NOTE,
            agent=AGENTS[talks % len(AGENTS)],
        )
    row = {
        "id": call_id, "node": "demo", "boot": "demo", "channel": "demo", "uniqueid": call_id,
        "did": DID, "client": did.client, "account": account, "caller": caller,
        "digit": topic.digit, "topic": topic.name, "destination": str(topic.destination),
        "tariff": topic.tariff or did.tariff, "tariff_version": 1, "state": "ended",
        "started_us": started_us, "answered_us": begun_us if talks else None,
        "ended_us": begun_us + (talks + 3) * SECOND_US,
        "end_reason": "agent_hung_up" if talks else "no_agent",
        "timeline": picture(started_us, waits=waits, talks=talks),
    }  # fmt: skip
    async with books.engine.begin() as connection:
        await connection.execute(insert(calls), row)
    return 1


def _terms(
    service: Service, call_id: str, account: str, topic: Topic, at: datetime
) -> SessionTerms:
    directory = service.books.directory.current()
    did = directory.did(DID)
    assert did is not None
    version = directory.tariff(topic.tariff or did.tariff)
    client = directory.client(did.client)
    priced_us = microseconds_of(at)
    return SessionTerms(
        session_id=call_id,
        account=account,
        client=did.client,
        service=DID,
        detail=topic.name,
        tariff_version_id=version.id,
        table=RateTable.compile(version.tariff, started_at=at, timezone=did.timezone),
        timezone=did.timezone,
        shares=client.shares_at(priced_us),
        currency=client.currency,
        priced_us=priced_us,
    )
