"""The catalog file: prices, clients, DIDs, topics and accounts of one installation.

Reading it collects every mistake with file, line and field; only a file without any becomes a
`Catalog`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from billing.domain.notation import parse_percent
from billing.domain.splits import Share, check_shares
from billing.domain.tariffs import Tariff
from billing.errors import BillingError
from billing.money import Micros, parse_amount
from ivr.directory.catalog_tariffs import read_tariff
from ivr.directory.model import Access, Client, Destination, Did, Topic
from ivr.directory.yaml_reader import CatalogInvalid, Node, read

PARTIES: Final = frozenset({"provider", "client", "reseller", "referrer"})
ROOT: Final = frozenset({"currency", "tariffs", "clients", "accounts", "plans"})
_CODE = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}", re.ASCII)
_NUMBER = re.compile(r"\+?([0-9]{2,20})", re.ASCII)
_PIN = re.compile(r"[0-9]{4,12}", re.ASCII)
_ACCOUNT_NUMBER = re.compile(r"[0-9]{4,12}", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogAccount:
    """A caller's account as the catalog wants it."""

    code: str
    mode: Literal["prepaid", "postpaid"]
    number: str | None
    credit_limit: Micros
    opening_balance: Micros
    phones: tuple[str, ...]
    pin: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """A file without mistakes."""

    currency: str
    tariffs: tuple[Tariff, ...]
    clients: tuple[Client, ...]
    dids: tuple[Did, ...]
    accounts: tuple[CatalogAccount, ...]


def load_catalog(path: Path) -> Catalog:
    """Read and check a file.

    Raises:
        CatalogInvalid: with all its mistakes.

    """
    root = read(path)
    fields = root.map(ROOT)
    currency = fields["currency"].need().read(_currency, "USD")
    tariffs = {
        name: (node, read_tariff(name, node, currency))
        for name, node in fields["tariffs"].need().items()
        if _named(name, node)
    }
    clients: list[Client] = []
    dids: list[Did] = []
    for code, node in fields["clients"].items():
        if _named(code, node):
            client, its_dids = _client(code, node, currency, frozenset(tariffs))
            clients.append(client)
            dids += its_dids
    accounts = [
        _account(code, node) for code, node in fields["accounts"].items() if _named(code, node)
    ]
    _unique(root, fields, dids, accounts)
    if root.notes.mistakes:
        raise CatalogInvalid(root.notes.mistakes)
    return Catalog(
        currency=currency,
        tariffs=tuple(tariff for _, tariff in tariffs.values() if tariff is not None),
        clients=tuple(clients),
        dids=tuple(dids),
        accounts=tuple(accounts),
    )


def _client(
    code: str, node: Node, currency: str, tariffs: frozenset[str]
) -> tuple[Client, list[Did]]:
    fields = node.map(frozenset({"title", "split", "dids"}))
    shares = _shares(code, fields["split"].need())
    dids = [_did(number, child, code, tariffs) for number, child in fields["dids"].items()]
    client = Client(
        code=code,
        title=fields["title"].text(code)[:200],
        currency=currency,
        shares=shares,
    )
    return client, dids


def _shares(client: str, node: Node) -> tuple[Share, ...]:
    """Read `{provider: 30%, client: 70%}`; others are named: `{referrer: {partner: 5%}}`."""
    shares: list[Share] = []
    for party, child in node.map(PARTIES).items():
        if not child.given:
            continue
        account = {"client": client, "provider": "provider"}.get(party, party)
        shares.append(Share(kind=party, account=account, basis_points=child.read(parse_percent, 0)))
    order = ("provider", "client", "reseller", "referrer")
    found = tuple(sorted(shares, key=lambda share: order.index(share.kind)))
    try:
        if node.given:
            check_shares(found)
    except BillingError as error:
        node.wrong(str(error).removeprefix("split: "))
    return found


