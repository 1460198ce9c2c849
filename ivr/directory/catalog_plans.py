"""Plans of the catalog file: read, stored as versions, and written back; and who has which."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.clock import Clock, microseconds_of
from billing.domain.notation import format_percent, parse_percent
from billing.domain.plans import (
    ALERTS,
    PAYMENTS,
    WHOLE,
    Bundle,
    Meter,
    Pair,
    Plan,
    PriceTier,
)
from billing.errors import InvalidPlan
from billing.ids import CODE
from billing.money import MICROS_PER_UNIT, format_amount, parse_amount
from billing.storage.plan_rows import live_subscriptions, newest_plans
from billing.storage.plan_tables import plan_versions
from billing.subscriptions import subscribe_in
from ivr.directory.catalog_words import kept_in, named, not_negative, one_of
from ivr.directory.rows import Applied
from ivr.directory.yaml_reader import Node

Document = dict[str, Any]  # Any: YAML values

FIELDS: Final = frozenset(
    {"price", "currency", "year", "payment", "meters", "addons", "committed", "priority"}
)
METER: Final = frozenset(
    {
        "included", "overage", "rollover", "soft_stop", "hard_stop", "alerts", "operations",
        "segments", "byok", "unit_price", "bundles",
    }
)  # fmt: skip
PRIORITY_MAX: Final = 100
POINTS: Final = 100
UNIT: Final = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)


def read_plan(name: str, node: Node, currency: str) -> Plan | None:
    """Read one plan; what is wrong with it is noted, and None where it makes no plan."""
    named(name, node)
    fields = node.map(FIELDS)
    year = fields["year"]
    try:
        return Plan(
            name=name,
            currency=kept_in(fields["currency"], currency),
            price=fields["price"].need().read(not_negative, 0),
            year=year.read(not_negative, 0) if year.given else None,
            payment=fields["payment"].read(one_of(*PAYMENTS), "monthly"),
            meters=tuple(_meter(unit, child) for unit, child in fields["meters"].items()),
            addons=_pairs(fields["addons"], not_negative),
            committed=fields["committed"].read(not_negative, 0),
            priority=fields["priority"].read(_priority, 0),
        )
    except InvalidPlan as error:
        for place, reason in cast("tuple[Pair, ...]", error.facts["problems"]):
            target = node.at(place)
            # A default that stands in for something unreadable is no mistake of its own.
            if not node.notes.has(target.place):
                target.wrong(str(reason))
        return None


def _meter(unit: str, node: Node) -> Meter:
    if not UNIT.fullmatch(unit):
        node.wrong("a unit is lower case letters, digits and underscore, at most 32")
    fields = node.map(METER)
    one = Meter(unit=unit, included=0).one
    units = _units(one)
    price = fields["unit_price"]
    return Meter(
        unit=unit,
        included=fields["included"].read(units, 0),
        overage=_tiers(fields["overage"], units),
        rollover_bp=fields["rollover"].read(parse_percent, 0),
        soft_stop=_stop(fields["soft_stop"]),
        hard_stop=_stop(fields["hard_stop"]),
        alerts=_alerts(fields["alerts"]),
        operations=_pairs(fields["operations"], units),
        segments=_pairs(fields["segments"], _points),
        byok_bp=fields["byok"].read(_points, 0),
        unit_price=price.read(not_negative, 0) if price.given else None,
        bundles=tuple(_bundle(name, child, units) for name, child in fields["bundles"].items()),
    )


def _units(one: int) -> Callable[[str], int]:
    """Read so many units, such as 0.5, as they are kept."""

    def parse(text: str) -> int:
        micros = parse_amount(text.replace("_", ""))
        if micros < 0:
            raise ValueError("cannot be negative")
        return micros * (one // MICROS_PER_UNIT)

    return parse


def _points(text: str) -> int:
    points = parse_percent(text.removeprefix("+"))
    if points > WHOLE:
        raise ValueError("write at most 100%")
    return points


def _whole_percent(text: str) -> int:
    points = parse_percent(text)
    if points % POINTS:
        raise ValueError("write a whole percentage such as 90%")
    return points // POINTS


def _stop(node: Node) -> int | None:
    return node.read(_whole_percent, 1) if node.given else None


def _alerts(node: Node) -> tuple[int, ...]:
    if not node.given:
        return ALERTS
    return tuple(sorted({child.read(_whole_percent, 1) for child in node.list()}))


def _tiers(node: Node, units: Callable[[str], int]) -> tuple[PriceTier, ...]:
    """Read one price, or a list of prices from so many units of overage on."""
    if not node.given:
        return ()
    if node.raw is not None and not hasattr(node.raw.value, "append"):
        return (PriceTier(from_units=0, price=node.read(not_negative, 0)),)
    tiers: list[PriceTier] = []
    for child in node.list():
        fields = child.map(frozenset({"from", "price"}))
        tiers.append(
            PriceTier(
                from_units=fields["from"].read(units, 0),
                price=fields["price"].need().read(not_negative, 0),
            )
        )
    return tuple(tiers)


def _bundle(name: str, node: Node, units: Callable[[str], int]) -> Bundle:
    named(name, node)
    fields = node.map(frozenset({"units", "price"}))
    return Bundle(
        name=name,
        units=fields["units"].need().read(units, MICROS_PER_UNIT),
        price=fields["price"].need().read(not_negative, 0),
    )


def _pairs(node: Node, parse: Callable[[str], int]) -> tuple[Pair, ...]:
    found: list[Pair] = []
    for name, child in node.items():
        if not CODE.fullmatch(name):
            child.wrong("a name is lower case letters, digits, dot, dash and underscore")
        found.append((name, child.read(parse, 1)))
    return tuple(sorted(found))


def _priority(text: str) -> int:
    if not text.isdecimal() or int(text) > PRIORITY_MAX:
        raise ValueError(f"write 0 to {PRIORITY_MAX}")
    return int(text)


async def apply_plans(
    connection: AsyncConnection, listed: tuple[Plan, ...], clock: Clock, applied: Applied
) -> None:
    """Store the plans that are new or changed as versions; subscriptions keep theirs."""
    before = await newest_plans(connection)
    for plan in listed:
        known = before.get(plan.name)
        applied.note(f"plan {plan.name}", before=known and known.plan, after=plan)
        if known is None or known.plan != plan:
            body = plan.to_json()
            row = {
                "name": plan.name,
                "version": known.version + 1 if known else 1,
                "currency": plan.currency,
                "body": body,
                "body_hash": hashlib.sha256(body.encode()).hexdigest(),
                "created_us": microseconds_of(clock.now()),
            }
            await connection.execute(insert(plan_versions), row)


async def apply_subscriptions(
    connection: AsyncConnection, wanted: Mapping[str, str], clock: Clock, applied: Applied
) -> list[str]:
    """Subscribe accounts that have no plan yet; returns those that have another one."""
    sold = await newest_plans(connection)
    live = await live_subscriptions(connection, wanted)
    others: list[str] = []
    for account, plan in wanted.items():
        has = live.get(account)
        if has is not None and has.plan.name != plan:
            others.append(f"account {account} has the plan {has.plan.name} already")
            continue
        applied.note(f"plan of account {account}", before=has and plan, after=plan)
        if has is None:
            await subscribe_in(connection, clock, account, sold[plan])
    return others


def plan_document(plan: Plan) -> Document:
    """Write a plan as `read_plan` reads it; what is nothing is left out."""
    document: Document = {
        "price": format_amount(plan.price),
        "year": format_amount(plan.year) if plan.year is not None else None,
        "payment": plan.payment,
        "meters": {meter.unit: _meter_document(meter) for meter in plan.meters},
        "addons": {name: format_amount(price) for name, price in plan.addons},
        "committed": format_amount(plan.committed) if plan.committed else None,
        "priority": plan.priority,
    }
    return {name: value for name, value in document.items() if value not in (None, {}, 0)}


def _meter_document(meter: Meter) -> Document:
    scale = meter.scale

    def written(units: int) -> str:
        return format_amount(units // scale, decimals_min=0)

    document: Document = {
        "included": written(meter.included),
        "overage": [
            {"from": written(tier.from_units), "price": format_amount(tier.price)}
            for tier in meter.overage
        ],
        "rollover": format_percent(meter.rollover_bp) if meter.rollover_bp else None,
        "soft_stop": f"{meter.soft_stop}%" if meter.soft_stop is not None else None,
        "hard_stop": f"{meter.hard_stop}%" if meter.hard_stop is not None else None,
        "operations": {name: written(units) for name, units in meter.operations},
        "segments": {name: format_percent(points) for name, points in meter.segments},
        "byok": format_percent(meter.byok_bp) if meter.byok_bp else None,
        "unit_price": format_amount(meter.unit_price) if meter.unit_price is not None else None,
        "bundles": {
            bundle.name: {"units": written(bundle.units), "price": format_amount(bundle.price)}
            for bundle in meter.bundles
        },
    }
    kept = {name: value for name, value in document.items() if value not in (None, {}, [])}
    return {**kept, "alerts": [f"{percent}%" for percent in meter.alerts]}
