"""Clients of the catalog file: how their revenue is shared, their DIDs and topics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from billing.domain.notation import parse_percent
from billing.domain.splits import Share, check_shares
from billing.errors import InvalidShares
from ivr.directory.catalog_parties import read_referrers, with_fixed_fee
from ivr.directory.catalog_words import (
    Taken,
    kept_in,
    named,
    not_negative,
    one_of,
    title,
    truth,
    zone,
)
from ivr.directory.destinations import Destination, destination
from ivr.directory.model import NUMBER, Access, Client, Did, Topic, parse_pin
from ivr.directory.rules import (
    ACCESS_FIELDS,
    CLIENT_FIELDS,
    LINE_FIELDS,
    TOPIC_FIELDS,
    LineRules,
    read_client_rules,
    read_line_rules,
    read_topic_rules,
)
from ivr.directory.yaml_reader import Node

PARTIES: Final = ("provider", "client", "reseller", "referrer")
NAMED_PARTIES: Final = frozenset({"reseller", "referrer"})
TITLE_MAX: Final = 200
NAME_MAX: Final = 64
DID_FIELDS: Final = frozenset({"kind", "monthly_fee", "timezone", "tariff", "access", "topics"})
DIGITS: Final = frozenset("0123456789")
Priced: TypeAlias = Mapping[str, str | None]
"""The tariffs of the file and their currencies; None where one is unreadable."""
_NOWHERE: Final = Destination(kind="demo", target="agent")


def read_client(
    code: str, node: Node, currency: str, tariffs: Priced, taken: Taken
) -> tuple[Client, list[Did]]:
    """Read one client with its DIDs; what is wrong is noted, with something harmless in place."""
    fields = node.map(
        frozenset(
            {"title", "currency", "split", "fixed_fee", "referrers", "payout", "queues", "dids"}
        )
        | CLIENT_FIELDS
    )
    money = kept_in(fields["currency"], currency)
    shares = with_fixed_fee(
        _shares(code, fields["split"].need()), fields["fixed_fee"].read(not_negative, 0)
    )
    client = Client(
        code=code,
        title=fields["title"].read(title(TITLE_MAX), code),
        currency=money,
        shares=shares,
        referrers=read_referrers(fields["referrers"], shares),
        rules=read_client_rules(fields),
    )
    dids = [
        read_did(number, child, client, tariffs, taken) for number, child in fields["dids"].items()
    ]
    return client, dids


def _shares(client: str, node: Node) -> tuple[Share, ...]:
    """Read `{provider: 30%, client: 70%}`.

    A reseller or referrer has the account of this client's reseller or referrer, unless accounts
    are named: `referrer: {partner-a: 5%, partner-b: 3%}`.
    """
    before = len(node.notes.mistakes)
    fields = node.map(frozenset(PARTIES))
    shares: list[Share] = []
    for party in PARTIES:
        child = fields[party]
        if party in NAMED_PARTIES and child.is_map:
            for account, part in child.items():
                named(account, part)
                shares.append(_share(party, account, part))
        elif child.given:
            shares.append(_share(party, "provider" if party == "provider" else client, child))
    if node.given and len(node.notes.mistakes) == before:
        try:
            check_shares(shares)
        except InvalidShares as error:
            node.wrong(str(error.facts["reason"]))
    return tuple(shares)


def _share(party: str, account: str, node: Node) -> Share:
    return Share(kind=party, account=account, basis_points=node.read(parse_percent, 0))


def read_did(number: str, node: Node, client: Client, tariffs: Priced, taken: Taken) -> Did:
    """Read one DID with its topics; what is wrong is noted."""
    fields = node.map(DID_FIELDS | LINE_FIELDS)
    if not NUMBER.fullmatch(number):
        node.wrong("a DID is 2 to 20 digits")
    digits = number.removeprefix("+")
    taken.take("DID", digits, node)
    kind = fields["kind"].read(one_of("local", "premium", "agents"), "local")
    # Agents come and go on a line of theirs, which sells nothing.
    sells = kind != "agents"
    topics = fields["topics"].need() if sells else fields["topics"]
    if sells and topics.is_map and not list(topics.items()):
        topics.wrong("at least one topic is needed")
    return Did(
        number=digits,
        client=client.code,
        kind=kind,
        monthly_fee=fields["monthly_fee"].read(not_negative, 0),
        timezone=fields["timezone"].read(zone, "UTC"),
        tariff=_known(fields["tariff"].need() if sells else fields["tariff"], client, tariffs)
        or "",
        access=_access(fields["access"], kind),
        topics=tuple(read_topic(digit, child, client, tariffs) for digit, child in topics.items()),
        rules=_rules(fields, kind, client, tariffs),
    )


def _rules(fields: dict[str, Node], kind: str, client: Client, tariffs: Priced) -> LineRules:
    rules = read_line_rules(fields, fields["access"])
    _known(fields["announced"], client, tariffs)
    if kind == "premium" and not rules.carrier:
        fields["kind"].wrong("a premium line needs the account of its carrier: carrier: NAME")
    if kind == "local" and rules.carrier:
        fields["carrier"].wrong("only a premium line has a carrier")
    return rules


def _access(node: Node, kind: str) -> Access:
    before = len(node.notes.mistakes)
    fields = node.map(frozenset({"trust_caller_id", "pin"}) | ACCESS_FIELDS)
    access = Access(
        trust_caller_id=fields["trust_caller_id"].read(truth, default=False),
        pin=fields["pin"].read(one_of("required", "optional", "never"), "required"),
    )
    closed = kind == "local" and access.pin == "never" and not access.trust_caller_id
    if closed and len(node.notes.mistakes) == before:
        node.wrong("nobody could get in: trust the caller id, or ask for a PIN")
    return access


def read_topic(digit: str, node: Node, client: Client, tariffs: Priced) -> Topic:
    """Read one topic; what is wrong is noted."""
    fields = node.map(frozenset({"name", "destination", "tariff"}) | TOPIC_FIELDS)
    if digit not in DIGITS:
        node.wrong("a topic is one digit, 0 to 9")
    return Topic(
        digit=int(digit) if digit in DIGITS else 0,
        name=fields["name"].need().read(title(NAME_MAX), ""),
        destination=fields["destination"].need().read(destination, _NOWHERE),
        tariff=_known(fields["tariff"], client, tariffs),
        rules=read_topic_rules(fields),
    )


def _known(node: Node, client: Client, tariffs: Priced) -> str | None:
    """Read the name of a tariff of this file, or `name@version` of one."""
    name = node.text()
    plain, _ = parse_pin(name)
    if name and plain not in tariffs:
        node.wrong(f"there is no tariff {name!r}; known: {', '.join(sorted(tariffs)) or 'none'}")
    elif name and (tariffs[plain] or client.currency) != client.currency:
        node.wrong(
            f"tariff {name!r} costs {tariffs[plain]}, client {client.code} is kept in "
            f"{client.currency}"
        )
    return name or None