def _did(number: str, node: Node, client: str, tariffs: frozenset[str]) -> Did:
    fields = node.map(frozenset({"kind", "monthly_fee", "timezone", "tariff", "access", "topics"}))
    if not _NUMBER.fullmatch(number):
        node.wrong("a DID is 2 to 20 digits")
    access = fields["access"].map(frozenset({"trust_caller_id", "pin"}))
    return Did(
        number=number.removeprefix("+"),
        client=client,
        kind=fields["kind"].read(_one_of("local", "premium"), "local"),
        monthly_fee=fields["monthly_fee"].read(parse_amount, 0),
        timezone=fields["timezone"].read(_zone, "UTC"),
        tariff=_known(fields["tariff"].need(), tariffs) or "",
        access=Access(
            trust_caller_id=access["trust_caller_id"].read(_truth, default=False),
            pin=access["pin"].read(_one_of("required", "optional", "never"), "required"),
        ),
        topics=tuple(
            _topic(digit, child, tariffs) for digit, child in fields["topics"].need().items()
        ),
    )


def _topic(digit: str, node: Node, tariffs: frozenset[str]) -> Topic:
    fields = node.map(frozenset({"name", "destination", "tariff"}))
    if digit not in set("0123456789"):
        node.wrong("a topic is one digit, 0 to 9")
    return Topic(
        digit=int(digit) if digit.isdecimal() else 0,
        name=fields["name"].need().text()[:64],
        destination=fields["destination"]
        .need()
        .read(Destination.parse, Destination(kind="demo", target="agent")),
        tariff=_known(fields["tariff"], tariffs),
    )


def _account(code: str, node: Node) -> CatalogAccount:
    fields = node.map(
        frozenset({"mode", "number", "credit_limit", "opening_balance", "phones", "pin"})
    )
    mode = fields["mode"].read(_one_of("prepaid", "postpaid"), "prepaid")
    if mode == "prepaid" and fields["credit_limit"].given:
        fields["credit_limit"].wrong("only a postpaid account has a credit limit")
    return CatalogAccount(
        code=code,
        mode="postpaid" if mode == "postpaid" else "prepaid",
        number=fields["number"].read(_form(_ACCOUNT_NUMBER, "4 to 12 digits"), "") or None,
        credit_limit=fields["credit_limit"].read(_not_negative, 0),
        opening_balance=fields["opening_balance"].read(_not_negative, 0),
        phones=tuple(
            phone.read(_form(_NUMBER, "2 to 20 digits"), "").removeprefix("+")
            for phone in fields["phones"].list()
        ),
        pin=fields["pin"].read(_form(_PIN, "4 to 12 digits, in quotes"), "") or None,
    )


def _unique(
    root: Node, fields: dict[str, Node], dids: list[Did], accounts: list[CatalogAccount]
) -> None:
    """Nobody else's phone, number or DID."""
    for kind, values, node in (
        ("DID", [did.number for did in dids], fields["clients"]),
        ("phone", [phone for item in accounts for phone in item.phones], fields["accounts"]),
        ("number", [item.number for item in accounts if item.number], fields["accounts"]),
    ):
        for value in sorted({value for value in values if value and values.count(value) > 1}):
            root.notes.add(node.line, node.place, f"the {kind} {value} stands there twice")


def _named(name: str, node: Node) -> bool:
    if _CODE.fullmatch(name):
        return True
    node.wrong("a name is lower case letters, digits, dot, dash and underscore, at most 64")
    return False


def _known(node: Node, tariffs: frozenset[str]) -> str | None:
    name = node.text()
    if name and name not in tariffs:
        node.wrong(f"there is no tariff {name!r}; known: {', '.join(sorted(tariffs)) or 'none'}")
    return name or None


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"write one of {', '.join(allowed)}")
        return text

    return parse


def _form(pattern: re.Pattern[str], wish: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(f"write {wish}")
        return text

    return parse


def _truth(text: str) -> bool:
    if text not in {"true", "false"}:
        raise ValueError("write true or false")
    return text == "true"


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("write a time zone such as Europe/Vilnius") from None
    return text


def _currency(text: str) -> str:
    if not _CURRENCY.fullmatch(text):
        raise ValueError("write a currency such as USD")
    return text


def _not_negative(text: str) -> Micros:
    amount = parse_amount(text)
    if amount < 0:
        raise ValueError("cannot be negative")
    return amount
