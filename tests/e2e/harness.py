"""One line under test: a private Asterisk, the service as a process of its own, its database.

The service can be killed, frozen and restarted like in life; the test follows its log, which is
facts with keys.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from billing.audit import verify as verify_ledger
from billing.clock import SystemClock
from billing.storage.engine import create
from ivr.app import pin_key
from ivr.calls.audit import verify as verify_calls
from ivr.calls.history import CallRecord, find
from ivr.directory.catalog_apply import apply
from ivr.directory.catalog_file import load_catalog
from ivr.migrations import upgrade
from ivr.sandbox.asterisk import PrivateAsterisk
from ivr.sandbox.configure import free_port
from ivr.sandbox.phone import Phone
from ivr.sandbox.prompts import texts
from ivr.settings import Settings
from tests.migrated import sqlite_url

PROMPTS = Path(__file__).parent.parent.parent / "asterisk-conf" / "prompts"
PROMPT_BYTES = 400  # 50 ms
ROOT = Path(__file__).parent.parent.parent
DID = "18005550100"
SECURE_DID = "18005550200"
SHORT_DID = "18005550300"
PREMIUM_DID = "18005550400"
QUEUE_DID = "18005550500"
TWO_TONGUES_DID = "18005550600"
DESK_DID = "18005550700"
AGENTS_DID = "18005550800"
DAILY_DID = "18005550900"
LISTEN_DID = "18005551000"
ALICE = "15551230001"
BOB = "15551230002"
POOR = "15551230003"
PLANNED = "15551230004"
EUROPEAN = "15551230005"
CAROL = "12025550143"
STRANGER = "15559990000"
# A service that starts again on a busy machine must be back within it.
SLICE_SECONDS = 9

CATALOG = """
currency: USD
tariffs:
  cent: {{tiers: [{{price: 0.60/min}}]}}
  double: {{tiers: [{{price: 1.20/min}}]}}
  rises: {{tiers: [{{price: 0.60/min}}, {{from: 18s, price: 1.20/min}}]}}
  setup: {{setup_fee: "5.00", tiers: [{{price: 0.50/min}}, {{from: 20m, price: 0.1/min}}]}}
clients:
  acme:
    title: Acme
    split: {{provider: 30%, client: 70%}}
    queues:
      support:
        agents:
          anna: {{phone: "sip:agent@127.0.0.1:{agent_port}", number: "4711", pin: "250811"}}
        wrap_up: 1s
      nobody:
        wait: 5s
        agents: {{john: "sip:agent@127.0.0.1:{dead_port}"}}
        overflow: "demo:agent"
      second:
        wait: 5s
        agents: {{carl: {{phone: "sip:carl@127.0.0.1:{agent_port}", number: "4713"}}}}
        wrap_up: 1s
    dids:
      "18005550700":
        tariff: cent
        transfers: true
        record: 7d
        access: {{trust_caller_id: true, pin: optional}}
        topics:
          1: {{name: Billing, destination: "sip:agent@127.0.0.1:{agent_port}"}}
          2: {{name: Sales, destination: "queue:second", tariff: double}}
          3: {{name: Support, destination: "queue:support"}}
          4: {{name: Away, destination: "sip:agent@127.0.0.1:{dead_port}", otherwise: voicemail}}
          5:
            name: Closed
            destination: "sip:agent@127.0.0.1:{agent_port}"
            hours: [{{days: holiday, from: "00:00", to: "24:00"}}]
            otherwise: voicemail
          6: {{name: Box, destination: "voicemail:box"}}
          7: {{name: Phone, destination: "phone:+12025550199"}}
          8: {{name: Abroad, destination: "phone:+442071838750"}}
          9: {{name: Later, destination: "queue:second", otherwise: callback}}
      "18005550800": {{kind: agents}}
      "18005550900":
        tariff: cent
        access: {{trust_caller_id: true, pin: optional, daily_limit: "0.08"}}
        topics:
          1: {{name: Billing, destination: "sip:agent@127.0.0.1:{agent_port}"}}
      "18005551000":
        tariff: cent
        listen: true
        access: {{trust_caller_id: true, pin: optional}}
        topics:
          1: {{name: Billing, destination: "sip:agent@127.0.0.1:{agent_port}"}}
      "18005550500":
        tariff: cent
        access: {{trust_caller_id: true, pin: optional}}
        topics:
          1: {{name: Support, destination: "queue:support"}}
          2: {{name: Nobody, destination: "queue:nobody"}}
          3: {{name: Mobile, destination: "sip:agent@127.0.0.1:{agent_port}", accept: true}}
      "18005550100":
        tariff: cent
        access: {{trust_caller_id: true, pin: optional}}
        topics:
          1: {{name: Billing, destination: "sip:agent@127.0.0.1:{agent_port}"}}
          2: {{name: Network, destination: "queue:network"}}
          3: {{name: Software, destination: "sip:agent@127.0.0.1:{agent_port}", tariff: setup}}
          4: {{name: Nobody, destination: "sip:agent@127.0.0.1:{dead_port}"}}
          0: {{name: Operator, destination: "demo:agent"}}
      "18005550200":
        tariff: cent
        access: {{trust_caller_id: false, pin: required}}
        topics:
          0: {{name: Operator, destination: "demo:agent"}}
      "18005550300":
        tariff: rises
        maximum_talk: 8s
        confirm_price: true
        access: {{trust_caller_id: true, pin: optional}}
        topics:
          1: {{name: Billing, destination: "sip:agent@127.0.0.1:{agent_port}"}}
      "18005550600":
        tariff: cent
        languages: [en, de]
        access: {{trust_caller_id: true, pin: optional}}
        topics:
          0: {{name: Operator, destination: "demo:agent"}}
      "18005550400":
        kind: premium
        carrier: telco
        tariff: cent
        announced: setup
        topics:
          1: {{name: Billing, destination: "sip:agent@127.0.0.1:{agent_port}"}}
