"""The catalog file: prices, clients, DIDs, topics and accounts of one installation.

Reading it collects every mistake with file, line and field; only a file without any becomes a
`Catalog`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from billing.domain.invoices import BillingTerms
from billing.domain.payouts import PayoutTerms
from billing.domain.plans import Plan
from billing.domain.tariffs import Tariff
from billing.money import Micros
from ivr.directory.catalog_billing import read_billing
from ivr.directory.catalog_clients import read_client
from ivr.directory.catalog_payouts import read_payout
from ivr.directory.catalog_plans import read_plan
from ivr.directory.catalog_tariffs import PlannedTariff, read_tariff
from ivr.directory.catalog_words import (
    Taken,
    currency,
    form,
    kept_in,
    named,
    not_negative,
    one_of,
)
from ivr.directory.mistakes import CatalogInvalid
from ivr.directory.model import ACCOUNT_NUMBER, NUMBER, PIN, Client, Did
from ivr.directory.queues import Queue, read_queues
from ivr.directory.rules import LANGUAGES
from ivr.directory.yaml_reader import Node, read, read_text

ROOT: Final = frozenset({"currency", "tariffs", "clients", "accounts", "plans"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogAccount:
    """A caller's account as the catalog wants it; `number` is None where any will do."""

    code: str
    mode: Literal["prepaid", "postpaid"]
    currency: str
    number: str | None
    credit_limit: Micros
    opening_balance: Micros
    phones: tuple[str, ...]
    pin: str | None
    billing: BillingTerms | None = None
    plan: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """A file without mistakes; `payouts` are the terms of the clients that have any.

    `planned` are price lists that follow those of the same name in `tariffs`.
    """

    currency: str
    tariffs: tuple[Tariff, ...]
    planned: tuple[PlannedTariff, ...] = ()
    clients: tuple[Client, ...]
    dids: tuple[Did, ...]
    accounts: tuple[CatalogAccount, ...]
    queues: tuple[Queue, ...] = ()
    agent_pins: Mapping[str, str] = field(default_factory=dict)
    payouts: Mapping[str, PayoutTerms] = field(default_factory=dict)
    plans: tuple[Plan, ...] = ()


def load_catalog(path: Path) -> Catalog:
    """Read and check a file.

    Raises:
        CatalogInvalid: with all its mistakes.

    """
    return _catalog(read(path))


def load_catalog_text(text: str, name: str) -> Catalog:
    """Read and check a catalog that came from elsewhere than a file.

    Raises:
        CatalogInvalid: with all its mistakes.

    """
    return _catalog(read_text(text, name=name))


def _catalog(root: Node) -> Catalog:
    fields = root.map(ROOT)
    money = fields["currency"].need().read(currency, "USD")
    tariffs: dict[str, tuple[Tariff | None, PlannedTariff | None]] = {}
    for name, node in fields["tariffs"].need().items():
        named(name, node)
        tariffs[name] = read_tariff(name, node, money)
    priced = {name: tariff.currency if tariff else None for name, (tariff, _) in tariffs.items()}
    taken = Taken()
    clients: list[Client] = []
    dids: list[Did] = []
    payouts: dict[str, PayoutTerms] = {}
    queues: list[Queue] = []
    agent_pins: dict[str, str] = {}
    for code, node in fields["clients"].items():
        named(code, node)
        client, its_dids = read_client(code, node, money, priced, taken)
        clients.append(client)
        dids += its_dids
        for queue in read_queues(code, node.at("queues"), agent_pins):
            taken.take("queue", queue.name, node.at(f"queues.{queue.name}"))
            queues.append(queue)
        if (terms := read_payout(node.at("payout"))) is not None:
            payouts[code] = terms
    plans = {name: read_plan(name, node, money) for name, node in fields["plans"].items()}
    accounts: list[CatalogAccount] = []
    for code, node in fields["accounts"].items():
        named(code, node)
        accounts.append(_account(code, node, money, taken, plans))
    if root.notes.mistakes:
        raise CatalogInvalid(root.notes.mistakes)
    return Catalog(
        currency=money,
        tariffs=tuple(tariff for tariff, _ in tariffs.values() if tariff is not None),
        planned=tuple(planned for _, planned in tariffs.values() if planned is not None),
        clients=tuple(clients),
        dids=tuple(dids),
        accounts=tuple(accounts),
        payouts=payouts,
        agent_pins=agent_pins,
        queues=tuple(queues),
        plans=tuple(plan for plan in plans.values() if plan is not None),
    )


def _account(
    code: str, node: Node, default: str, taken: Taken, plans: Mapping[str, Plan | None]
) -> CatalogAccount:
    fields = node.map(
        frozenset(
            {
                "mode",
                "currency",
                "number",
                "credit_limit",
                "opening_balance",
                "phones",
                "pin",
                "billing",
                "plan",
                "language",
            }
        )
    )
    mode = fields["mode"].read(one_of("prepaid", "postpaid"), "prepaid")
    limit = fields["credit_limit"]
    if limit.given and mode == "prepaid" and not node.notes.has(fields["mode"].place):
        limit.wrong("only a postpaid account has a credit limit")
    money = kept_in(fields["currency"], default)
    plan = fields["plan"].text() or None
    if plan is not None and plan not in plans:
        fields["plan"].wrong(f"there is no plan {plan!r} in this file")
    elif plan and (sold := plans[plan]) and sold.currency != money:
        fields["plan"].wrong(f"this plan costs {sold.currency}, the account is kept in {money}")
    number = fields["number"].read(form(ACCOUNT_NUMBER, "4 to 12 digits"), "") or None
    taken.take("account number", number, fields["number"])
    return CatalogAccount(
        code=code,
        mode="postpaid" if mode == "postpaid" else "prepaid",
        currency=money,
        number=number,
        credit_limit=limit.read(not_negative, 0),
        opening_balance=fields["opening_balance"].read(not_negative, 0),
        phones=_phones(fields["phones"], taken),
        pin=fields["pin"].read(form(PIN, "4 to 12 digits, in quotes"), "") or None,
        billing=read_billing(fields["billing"], postpaid=mode == "postpaid"),
        plan=plan,
        language=fields["language"].read(one_of(*LANGUAGES), "") or None,
    )


def _phones(node: Node, taken: Taken) -> tuple[str, ...]:
    phones: list[str] = []
    for child in node.list():
        phone = child.read(form(NUMBER, "2 to 20 digits"), "").removeprefix("+")
        taken.take("phone", phone, child)
        phones.append(phone)
    return tuple(phones)
