"""Tariffs of the catalog file, with their shorthands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, cast

from billing.clock import microseconds_of
from billing.domain.notation import (
    parse_days,
    parse_duration,
    parse_minute,
    parse_percent,
    parse_price,
)
from billing.domain.tariffs import Period, Problem, RoundingRule, Tariff, Tax, Tier
from billing.errors import InvalidTariff
from billing.money import DECIMALS_MAX, Micros, Rounding, parse_amount
from ivr.directory.catalog_words import kept_in, title, truth
from ivr.directory.yaml_reader import Node

TAX_NAME_MAX: Final = 20
FIELDS: Final = frozenset(
    {
        "setup_fee",
        "increment",
        "minimum",
        "free",
        "minimum_cost",
        "maximum_cost",
        "rounding",
        "tiers",
        "periods",
        "tax",
        "holidays",
        "currency",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTariff:
    """A price list that comes into force later, by `next` of its tariff."""

    tariff: Tariff
    in_force_us: int


def read_tariff(name: str, node: Node, currency: str) -> tuple[Tariff | None, PlannedTariff | None]:
    """Read one tariff and what follows it; what is wrong is noted, and None in its place."""
    fields = node.map(FIELDS | {"next"})
    money = kept_in(fields["currency"], currency)
    tariff = _tariff(name, node, fields, money)
    if not (later := fields["next"]).given:
        return tariff, None
    coming = later.map(FIELDS - {"currency"} | {"in_force_from"})
    in_force_us = coming["in_force_from"].need().read(moment_from, 0)
    then = _tariff(name, later, coming, money)
    planned = PlannedTariff(tariff=then, in_force_us=in_force_us) if then else None
    return tariff, planned


def moment_from(text: str) -> int:
    """Read `2027-01-01` or `2027-01-01T08:00+02:00`; without an offset it is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("write 2027-01-01, or 2027-01-01T08:00+02:00") from None
    return microseconds_of(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _tariff(name: str, node: Node, fields: dict[str, Node], currency: str) -> Tariff | None:
    increment = fields["increment"].read(parse_duration, 1)
    maximum = fields["maximum_cost"]
    try:
        return Tariff(
            name=name,
            currency=currency,
            tiers=_tiers(fields["tiers"].need(), increment),
            periods=tuple(_period(child, increment) for child in fields["periods"].list()),
            rounding=_rounding(fields["rounding"]),
            setup_fee=fields["setup_fee"].read(parse_amount, 0),
            minimum_seconds=fields["minimum"].read(parse_duration, 0),
            free_seconds=fields["free"].read(parse_duration, 0),
            minimum_cost=fields["minimum_cost"].read(parse_amount, 0),
            maximum_cost=maximum.read(_amount_or_none, None) if maximum.given else None,
            holidays=tuple(child.text() for child in fields["holidays"].list()),
            tax=_tax(fields["tax"]) if fields["tax"].given else None,
        )
    except InvalidTariff as error:
        for place, reason in cast("tuple[Problem, ...]", error.facts["problems"]):
            target = node.at(place)
            # A default that stands in for something unreadable is no mistake of its own.
            if not node.notes.has(target.place):
                target.wrong(reason)
        return None


def _amount_or_none(text: str) -> Micros | None:
    return parse_amount(text)


def _tiers(node: Node, increment: int) -> tuple[Tier, ...]:
    tiers: list[Tier] = []
    for child in node.list():
        fields = child.map(frozenset({"from", "price", "increment"}))
        price, per_seconds = fields["price"].need().read(parse_price, (0, 60))
        tiers.append(
            Tier(
                from_seconds=fields["from"].read(parse_duration, 0),
                price=price,
                per_seconds=per_seconds,
                increment_seconds=fields["increment"].read(parse_duration, increment),
            )
        )
    return tuple(tiers)


def _period(node: Node, increment: int) -> Period:
    fields = node.map(frozenset({"days", "from", "to", "tiers"}))
    return Period(
        days=fields["days"].read(parse_days, frozenset(range(7))),
        from_minute=fields["from"].need().read(parse_minute, 0),
        to_minute=fields["to"].need().read(parse_minute, 0),
        tiers=_tiers(fields["tiers"].need(), increment),
    )


def _rounding(node: Node) -> RoundingRule:
    fields = node.map(frozenset({"method", "decimals"}))
    return RoundingRule(
        method=fields["method"].read(_method, Rounding.HALF_UP),
        decimals=fields["decimals"].read(_decimals, DECIMALS_MAX),
    )


def _tax(node: Node) -> Tax:
    fields = node.map(frozenset({"name", "rate", "included"}))
    return Tax(
        name=fields["name"].read(title(TAX_NAME_MAX), "VAT"),
        basis_points=fields["rate"].need().read(parse_percent, 1),
        included=fields["included"].need().read(truth, default=False),
    )


def _method(text: str) -> Rounding:
    try:
        return Rounding(text)
    except ValueError:
        raise ValueError(f"write one of {', '.join(Rounding)}") from None


def _decimals(text: str) -> int:
    if not text.isdecimal() or int(text) > DECIMALS_MAX:
        raise ValueError(f"write 0 to {DECIMALS_MAX}")
    return int(text)
