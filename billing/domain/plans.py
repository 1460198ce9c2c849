"""A plan as a value: what it costs, what it includes, and what more of it costs.

    meter      a unit that is counted: included each cycle, overage price, stops, alerts
    operation  a type of work and what it takes of the meter: a chat 0.5 minutes
    segment    a kind of work that takes more of the meter: medical +30 %

Units are kept in micro-units like money. Minutes are kept in seconds, so that talk draws whole
seconds and half a minute is exact. A plan is immutable; a changed one is a new version of it, and
a subscription keeps the version that it began with.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from billing.errors import InvalidPlan
from billing.money import AMOUNT_MAX, MICROS_PER_UNIT, Micros

WHOLE: Final = 10_000
PERCENT_MAX: Final = 1_000
ALERTS: Final = (80, 90, 100)
MINUTES: Final = "minutes"
SECONDS_UNIT: Final = "SEC"
SECONDS_OF_MINUTE: Final = 60
PAYMENTS: Final = {"monthly": 1, "quarterly": 3, "annual": 12}
"""How many months are paid at once."""

Pair = tuple[str, int]


def scale_of(unit: str) -> int:
    """Say how many base units one unit is kept in: a minute is sixty seconds."""
    return SECONDS_OF_MINUTE if unit == MINUTES else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTier:
    """From so many units of overage on, a unit costs so much."""

    from_units: int
    price: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Units that are bought in advance, at a price for all of them."""

    name: str
    units: int
    price: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """What is counted in one unit; `overage` without tiers means that there is none."""

    unit: str
    included: int
    overage: tuple[PriceTier, ...] = ()
    rollover_bp: int = 0
    soft_stop: int | None = None
    hard_stop: int | None = None
    alerts: tuple[int, ...] = ALERTS
    operations: tuple[Pair, ...] = ()
    segments: tuple[Pair, ...] = ()
    byok_bp: int = 0
    unit_price: Micros | None = None
    bundles: tuple[Bundle, ...] = ()

    @property
    def scale(self) -> int:
        """How many base units one unit is kept in."""
        return scale_of(self.unit)

    @property
    def currency(self) -> str:
        """The code of the unit in the ledger."""
        return SECONDS_UNIT if self.unit == MINUTES else self.unit.upper()

    @property
    def one(self) -> int:
        """One unit, as it is kept."""
        return self.scale * MICROS_PER_UNIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a subscription buys. `price` is for a month, `year` for twelve where that is less."""

    name: str
    currency: str
    price: Micros
    year: Micros | None = None
    payment: str = "monthly"
    meters: tuple[Meter, ...] = ()
    addons: tuple[Pair, ...] = ()
    committed: Micros = 0
    priority: int = 0

    def __post_init__(self) -> None:
        problems = tuple(_problems(self))
        if problems:
            place, reason = problems[0]
            raise InvalidPlan(field=place, reason=reason, problems=problems)

    def meter_of(self, kind: str) -> Meter | None:
        """Find the meter that counts a unit or a type of operation."""
        for meter in self.meters:
            if kind == meter.unit or kind in dict(meter.operations):
                return meter
        return None

    def charge(self, months: int) -> Micros:
        """Price so many months."""
        if months == PAYMENTS["annual"] and self.year is not None:
            return self.year
        return self.price * months

    def to_json(self) -> str:
        """Write the canonical form; equal plans give equal text."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @staticmethod
    def from_json(text: str) -> Plan:
        """Read what `to_json` wrote.

        Raises:
            InvalidPlan: the content is no plan.

        """
        body = json.loads(text)
        return Plan(
            **{
                **body,
                "meters": tuple(_meter(meter) for meter in body["meters"]),
                "addons": _pairs(body["addons"]),
            }
        )


def _meter(body: dict[str, Any]) -> Meter:  # Any: JSON values
    return Meter(
        **{
            **body,
            "overage": tuple(PriceTier(**tier) for tier in body["overage"]),
            "alerts": tuple(body["alerts"]),
            "operations": _pairs(body["operations"]),
            "segments": _pairs(body["segments"]),
            "bundles": tuple(Bundle(**bundle) for bundle in body["bundles"]),
        }
    )


def _pairs(body: list[list[Any]]) -> tuple[Pair, ...]:  # Any: JSON values
    return tuple((name, number) for name, number in body)


def _problems(plan: Plan) -> Iterator[tuple[str, str]]:
    if plan.payment not in PAYMENTS:
        yield "payment", f"write one of {', '.join(PAYMENTS)}"
    for place, amount in (("price", plan.price), ("year", plan.year or 0)):
        if not 0 <= amount <= AMOUNT_MAX:
            yield place, "cannot be negative"
    if plan.committed < 0:
        yield "committed", "cannot be negative"
    words: set[str] = set()
    for meter in plan.meters:
        place = f"meters.{meter.unit}"
        for word in (meter.unit, *dict(meter.operations)):
            if word in words:
                yield place, f"{word} is counted twice"
            words.add(word)
        yield from ((f"{place}.{name}", reason) for name, reason in _meter_problems(meter))


def _meter_problems(meter: Meter) -> Iterator[tuple[str, str]]:
    if not 0 <= meter.included <= AMOUNT_MAX:
        yield "included", "cannot be negative"
    if not 0 <= meter.rollover_bp <= WHOLE:
        yield "rollover", "write at most 100%"
    if not 0 <= meter.byok_bp <= WHOLE:
        yield "byok", "write at most 100%"
    for name, stop in (("soft_stop", meter.soft_stop), ("hard_stop", meter.hard_stop)):
        if stop is not None and not 0 < stop <= PERCENT_MAX:
            yield name, f"write 1% to {PERCENT_MAX}%"
    if any(not 0 < alert <= PERCENT_MAX for alert in meter.alerts):
        yield "alerts", f"write 1% to {PERCENT_MAX}%"
    starts = [tier.from_units for tier in meter.overage]
    if starts and (starts[0] != 0 or sorted(set(starts)) != starts):
        yield "overage", "tiers begin at 0 and go up"
    if any(units <= 0 for _, units in meter.operations):
        yield "operations", "an operation takes more than nothing"
    if any(bundle.units <= 0 for bundle in meter.bundles):
        yield "bundles", "a bundle holds more than nothing"
