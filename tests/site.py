"""Words for web tests: a served site over a filled database, and browsers that log in to it."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from aiohttp import ClientResponse, CookieJar, web
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.auto_top_ups import AutoTopUps
from billing.card_payments import CardPayments
from billing.charging import SessionTerms
from billing.clock import microseconds_of
from billing.domain.splits import Share
from billing.domain.tariffs import Tariff
from billing.ids import new_id
from billing.money import parse_amount
from billing.storage.tables import clients, metadata, tariff_versions
from ivr.alarms.findings import Finding
from ivr.alarms.store import keep
from ivr.calls.call import CallSnapshot
from ivr.calls.mailbox import Mailbox
from ivr.directory.cache import DirectoryCache
from ivr.directory.destinations import Destination
from ivr.directory.limits import EDITS, ClientLimits
from ivr.directory.own_prompts import OwnPrompt, save_prompt
from ivr.directory.queues import Agent, Queue
from ivr.directory.rules import ClientRules
from ivr.directory.store import bump_stamp, lock_directory
from ivr.payments.desk import CardDesk
from ivr.payments.stripe_processor import StripeProcessor
from ivr.tables import api_tokens, callbacks, calls, client_rules, dids, queues, recordings, topics
from ivr.web.app import make_web
from ivr.web.passwords import hash_password
from ivr.web.rights import all_of, write_rights
from ivr.web.scope import Right, Role
from ivr.web.sessions import hash_token
from ivr.web.state import WebDeps
from ivr.web.users import add_user
from tests.books import STANDARD, Desk, open_desk
from tests.doubles.operations import (
    ControlOnPaper,
    ListeningOnPaper,
    MachineOnPaper,
    QueuesOnPaper,
)
from tests.doubles.paper_stripe import KEY, SECRET, PaperStripe

Browser: TypeAlias = TestClient[web.Request, web.Application]

PASSWORD = "correct horse battery"
PASSWORD_HASH = hash_password(PASSWORD)
DIDS = {"acme": "18005550100", "globex": "18005550200"}
CLI_TOKEN = "c" * 64
ABOUT_LOGINS = {"users", "web_sessions", "login_tries", "audit_log", "api_tokens"}
NO_CALL = "00000000-0000-7000-8000-000000000000"


def card_counter(desk: Desk, paper: PaperStripe) -> CardDesk:
    """A desk for cards whose processor is Stripe on paper."""
    return CardDesk(
        processor=StripeProcessor(secret_key=KEY, webhook_secret=SECRET, http=paper.http()),
        payments=CardPayments(engine=desk.engine, clock=desk.clock),
        autos=AutoTopUps(engine=desk.engine, clock=desk.clock),
        clock=desk.clock,
        minimum=parse_amount("5"),
        maximum=parse_amount("500"),
        presets=tuple(parse_amount(amount) for amount in ("10", "20", "50", "100")),
    )


class LiveCallsOnPaper:
    """Live calls as a list that tests write."""

    def __init__(self) -> None:
        self.calls: list[CallSnapshot] = []
        self.hung_up: list[str] = []

    def snapshot(self) -> list[CallSnapshot]:
        return list(self.calls)

    async def hang_up(self, call_id: str) -> bool:
        found = any(call.id == call_id for call in self.calls)
        if found:
            self.hung_up.append(call_id)
            self.calls = [call for call in self.calls if call.id != call_id]
        return found


SOUND = b"RIFF" + bytes(40) + b"\x01\x02" * 8_000


@dataclass
class Site:
    """An installation: clients acme and globex, callers alice and bob, a login for each."""

    desk: Desk
    live: LiveCallsOnPaper
    control: ControlOnPaper
    machine: MachineOnPaper
    queues: QueuesOnPaper
    listening: ListeningOnPaper
    deps: WebDeps
    directory: DirectoryCache
    paper: PaperStripe
    ready: dict[str, bool] = field(default_factory=lambda: {"switch": True})

    async def login(
        self,
        name: str,
        role: Role,
        subject: str | None = None,
        *,
        rights: frozenset[Right] | None = None,
        must_change: bool = False,
    ) -> None:
        await add_user(
            self.desk.engine,
            name,
            password_hash=PASSWORD_HASH,
            role=role,
            subject=subject,
            now_us=self.now_us(),
            rights=rights,
            must_change=must_change,
        )

    async def parties(self) -> None:
        """Let resellers topco and elseco stand above acme and globex; rolf brought acme."""
        shares = '[["provider","provider",3000],["client","%s",7000],["reseller","%s",0]%s]'
        brought = ',["referrer","rolf",0]'
        async with self.desk.engine.begin() as connection:
            await lock_directory(connection)
            for code, above, more in (("acme", "topco", brought), ("globex", "elseco", "")):
                await connection.execute(
                    update(clients)
                    .where(clients.c.code == code)
                    .values(shares=shares % (code, above, more))
                )
            await bump_stamp(connection)
        await self.directory.load()
        for role, code in (
            (Role.RESELLER, "topco"), (Role.RESELLER, "elseco"), (Role.REFERRER, "rolf"),
        ):  # fmt: skip
            await self.login(code, role, code)

    async def token(
        self, role: Role, subject: str | None = None, *, rights: frozenset[Right] | None = None
    ) -> str:
        held = all_of(role) if rights is None else rights
        token = f"token-of-{role}-{subject}-{len(held)}-" + "x" * 20
        known = select(api_tokens.c.id).where(api_tokens.c.token_hash == hash_token(token))
        async with self.desk.engine.begin() as connection:
            if await connection.scalar(known) is not None:
                return token
            await connection.execute(
                insert(api_tokens),
                {
                    "token_hash": hash_token(token),
                    "id": hash_token(token)[:16],
                    "name": f"{role} {subject}",
                    "role": role.value,
                    "subject": subject,
                    "rights": write_rights(held),
                    "created_us": self.now_us(),
                },
            )
        return token

    async def execute(self, statement: str) -> None:
        async with self.desk.engine.begin() as connection:
            await connection.exec_driver_sql(statement)

    async def rows(self, *names: str) -> dict[str, list[str]]:
        """Every row of the database that is not about being logged in, or those of some tables."""
        wanted = names or tuple(metadata.tables.keys() - ABOUT_LOGINS)
        async with self.desk.engine.connect() as connection:
            return {
                name: sorted(
                    str(tuple(row))
                    for row in await connection.execute(select(metadata.tables[name]))
                )
                for name in wanted
            }

    def now_us(self) -> int:
        return microseconds_of(self.desk.clock.now())

    async def call(
        self,
        *,
        account: str = "alice",
        client: str = "acme",
        talk_seconds: float = 62.4,
        tariff: Tariff = STANDARD,
        topic: str = "Billing",
        review: bool = False,
    ) -> str:
        """Make a call that ended: 8 s of menu, 4 s of ringing, then talk, or none when 0."""
        call_id, started_us = new_id(self.desk.clock), self.now_us()
        self.desk.clock.advance(12)
        talk_us, begun_us = int(talk_seconds * 1_000_000), self.now_us()
        if talk_us:
            terms = await self._terms(call_id, account, client, tariff, topic)
            seconds = int(talk_seconds) + 30
            grant = await self.desk.charging.open(
                terms, slice_seconds=seconds, expires_seconds=9999
            )
            self.desk.clock.advance(talk_seconds)
            await self.desk.charging.settle(
                terms,
                talk_us=talk_us,
                granted_seconds=grant.seconds,
                started_us=begun_us,
                ended_us=begun_us + talk_us,
                evidence="estimate" if review else "ami",
                review=review,
            )
        timeline = [(0, "authenticated"), (2, "choosing"), (6, "quoted"), (8, "waiting")]
        steps = ", ".join(f'[{started_us + at * 1_000_000}, "{state}"]' for at, state in timeline)
        row = {
            "id": call_id, "node": "node-1", "boot": "b", "channel": "PJSIP/trunk-1",
            "uniqueid": call_id, "did": DIDS[client], "client": client, "account": account,
            "caller": "15551230001", "digit": 1, "topic": topic, "destination": "demo:agent",
            "tariff": tariff.name, "tariff_version": 1, "state": "ended",
            "started_us": started_us, "answered_us": begun_us if talk_us else None,
            "ended_us": begun_us + talk_us + 1_500_000,
            "end_reason": "agent_hung_up" if talk_us else "no_agent", "timeline": f"[{steps}]",
        }  # fmt: skip
        async with self.desk.engine.begin() as connection:
            await connection.execute(insert(calls), row)
        return call_id

    async def _terms(
        self, call_id: str, account: str, client: str, tariff: Tariff, topic: str
    ) -> SessionTerms:
        shares = (
            Share(kind="provider", account="provider", basis_points=3_000),
            Share(kind="client", account=client, basis_points=7_000),
        )
        terms = await self.desk.terms(call_id, account, tariff, shares=shares)
        return replace(terms, client=client, service=DIDS[client], detail=topic)

    async def sound(self, call_id: str, kind: str = "message", client: str = "acme") -> None:
        """Let a call have a message or a recorded talk of one second."""
        assert self.deps.mailbox
        self.deps.mailbox.file(call_id, kind).write_bytes(SOUND)
        row = {
            "call": call_id, "kind": kind, "client": client, "bytes": len(SOUND),
            "created_us": self.now_us(), "keep_until_us": self.now_us() + 86_400_000_000,
        }  # fmt: skip
        async with self.desk.engine.begin() as connection:
            await connection.execute(insert(recordings), row)

    async def own_prompt(self, client: str, name: str, language: str = "en") -> None:
        """Let a client have a sound of its own: half a second of silence."""
        sound = b"\xff" * 4_000
        prompt = OwnPrompt(
            client=client, name=name, language=language, text=None, bytes=len(sound), changed_us=0
        )
        await save_prompt(self.desk.engine, prompt, sound, clock=self.desk.clock)

    async def callback(self, client: str = "acme", state: str = "waiting") -> str:
        """Let alice have asked to be called back."""
        callback = new_id(self.desk.clock)
        row = {
            "id": callback, "call": NO_CALL, "client": client, "did": DIDS[client], "digit": 1,
            "account": "alice", "number": "+12025550143", "language": "en", "state": state,
            "tries": 0, "next_us": self.now_us(), "created_us": self.now_us(),
        }  # fmt: skip
        async with self.desk.engine.begin() as connection:
            await connection.execute(insert(callbacks), row)
        return callback

    async def topic(
        self, name: str, *, digit: int = 1, client: str = "acme", destination: str = "demo:agent"
    ) -> None:
        """Let a line have a topic."""
        row = {
            "did": DIDS[client], "digit": digit, "name": name, "destination": destination,
            "rules": "{}",
        }  # fmt: skip
        async with self.desk.engine.begin() as connection:
            await connection.execute(insert(topics), row)

    async def queue(self, name: str, client: str = "acme", agent: str = "anna") -> None:
        """Let a client have a queue with one agent."""
        agents = (Agent(code=agent, destination=Destination.parse("demo:agent"), number="77"),)
        body = Queue(name=name, client=client, agents=agents).to_json()
        async with self.desk.engine.begin() as connection:
            await connection.execute(insert(queues), {"name": name, "client": client, "body": body})

    async def tariff(self, tariff: Tariff = STANDARD) -> None:
        """Have a price list."""
        row = {
            "name": tariff.name, "version": 1, "currency": "USD", "body": tariff.to_json(),
            "body_hash": "", "in_force_us": 0, "created_us": 0,
        }  # fmt: skip
        async with self.desk.engine.begin() as connection:
            await connection.execute(insert(tariff_versions), row)

    async def opened(self, client: str) -> None:
        """Let a client change all that clients may."""
        limits = ClientLimits(edit=EDITS, price_to=2_000_000, setup_fee_max=5_000_000)
        row = {"client": client, "rules": ClientRules(limits=limits).to_json()}
        async with self.desk.engine.begin() as connection:
            await connection.execute(insert(client_rules), row)

    async def staffed_queue(
        self, name: str, *, agents: Sequence[str] = ("anna",), client: str = "acme"
    ) -> None:
        """Let a client have a queue."""
        people = tuple(
            Agent(code=code, destination=Destination.parse(f"sip:{code}@127.0.0.1:5090"))
            for code in agents
        )
        body = Queue(name=name, client=client, agents=people).to_json()
        async with self.desk.engine.begin() as connection:
            await lock_directory(connection)
            await connection.execute(insert(queues), {"name": name, "client": client, "body": body})
            await bump_stamp(connection)
        await self.directory.load()

    async def alarm(self, client: str = "acme") -> str:
        """Let there be an alarm about a client."""
        found = Finding(kind="revenue", subject=f"{client}:USD", client=client, facts={
            "hour": "90.00", "usual": "3.00", "currency": "USD",
        })  # fmt: skip
        (opened,) = await keep(self.desk.engine, [found], mine=(), clock=self.desk.clock)
        return opened.id

    async def card_payment(self, account: str = "alice") -> str:
        """Let somebody have paid 20 by card; returns our id of it."""
        assert self.deps.cards
        desk = self.deps.cards
        payment = await desk.open_page(
            account, parse_amount("20"), key=new_id(self.desk.clock), saves_card=False,
            title="Top-up", back="http://127.0.0.1/",
        )  # fmt: skip
        self.paper.pay(payment.checkout or "")
        await desk.ask(payment)
        return payment.id

    def ring(self, *, account: str = "alice", client: str = "acme", **changes: object) -> str:
        """Make a live call that has talked for 65 s."""
        call = CallSnapshot(
            id=new_id(self.desk.clock), did=DIDS[client], client=client, topic="Billing",
            account=account, caller="15551230001", state="talking", asking="",
            started_us=self.now_us(), talk_seconds=65.2, cost=5_550_000, currency="USD",
            granted_seconds=75, destination="demo:agent", waited_seconds=4.0, held=5_625_000,
            ends_after_seconds=600, ends_by="money", next_tier_seconds=1_200, next_price=250_000,
        )  # fmt: skip
        call = replace(call, **changes)  # type: ignore[arg-type]  # fields of the snapshot
        self.live.calls.append(call)
        return call.id


@asynccontextmanager
async def open_site(engine: AsyncEngine, folder: Path) -> AsyncIterator[Site]:
    async with open_desk(engine, folder) as desk:
        await _fill(engine, desk)
        directory = DirectoryCache(engine, desk.clock)
        await directory.load()
        live = LiveCallsOnPaper()
        paper = PaperStripe()
        control, machine = ControlOnPaper(live), MachineOnPaper()
        queues, listening = QueuesOnPaper(), ListeningOnPaper(live)
        ready = {"switch": True}
        mailbox = Mailbox(engine, folder / "recordings", desk.clock)
        mailbox.open()
        deps = WebDeps(
            engine=engine,
            writer=desk.writer,
            wallet=desk.wallet,
            directory=directory.current,
            live=live,
            control=control,
            machine=machine,
            queues=queues,
            listening=listening,
            mailbox=mailbox,
            clock=desk.clock,
            pin_key=b"p" * 32,
            voucher_key=b"v" * 32,
            web_key=b"w" * 32,
            cli_token=CLI_TOKEN,
            signup=True,
            cards=card_counter(desk, paper),
            ready=lambda: ready,
        )
        site = Site(
            desk=desk, paper=paper, live=live, control=control, machine=machine,
            queues=queues, listening=listening, deps=deps, directory=directory, ready=ready,
        )  # fmt: skip
        await site.login("olga", Role.OPERATOR)
        for client in DIDS:
            await site.login(client, Role.CLIENT, client)
        for caller in ("alice", "bob"):
            await site.login(caller, Role.CALLER, caller)
        yield site


async def _fill(engine: AsyncEngine, desk: Desk) -> None:
    await desk.caller("alice", "100")
    await desk.caller("bob", credit_limit="250")
    shares = '[["provider","provider",3000],["client","%s",7000]]'
    async with engine.begin() as connection:
        for code, title in (("acme", "Acme IT Support"), ("globex", "Globex Legal")):
            await connection.execute(
                insert(clients),
                {"code": code, "title": title, "currency": "USD", "shares": shares % code,
                 "created_us": 0},
            )  # fmt: skip
            await connection.execute(
                insert(dids),
                {"number": DIDS[code], "client": code, "kind": "local", "monthly_fee": 0,
                 "timezone": "UTC", "tariff": "standard", "trust_caller_id": True,
                 "pin": "optional"},
            )  # fmt: skip


@asynccontextmanager
async def served(site: Site) -> AsyncIterator[TestServer]:
    server = TestServer(make_web(site.deps))
    await server.start_server()
    try:
        yield server
    finally:
        await server.close()


@asynccontextmanager
async def browser(server: TestServer, login: str = "") -> AsyncIterator[Browser]:
    """A browser with its own cookies, logged in when a login is given."""
    client: Browser = TestClient(server, cookie_jar=CookieJar(unsafe=True))
    try:
        if login:
            answer = await log_in(client, login)
            assert answer.status == 303, await answer.text()
        yield client
    finally:
        # Its own close() would close the server, too, which others may still ask. An answer that
        # nobody has read to its end keeps a connection that is told of much later.
        for answer in client._responses:
            if answer.content_type == "text/event-stream":
                answer.close()
            elif not answer.closed:
                await answer.read()
        await client.session.close()


async def log_in(client: Browser, login: str, password: str = PASSWORD) -> ClientResponse:
    page = await (await client.get("/")).text()
    return await client.post(
        "/login",
        data={"csrf": csrf_of(page), "login": login, "password": password},
        allow_redirects=False,
    )


def csrf_of(page: str) -> str:
    return field_of(page, "csrf")


def field_of(page: str, name: str) -> str:
    match = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert match, f"the page has no field {name}"
    return match[1]


def text_of(page: str) -> str:
    """What a person reads: no tags, plain spaces, amounts in one piece."""
    whole = re.sub(r'<span class="(money|micro|cur)">|</span>', "", page)
    plain = html.unescape(re.sub(r"<[^>]+>", " ", whole)).replace("\N{NO-BREAK SPACE}", " ")
    return re.sub(r"\s+", " ", plain)
