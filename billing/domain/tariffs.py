"""A price list as a value: setup fee, tiers by elapsed talk, periods of the day, rounding.

    tier      from_seconds of talk on, `price` per `per_seconds`, billed in whole increments
    period    other tiers on some days between two times of the local day
    rounding  once, at the very end

A tariff is immutable; a changed price is a new version of it. Its canonical JSON is what a version
stores, so that any past session can be explained.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from billing.errors import InvalidTariff
from billing.money import AMOUNT_MAX, DECIMALS_MAX, Micros, Rounding

TIERS_MAX: Final = 100
PERIODS_MAX: Final = 50
SECONDS_MAX: Final = 366 * 24 * 3600
MINUTES_OF_DAY: Final = 24 * 60
DAYS_OF_WEEK: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """A price from some second of talk on: `price` micro-units per `per_seconds`."""

    from_seconds: int
    price: Micros
    per_seconds: int = 60
    increment_seconds: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundingRule:
    """How a cost is rounded, once: to so many decimals of the currency unit."""

    method: Rounding = Rounding.HALF_UP
    decimals: int = DECIMALS_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Other tiers on `days` (Monday is 0) between two minutes of the local day.

    A period whose end is not after its start passes midnight and belongs to the day it began.
    """

    days: frozenset[int]
    from_minute: int
    to_minute: int
    tiers: tuple[Tier, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """A price list. Amounts are micro-units of `currency`, durations whole seconds.

    Raises:
        InvalidTariff: names the field that is wrong.

    """

    name: str
    currency: str
    tiers: tuple[Tier, ...]
    setup_fee: Micros = 0
    minimum_seconds: int = 0
    free_seconds: int = 0
    minimum_cost: Micros = 0
    maximum_cost: Micros | None = None
    rounding: RoundingRule = field(default_factory=RoundingRule)
    periods: tuple[Period, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be a price list."""
        _check_amount("setup_fee", self.setup_fee)
        _check_amount("minimum_cost", self.minimum_cost)
        _check_seconds("minimum", self.minimum_seconds)
        _check_seconds("free", self.free_seconds)
        if self.maximum_cost is not None:
            _check_amount("maximum_cost", self.maximum_cost)
            if self.maximum_cost < self.minimum_cost:
                raise InvalidTariff(field="maximum_cost", reason="below minimum_cost")
        if not 0 <= self.rounding.decimals <= DECIMALS_MAX:
            raise InvalidTariff(field="rounding.decimals", reason=f"0 to {DECIMALS_MAX}")
        _check_tiers("tiers", self.tiers)
        if len(self.periods) > PERIODS_MAX:
            raise InvalidTariff(field="periods", reason=f"more than {PERIODS_MAX}")
        for number, period in enumerate(self.periods):
            _check_period(f"periods[{number}]", period)

    def to_json(self) -> str:
        """Write the canonical form; equal tariffs give equal text."""
        body = asdict(self)
        for period in body["periods"]:
            period["days"] = sorted(period["days"])
        return json.dumps(body, sort_keys=True, separators=(",", ":"))

    @staticmethod
    def from_json(text: str) -> Tariff:
        """Read what `to_json` wrote."""
        body = json.loads(text)
        rule = body.pop("rounding")
        return Tariff(
            **{
                **body,
                "tiers": _tiers(body["tiers"]),
                "rounding": RoundingRule(
                    method=Rounding(rule["method"]), decimals=rule["decimals"]
                ),
                "periods": tuple(
                    Period(
                        days=frozenset(period["days"]),
                        from_minute=period["from_minute"],
                        to_minute=period["to_minute"],
                        tiers=_tiers(period["tiers"]),
                    )
                    for period in body["periods"]
                ),
            }
        )


def _tiers(rows: list[dict[str, Any]]) -> tuple[Tier, ...]:  # Any: JSON values
    return tuple(Tier(**row) for row in rows)


def _check_amount(name: str, amount: Micros) -> None:
    if not 0 <= amount <= AMOUNT_MAX:
        raise InvalidTariff(field=name, reason="not between zero and the largest amount")


def _check_seconds(name: str, seconds: int) -> None:
    if not 0 <= seconds <= SECONDS_MAX:
        raise InvalidTariff(field=name, reason="not between zero and a year")


def _check_tiers(name: str, tiers: tuple[Tier, ...]) -> None:
    if not 1 <= len(tiers) <= TIERS_MAX:
        raise InvalidTariff(field=name, reason=f"1 to {TIERS_MAX} tiers are needed")
    if tiers[0].from_seconds != 0:
        raise InvalidTariff(field=f"{name}[0].from", reason="the first tier begins at 0")
    for number, tier in enumerate(tiers):
        place = f"{name}[{number}]"
        _check_amount(f"{place}.price", tier.price)
        if not 1 <= tier.per_seconds <= SECONDS_MAX:
            raise InvalidTariff(field=f"{place}.price", reason="per at least one second")
        if not 1 <= tier.increment_seconds <= SECONDS_MAX:
            raise InvalidTariff(field=f"{place}.increment", reason="at least one second")
        if number and tier.from_seconds <= tiers[number - 1].from_seconds:
            raise InvalidTariff(field=f"{place}.from", reason="tiers must ascend")
        _check_seconds(f"{place}.from", tier.from_seconds)


def _check_period(name: str, period: Period) -> None:
    if not period.days or not period.days <= frozenset(range(DAYS_OF_WEEK)):
        raise InvalidTariff(field=f"{name}.days", reason="at least one day of mon-sun")
    for edge, minute in (("from", period.from_minute), ("to", period.to_minute)):
        if not 0 <= minute <= MINUTES_OF_DAY:
            raise InvalidTariff(field=f"{name}.{edge}", reason="a time of the day")
    _check_tiers(f"{name}.tiers", period.tiers)
