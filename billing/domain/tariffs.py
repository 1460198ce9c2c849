"""A price list as a value: setup fee, tiers by elapsed talk, periods of the day, rounding.

    tier      from_seconds of talk on, `price` per `per_seconds`, billed in whole increments
    period    other tiers on some days between two times of the local day
    rounding  once, at the very end

A tariff is immutable; a changed price is a new version of it. Its canonical JSON is what a version
stores, so that any past session can be explained.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any, Final, TypeAlias

from billing.errors import InvalidTariff
from billing.money import AMOUNT_MAX, DECIMALS_MAX, Micros, Rounding, divide

TIERS_MAX: Final = 100
PERIODS_MAX: Final = 50
SECONDS_MAX: Final = 366 * 24 * 3600
MINUTES_OF_DAY: Final = 24 * 60
HOLIDAY: Final = 7
HOLIDAYS_MAX: Final = 200
_HOLIDAY: Final = re.compile(r"(?:\d{4}-)?\d{2}-\d{2}", re.ASCII)
TAX_WHOLE: Final = 10_000

Problem: TypeAlias = tuple[str, str]
"""A field, and why it cannot be so."""


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
class Window:
    """Between two minutes of the local day on `days` (Monday is 0, a holiday 7).

    A holiday is no other day: only windows that name it, or all seven days, cover it. A window
    whose end is not after its start passes midnight and belongs to the day it began.
    """

    days: frozenset[int]
    from_minute: int
    to_minute: int

    def falls_on(self, day: int) -> bool:
        """Say whether it begins on this kind of day."""
        return day in self.days or (day == HOLIDAY and len(self.days) == HOLIDAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period(Window):
    """A window with tiers of its own."""

    tiers: tuple[Tier, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tax:
    """A tax on every cost: part of the prices (`included`), or added to what they come to."""

    name: str
    basis_points: int
    included: bool = False

    def of(self, amount: Micros, method: Rounding) -> Micros:
        """Return the tax in a cost that has it in, or on a cost that has not; rounded once."""
        whole = TAX_WHOLE + self.basis_points if self.included else TAX_WHOLE
        return divide(amount * self.basis_points, whole, method)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """A price list. Amounts are micro-units of `currency`, durations whole seconds.

    The first `free_seconds` of talk cost nothing; tiers go on counting elapsed talk.

    Raises:
        InvalidTariff: names the first field that is wrong; its facts hold all `problems`.

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
    tax: Tax | None = None
    # `2026-12-25`, or `12-25` for every year, by the local calendar.
    holidays: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be a price list; the error carries every problem as `problems`."""
        problems = tuple(_problems(self))
        if problems:
            place, reason = problems[0]
            raise InvalidTariff(field=place, reason=reason, problems=problems)

    def to_json(self) -> str:
        """Write the canonical form; equal tariffs give equal text."""
        body = asdict(self)
        if self.tax is None:
            # Versions of before there were taxes stay equal to what they were.
            del body["tax"]
        if not self.holidays:
            del body["holidays"]
        for period in body["periods"]:
            period["days"] = sorted(period["days"])
        return json.dumps(body, sort_keys=True, separators=(",", ":"))

    @staticmethod
    def from_json(text: str) -> Tariff:
        """Read what `to_json` wrote.

        Raises:
            InvalidTariff: the content is no price list.

        """
        body = json.loads(text)
        rule, tax = body.pop("rounding"), body.pop("tax", None)
        return Tariff(
            **{
                **body,
                "holidays": tuple(body.get("holidays", ())),
                "tax": None if tax is None else Tax(**tax),
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


def _problems(tariff: Tariff) -> Iterator[Problem]:
    yield from _amount("setup_fee", tariff.setup_fee)
    yield from _seconds("minimum", tariff.minimum_seconds)
    yield from _seconds("free", tariff.free_seconds)
    yield from _amount("minimum_cost", tariff.minimum_cost)
    if tariff.maximum_cost is not None:
        yield from _amount("maximum_cost", tariff.maximum_cost)
        if tariff.maximum_cost < tariff.minimum_cost:
            yield "maximum_cost", "below minimum_cost"
    if not 0 <= tariff.rounding.decimals <= DECIMALS_MAX:
        yield "rounding.decimals", f"0 to {DECIMALS_MAX}"
    yield from _holidays(tariff)
    if tariff.tax is not None and not 0 < tariff.tax.basis_points <= TAX_WHOLE:
        yield "tax.rate", "more than 0% and at most 100%"
    yield from _tier_list("tiers", tariff.tiers)
    if len(tariff.periods) > PERIODS_MAX:
        yield "periods", f"more than {PERIODS_MAX}"
    for number, period in enumerate(tariff.periods[:PERIODS_MAX]):
        yield from _period(f"periods[{number}]", period)


def _holidays(tariff: Tariff) -> Iterator[Problem]:
    if len(tariff.holidays) > HOLIDAYS_MAX:
        yield "holidays", f"more than {HOLIDAYS_MAX}"
    for number, text in enumerate(tariff.holidays[:HOLIDAYS_MAX]):
        if not is_holiday(text):
            yield f"holidays[{number}]", "write a day such as 2026-12-25, or 12-25 for every year"
    if tariff.holidays and not any(HOLIDAY in period.days for period in tariff.periods):
        yield "holidays", "no period names holiday in its days"


def is_holiday(text: str) -> bool:
    """Tell whether a text is a day of one year, or of every year."""
    if not _HOLIDAY.fullmatch(text):
        return False
    try:
        # A leap year knows every day that any year has.
        date.fromisoformat(text if len(text) > len("12-25") else f"2000-{text}")
    except ValueError:
        return False
    return True


def _amount(place: str, amount: Micros) -> Iterator[Problem]:
    if not 0 <= amount <= AMOUNT_MAX:
        yield place, "not between zero and the largest amount"


def _seconds(place: str, seconds: int, *, least: int = 0) -> Iterator[Problem]:
    if not least <= seconds <= SECONDS_MAX:
        yield place, f"not from {least} s to a year"


def _tier_list(place: str, tiers: tuple[Tier, ...]) -> Iterator[Problem]:
    if not 1 <= len(tiers) <= TIERS_MAX:
        yield place, f"1 to {TIERS_MAX} tiers are needed"
        return
    if tiers[0].from_seconds != 0:
        yield f"{place}[0].from", "the first tier begins at 0"
    for number, tier in enumerate(tiers):
        yield from _amount(f"{place}[{number}].price", tier.price)
        yield from _seconds(f"{place}[{number}].price", tier.per_seconds, least=1)
        yield from _seconds(f"{place}[{number}].increment", tier.increment_seconds, least=1)
        yield from _seconds(f"{place}[{number}].from", tier.from_seconds)
        if number and tier.from_seconds <= tiers[number - 1].from_seconds:
            yield f"{place}[{number}].from", "not after the tier before it"


def _period(place: str, period: Period) -> Iterator[Problem]:
    if not period.days or not period.days <= frozenset(range(HOLIDAY + 1)):
        yield f"{place}.days", "at least one day of mon-sun or holiday"
    if not 0 <= period.from_minute < MINUTES_OF_DAY:
        yield f"{place}.from", "not a time of the day before 24:00"
    if not 0 <= period.to_minute <= MINUTES_OF_DAY:
        yield f"{place}.to", "not a time of the day"
    yield from _tier_list(f"{place}.tiers", period.tiers)