accounts:
  telco: {{mode: postpaid, credit_limit: "1000.00"}}
  alice: {{phones: ["15551230001"], pin: "471100", number: "100001", opening_balance: "20.00"}}
  bob:
    {{language: de, mode: postpaid, credit_limit: "9.00", phones: ["15551230002"], pin: "471200"}}
  poor: {{phones: ["15551230003"], pin: "471300", number: "100003", opening_balance: "0.08"}}
  planned: {{phones: ["15551230004"], plan: seconds, opening_balance: "5.00"}}
  euro: {{phones: ["15551230005"], currency: EUR, opening_balance: "5.00"}}
  carol: {{phones: ["12025550143"], opening_balance: "20.00"}}
plans:
  seconds: {{price: "2.00", meters: {{minutes: {{included: 0.05}}}}}}
"""


def short_prompts(folder: Path, *, prompt_seconds: float = 0.05) -> Path:
    """Prompts of 50 ms each: the flow is the same, the tests are quick, and `heard` tells them."""
    for language in ("en", "de"):
        target = folder / "prompts" / language
        target.mkdir(parents=True)
        for name in texts(PROMPTS / f"{language}.txt"):
            seconds = 20 if name.startswith("demo-agent") else prompt_seconds
            (target / f"{name}.ulaw").write_bytes(coded(language, name, seconds))
    return folder / "prompts"


def coded(language: str, name: str, seconds: float = 0.05) -> bytes:
    """A sound that no other prompt has: sixteen samples of its own, again and again."""
    code = hashlib.sha256(f"{language}/{name}".encode()).digest()[:16]
    return (bytes(byte | 0x80 for byte in code) * math.ceil(8000 * seconds / 16))[
        : int(8000 * seconds)
    ]


def heard(sound: bytes, *, language: str = "en", part: float = 1.0) -> list[str]:
    """The prompts that stand in what a caller heard, in order, as they came over the wire.

    What is mixed into a talk is mixed in real time: on a busy machine a packet of 20 ms may come
    too late for it, so that only a `part` of a word is there bit by bit.
    """
    places: list[tuple[int, str]] = []
    for name in texts(PROMPTS / f"{language}.txt"):
        if name.startswith("demo-agent"):
            continue
        wanted = coded(language, name)[: int(PROMPT_BYTES * part)]
        place = sound.find(wanted)
        while place >= 0:
            places.append((place, name))
            place = sound.find(wanted, place + PROMPT_BYTES)
    return [name for _, name in sorted(places)]


@dataclass
class Line:
    """What a test holds in its hands."""

    settings: Settings
    asterisk: PrivateAsterisk
    agent_port: int
    environment: dict[str, str]
    process: asyncio.subprocess.Process | None = None
    seen: list[dict[str, Any]] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    reader: asyncio.Task[None] | None = None

    @property
    def sip_port(self) -> int:
        return self.settings.sip_port

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-W", "error", "-m", "ivr", "serve",
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        self.reader = asyncio.create_task(self._read(), name="service-log")
        await self.log("talkmeter: ready", since=len(self.seen))

    async def _read(self) -> None:
        assert self.process
        assert self.process.stderr
        while line := await self.process.stderr.readline():
            try:
                fact = json.loads(line)
            except ValueError:
                fact = {"event": line.decode().strip()}
            self.seen.append(fact)
            self.arrived.set()

    async def log(
        self, event: str, *, since: int = 0, seconds_max: float = 20, **facts: object
    ) -> dict[str, Any]:
        """Wait for a line of the log."""
        try:
            async with asyncio.timeout(seconds_max):
                while True:
                    self.arrived.clear()
                    for fact in self.seen[since:]:
                        if fact.get("event") == event and all(
                            fact.get(key) == value for key, value in facts.items()
                        ):
                            return fact
                    await self.arrived.wait()
        except TimeoutError:
            lines = "\n".join(map(str, self.seen[-40:]))
            raise AssertionError(f"never logged: {event} {facts}\n{lines}") from None

    async def after(self, event: str, *, since: int, **facts: object) -> int:
        """Wait for a line of the log and return the place behind it."""
        fact = await self.log(event, since=since, **facts)
        return self.seen.index(fact, since) + 1

    async def state(self, after: str, **facts: object) -> dict[str, Any]:
        return await self.log("call moved", after=after, **facts)

    def signal(self, number: int) -> None:
        assert self.process
        self.process.send_signal(number)

    async def kill(self) -> None:
        self.signal(signal.SIGKILL)
        assert self.process
        await self.process.wait()

    async def stop(self) -> None:
        if self.process and self.process.returncode is None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(20):
                    await self.process.wait()
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
        if self.reader:
            await self.reader

    async def record(self, call_id: str) -> CallRecord | None:
        engine = create(self.settings.url)
        async with engine.connect() as connection:
            record = await find(connection, call_id)
        await engine.dispose()
        return record

    def phone(self, number: str) -> Phone:
        """A caller with a phone of our own, for tests that decide step by step."""
        return Phone(server=("127.0.0.1", self.sip_port), from_number=number)

    async def only_call(self) -> str:
        """The id of the call that began last."""
        began = [fact for fact in self.seen if fact.get("event") == "call began"]
        return str(began[-1]["call_id"])

    async def ended(self, call_id: str, *, seconds_max: float = 20) -> CallRecord:
        """Wait until the call's row says that it is over."""

        async def look() -> CallRecord | None:
            record = await self.record(call_id)
            return record if record and record.ended_us else None

        return await until(look, seconds_max)

    async def prove(self) -> None:
        """Every invariant of the ledger and of the calls."""
        engine = create(self.settings.url)
        checks = [*await verify_ledger(engine), *await verify_calls(engine)]
        await engine.dispose()
        assert [check for check in checks if not check.ok] == []

    async def balance(self, account: str) -> int:
        engine = create(self.settings.url)
        async with engine.connect() as connection:
            row = await connection.exec_driver_sql(
                "SELECT posted, held FROM accounts WHERE kind = 'caller' AND code = "
                + ("?" if "sqlite" in self.settings.url else "$1"),
                (account,),
            )
            posted, held = row.one()
        await engine.dispose()
        assert held == 0
        return int(posted)

    async def top_up(self, account: str, amount: str) -> None:
        """Add money from another process, as an operator at the command line does."""
        await self.run("topup", account, amount, "--key", f"{time.time_ns()}")

    async def run(self, *words: str) -> str:
        """Run a command line beside the service, and return what it prints."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ivr", *words,
            cwd=ROOT, env=self.environment, stdout=subprocess.PIPE,
        )  # fmt: skip
        printed, _ = await process.communicate()
        assert process.returncode == 0, printed
        return printed.decode()

    def cel(self, call: CallRecord) -> float:
        """Talk seconds of a call with a talk as Asterisk wrote them down, read by hand."""
        import csv

        assert call.answered_us is not None, f"nobody talked: {call.end_reason}"

        bridges: dict[str, list[float]] = {}
        exits: dict[str, list[float]] = {}
        with self.asterisk.home.cel.open() as file:
            for kind, at, _, _, _, extra in csv.reader(file):
                if kind.startswith("BRIDGE"):
                    bridge = json.loads(extra)["bridge_id"]
                    (bridges if kind == "BRIDGE_ENTER" else exits).setdefault(bridge, []).append(
                        float(at)
                    )
        talks = [
            (sorted(times)[1], min(exits[bridge]))
            for bridge, times in bridges.items()
            if len(times) > 1 and bridge in exits
        ]
        start, end = min(talks, key=lambda talk: abs(talk[0] - call.answered_us / 1e6))
        return end - start


async def until(look: Callable[[], Any], seconds_max: float = 20) -> Any:
    """Look until there is something, with a limit."""
    deadline = time.monotonic() + seconds_max
    while True:
        found = await look()
        if found:
            return found
        assert time.monotonic() < deadline, "it never came"
        await asyncio.sleep(0.05)


@asynccontextmanager
async def line_under_test(
    folder: Path,
    asterisk: PrivateAsterisk,
    *,
    agent_port: int,
    database_url: str = "",
    phones: int = 0,
    log_level: str = "info",
    ami_port: int = 0,
    listen_phones: str = "",
) -> AsyncIterator[Line]:
    """A fresh database and service on an Asterisk that goes on from test to test."""
    settings = _settings(folder, asterisk, database_url)
    await _prepare(settings, agent_port=agent_port, phones=phones)
    line = Line(
        settings=settings,
        asterisk=asterisk,
        agent_port=agent_port,
        environment=os.environ
        | _environment(settings, asterisk, log_level, agent_port)
        | ({"TALKMETER_AMI_PORT": str(ami_port)} if ami_port else {})
        | ({"TALKMETER_LISTEN_PHONES": listen_phones} if listen_phones else {})
        # A crowd is one account.
        | ({"TALKMETER_ACCOUNT_CALLS_MAX": str(phones)} if phones else {}),
    )
    try:
        await line.start()
        yield line
    finally:
        await line.stop()


def _settings(folder: Path, asterisk: PrivateAsterisk, database_url: str) -> Settings:
    return Settings(
        state_dir=folder,
        database_url=database_url or sqlite_url(folder),
        asterisk="external",
        sip_port=asterisk.wanted.sip,
        agi_port=asterisk.wanted.agi_port,
        ami_port=asterisk.ami_port,
        ami_secret=SecretStr(asterisk.ami_secret),
        cel_file=asterisk.home.cel,
        web_port=free_port(),
    )


async def _prepare(settings: Settings, *, agent_port: int, phones: int) -> None:
    """Make the database and load the catalog of the tests."""
    text = CATALOG.format(agent_port=agent_port, dead_port=free_port())
    if phones:
        numbers = ", ".join(f'"1555{number:07d}"' for number in range(phones))
        crowd = f'  crowd: {{phones: [{numbers}], opening_balance: "1000000.00"}}\n'
        text = text.replace("\naccounts:\n", f"\naccounts:\n{crowd}")
    file = settings.state_dir / "catalog.yaml"
    file.write_text(text)
    engine = create(settings.url)
    await upgrade(engine)
    await apply(engine, load_catalog(file), clock=SystemClock(), pin_key=pin_key(settings))
    await engine.dispose()


def _environment(
    settings: Settings, asterisk: PrivateAsterisk, log_level: str, agent_port: int
) -> dict[str, str]:
    return {
        "TALKMETER_STATE_DIR": str(settings.state_dir),
        "TALKMETER_DATABASE_URL": settings.url,
        "TALKMETER_ASTERISK": "external",
        "TALKMETER_SIP_PORT": str(settings.sip_port),
        "TALKMETER_AGI_PORT": str(settings.agi_port),
        "TALKMETER_AMI_PORT": str(asterisk.ami_port),
        "TALKMETER_AMI_SECRET": asterisk.ami_secret,
        "TALKMETER_CEL_FILE": str(asterisk.home.cel),
        "TALKMETER_OUTBOUND_GATEWAY": f"127.0.0.1:{agent_port}",
        "TALKMETER_OUTBOUND_COUNTRIES": "US",
        "TALKMETER_SHARED_DIR": str(asterisk.home.shared),
        "TALKMETER_WEB_PORT": str(settings.web_port),
        "TALKMETER_LOG_FORMAT": "json",
        "TALKMETER_LOG_LEVEL": log_level,
        "TALKMETER_DRAIN_SECONDS": "1",
        "TALKMETER_SLICE_SECONDS": str(SLICE_SECONDS),
        "TALKMETER_RENEW_SECONDS": "3",
        "TALKMETER_RING_SECONDS": "5",
    }
