"""What the web is given, and what it keeps: one object under one key of the application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import Clock, microseconds_of
from billing.errors import LedgerUnavailable
from billing.layout import Issuer
from billing.storage.writer import GroupWriter
from billing.wallet import Wallet
from ivr.calls.mailbox import Mailbox
from ivr.directory.gate import PinGate
from ivr.directory.model import Directory
from ivr.payments.desk import CardDesk
from ivr.settings import Settings
from ivr.tables import audit_log
from ivr.web.factor.store import Factors
from ivr.web.limits import Limiter
from ivr.web.live import Listening, LiveCalls, LiveControl, MachineView, Queues
from ivr.web.login_tries import LoginTries
from ivr.web.passwords import PasswordChecks
from ivr.web.pin_sessions import PinSessions
from ivr.web.scope import Role, Scope, Who
from ivr.web.sessions import Sessions
from ivr.web.shared import Shared
from ivr.web.templating import Templates

# Calls read from the same pool of connections: pages never take it all.
READS_AT_ONCE: Final = 6
READ_WAIT_SECONDS: Final = 5.0
NOTE_MAX: Final = 2_000

_AUDIT = insert(audit_log)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebDeps:
    """Everything the web needs from outside.

    `ready` names what must work for calls to come in, and whether it does. `proxies` are the
    addresses of reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.
    """

    engine: AsyncEngine
    writer: GroupWriter
    wallet: Wallet
    directory: Callable[[], Directory]
    live: LiveCalls
    control: LiveControl
    machine: MachineView
    queues: Queues
    listening: Listening
    clock: Clock
    pin_key: bytes
    voucher_key: bytes
    web_key: bytes
    cli_token: str = ""
    # Strangers may open an account of their own.
    signup: bool = False
    # Where cards are taken; None: they are not.
    cards: CardDesk | None = None
    # Webhooks may be plain http, for servers in our own network.
    webhooks_plain: bool = False
    # Sound files of calls; None where nothing is recorded.
    mailbox: Mailbox | None = None
    issuer: Issuer = field(default_factory=lambda: Issuer(title="Talkmeter"))
    ready: Callable[[], Mapping[str, bool]] = dict
    proxies: frozenset[str] = frozenset()
    # Roles whose logins must have a second factor.
    require_second_factor: frozenset[str] = frozenset()
    # For people to read; None where the web runs without.
    settings: Settings | None = None
    metrics: CollectorRegistry = field(default_factory=CollectorRegistry)


class Web:
    """The running web: its dependencies, sessions, limits and templates."""

    def __init__(self, deps: WebDeps) -> None:
        self.deps = deps
        self.templates = Templates()
        self.sessions = Sessions(writer=deps.writer, clock=deps.clock)
        self.pin_sessions = PinSessions(writer=deps.writer, clock=deps.clock)
        self.passwords = PasswordChecks()
        self.logins = LoginTries(engine=deps.engine, clock=deps.clock)
        self.factors = Factors(engine=deps.engine, clock=deps.clock, key=deps.web_key)
        self.bearers = Limiter(deps.clock)
        self.shared = Shared(deps.clock)
        self.paces = Limiter(deps.clock)
        self.pins = PinGate(
            deps.engine,
            deps.clock,
            key=deps.pin_key,
            hash_of=lambda account: deps.directory().pin_hash(account),
        )
        self._reads = asyncio.Semaphore(READS_AT_ONCE)

    def now(self) -> datetime:
        """Wall time in UTC."""
        return self.deps.clock.now()

    def now_us(self) -> int:
        """The same in microseconds."""
        return microseconds_of(self.deps.clock.now())

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection, a few at a time.

        Raises:
            LedgerUnavailable: too many pages read at once.

        """
        try:
            async with asyncio.timeout(READ_WAIT_SECONDS):
                await self._reads.acquire()
        except TimeoutError:
            raise LedgerUnavailable(reason="too many pages are read at once") from None
        try:
            async with self.deps.engine.connect() as connection:
                yield connection
        finally:
            self._reads.release()

    def scoped(self, scope: Scope) -> Scope:
        """Say which clients a reseller or referrer has to do with, by their agreements of now."""
        if scope.role not in {Role.RESELLER, Role.REFERRER} or not scope.subject:
            return scope
        return replace(scope, under=self.deps.directory().clients_of(scope.role, scope.subject))

    async def note(
        self, who: Who, action: str, subject: str, *, before: str = "", after: str = ""
    ) -> None:
        """Write down who changed what, from where."""
        await self.deps.writer.write(
            _AUDIT,
            {
                "at_us": self.now_us(),
                "actor": who.login,
                "address": who.address,
                "action": action,
                "subject": subject,
                "before": before[:NOTE_MAX] or None,
                "after": after[:NOTE_MAX] or None,
                "company": None if who.role is Role.OPERATOR else who.scope.subject,
                "role": who.role.value,
            },
        )


WEB: Final = web.AppKey("web", Web)


def web_of(request: web.Request) -> Web:
    """Return the running web of a request."""
    return request.config_dict[WEB]
