"""The directory as an immutable snapshot in memory: every call reads it, nobody changes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from billing.domain.agreements import REFERRER, Referrer, shares_at
from billing.domain.splits import Share
from billing.domain.tariffs import Tariff
from billing.errors import UnknownTariff
from billing.money import Micros
from ivr.directory.destinations import Destination
from ivr.directory.fraud_limits import FraudLimits
from ivr.directory.queues import Agent, Queue
from ivr.directory.rules import ClientRules, LineRules, TopicRules

NUMBER: Final = re.compile(r"\+?[0-9]{2,20}", re.ASCII)
ACCOUNT_NUMBER: Final = re.compile(r"[0-9]{4,12}", re.ASCII)
PIN: Final = re.compile(r"[0-9]{4,12}", re.ASCII)
# In place of a digit: what the line says first.
GREETING: Final = -1
PINNED: Final = re.compile(r"([^@]+)@([1-9]\d{0,5})", re.ASCII)


def parse_pin(name: str) -> tuple[str, int | None]:
    """Split `standard@2` into a tariff and the version that it stays with; None without one."""
    match = PINNED.fullmatch(name)
    return (match[1], int(match[2])) if match else (name, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One digit of a menu; `tariff` is None where the DID's applies."""

    digit: int
    name: str
    destination: Destination
    tariff: str | None
    rules: TopicRules = field(default_factory=TopicRules)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How callers of a DID prove who they are; `pin` is required, optional or never."""

    trust_caller_id: bool
    pin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Did:
    """A number that can be dialled, and what is offered behind it."""

    number: str
    client: str
    kind: str
    monthly_fee: Micros
    timezone: str
    tariff: str
    access: Access
    topics: tuple[Topic, ...]
    rules: LineRules = field(default_factory=LineRules)

    def tariffs(self) -> set[str]:
        """Name every tariff that its calls may be rated by."""
        named = {self.tariff, self.rules.announced, *(topic.tariff for topic in self.topics)}
        return {name for name in named if name}

    def topic(self, digit: int) -> Topic | None:
        """Find the topic behind a digit, open or not."""
        return next((topic for topic in self.topics if topic.digit == digit), None)

    def offered(self, now: datetime) -> tuple[Topic, ...]:
        """List the topics that can be chosen now."""
        local = now.astimezone(ZoneInfo(self.timezone))
        return tuple(
            topic
            for topic in self.topics
            if topic.rules.enabled and topic.rules.opening.is_open(local)
        )

    def is_open(self, now: datetime) -> bool:
        """Tell whether the line takes calls now."""
        return not self.rules.retired and self.rules.opening.is_open(
            now.astimezone(ZoneInfo(self.timezone))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A company that gives support, and how its revenue is shared."""

    code: str
    title: str
    currency: str
    shares: tuple[Share, ...]
    referrers: tuple[Referrer, ...] = ()
    rules: ClientRules = field(default_factory=ClientRules)

    def shares_at(self, at_us: int) -> tuple[Share, ...]:
        """Return who gets what of a call that is priced now, commissions with the rest."""
        return shares_at(self.shares, self.referrers, at_us)


@dataclass(frozen=True, slots=True, kw_only=True)
class TariffVersion:
    """A price list in force; sessions keep `id` for ever."""

    id: int
    name: str
    version: int
    tariff: Tariff


def rung_at(destination: str, client: str, directory: Directory) -> str:
    """Name who answers at a destination; nobody can be named where a queue decides."""
    if destination.startswith("queue:"):
        return ""
    agent = directory.agent_at(client, destination)
    return agent.code if agent else destination


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """All of it at one moment; `numbers` are the account numbers that callers key in."""

    dids: Mapping[str, Did]
    clients: Mapping[str, Client]
    tariffs: Mapping[str, TariffVersion]
    phones: Mapping[str, str]
    numbers: Mapping[str, str]
    pins: Mapping[str, str]
    queues: Mapping[str, Queue] = field(default_factory=dict)
    languages: Mapping[str, str] = field(default_factory=dict)
    # The own prompt of a line (`GREETING`) or a topic: (DID, digit) to its name.
    prompt_uses: Mapping[tuple[str, int], str] = field(default_factory=dict)
    # Agents that get no calls: (client, agent) to their state.
    away: Mapping[tuple[str, str], str] = field(default_factory=dict)
    limits: FraudLimits = field(default_factory=FraudLimits)

    def did(self, number: str) -> Did | None:
        """Find a DID; None when it is not ours."""
        return self.dids.get(number)

    def client(self, code: str) -> Client:
        """Return a client; a DID's client exists by constraint."""
        return self.clients[code]

    def clients_of(self, kind: str, account: str) -> frozenset[str]:
        """Name the clients whose agreement names a reseller or referrer, by their code."""
        return frozenset(
            client.code
            for client in self.clients.values()
            if any((share.kind, share.account) == (kind, account) for share in client.shares)
            or (kind == REFERRER and any(each.account == account for each in client.referrers))
        )

    def tariff(self, name: str) -> TariffVersion:
        """Return the version in force; `standard@2` is that version for ever.

        Raises:
            UnknownTariff: there is none.

        """
        version = self.tariffs.get(name)
        if version is None:
            raise UnknownTariff(tariff=name)
        return version

    def account_of_phone(self, number: str) -> str | None:
        """Find whose phone this is; a leading + makes no difference."""
        return self.phones.get(number.removeprefix("+"))

    def account_of_number(self, digits: str) -> str | None:
        """Find the account with this account number."""
        return self.numbers.get(digits)

    def agent_of_number(self, client: str, number: str) -> Agent | None:
        """Find a client's agent by the number that agents key in."""
        agents = (
            agent
            for queue in self.queues.values()
            if queue.client == client
            for agent in queue.agents
        )
        return next((agent for agent in agents if agent.number and agent.number == number), None)

    def agent_at(self, client: str, destination: str) -> Agent | None:
        """Find a client's agent by where it is called."""
        agents = (
            agent
            for queue in self.queues.values()
            if queue.client == client
            for agent in queue.agents
        )
        return next((agent for agent in agents if str(agent.destination) == destination), None)

    def pin_hash(self, account: str) -> str | None:
        """Return the stored hash of an account's PIN; None when it has none."""
        return self.pins.get(account)
