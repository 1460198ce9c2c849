"""Seconds to money, and money to seconds, exactly.

    rule     inside a tier the billed time rounds up to that tier's increment; what overshoots is
             taken from the next tier; setup fee once and only when talk > 0; rounded once, at the end
    shape    a tariff is compiled into slots; slot i begins at billed second p[i] with A[i] charged,
             so that a cost is one bisect and one division, whatever the number of tiers

All prices are brought to one denominator, so that no fraction is lost before the final rounding.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import lcm
from typing import Final
from zoneinfo import ZoneInfo

from billing.domain.tariffs import MINUTES_OF_DAY, Period, RoundingRule, Tariff, Tier
from billing.money import DECIMALS_MAX, Micros, divide, divide_up

MICROSECONDS: Final = 1_000_000
# Talk longer than this keeps the prices of its last period.
PERIOD_HORIZON_SECONDS: Final = 48 * 3600
ENDLESS: Final = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeLine:
    """What one tier adds: `amount` is exact to the micro-unit, rounded only for display."""

    tier_from_seconds: int
    seconds: int
    price: Micros
    per_seconds: int
    amount: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A cost with its reasons. `adjustment` is what rounding, minimum and maximum cost changed."""

    talk_seconds: int
    billed_seconds: int
    setup_fee: Micros
    lines: tuple[ChargeLine, ...]
    adjustment: Micros
    tax: Micros
    cost: Micros
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A stretch of talk with one price."""

    from_seconds: int
    to_seconds: int
    tier: Tier


def seconds_of(talk_us: int) -> int:
    """Count begun seconds: a talk of 3.2 s is 4 s."""
    return divide_up(talk_us, MICROSECONDS)


class RateTable:
    """A tariff, compiled for one session."""

    __slots__ = (
        "_amounts",
        "_denominator",
        "_entries",
        "_increments",
        "_maximum",
        "_minimum",
        "_minimum_seconds",
        "_prices",
        "_setup",
        "_slots",
        "_unit",
        "first_seconds",
        "tariff",
        "tiers",
    )

    def __init__(self, tariff: Tariff, slots: Sequence[Slot]) -> None:
        self.tariff = tariff
        self.tiers = _in_force_at_start(tariff, slots)
        self._slots = tuple(slots)
        self._minimum_seconds = tariff.minimum_seconds
        self._minimum = tariff.minimum_cost
        self._maximum = tariff.maximum_cost if tariff.maximum_cost is not None else ENDLESS
        self._compile(tariff.rounding, tariff.setup_fee)
        self.first_seconds = self._billed(max(1, tariff.minimum_seconds))

    @classmethod
    def compile(
        cls, tariff: Tariff, *, started_at: datetime | None = None, timezone: str = "UTC"
    ) -> RateTable:
        """Compile a tariff; its periods need the moment of the start and the zone of the service."""
        if not tariff.periods or started_at is None:
            return cls(tariff, _with_free(tariff, _slots(tariff.tiers, 0, ENDLESS)))
        slots: list[Slot] = []
        for start, end, tiers in _spans(tariff, started_at.astimezone(ZoneInfo(timezone))):
            slots += _slots(tiers, start, end)
        return cls(tariff, _with_free(tariff, slots))

    def _compile(self, rule: RoundingRule, setup_fee: Micros) -> None:
        self._denominator = lcm(*(slot.tier.per_seconds for slot in self._slots))
        self._unit = 10 ** (DECIMALS_MAX - rule.decimals)
        self._setup = setup_fee * self._denominator
        self._entries: list[int] = []
        self._amounts: list[int] = []
        self._prices: list[int] = []
        self._increments: list[int] = []
        position, amount = 0, self._setup
        for slot in self._slots:
            if position >= slot.to_seconds:
                continue  # swallowed by the overshoot of an earlier increment
            increment = slot.tier.increment_seconds
            price = slot.tier.price * (self._denominator // slot.tier.per_seconds)
            self._entries.append(position)
            self._amounts.append(amount)
            self._prices.append(price)
            self._increments.append(increment)
            billed = divide_up(slot.to_seconds - position, increment) * increment
            position += billed
            amount += billed * price

    def cost(self, seconds: int) -> Micros:
        """Price so many seconds of talk, in micro-units; 0 for none. Monotone."""
        if seconds <= 0:
            return 0
        seconds = max(seconds, self._minimum_seconds)
        slot = bisect_left(self._entries, seconds) - 1
        increment = self._increments[slot]
        billed = -(-(seconds - self._entries[slot]) // increment) * increment
        exact = self._amounts[slot] + billed * self._prices[slot]
        rule = self.tariff.rounding
        cost = divide(exact, self._denominator * self._unit, rule.method) * self._unit
        return min(max(cost, self._minimum), self._maximum)

    def charge(self, seconds: int) -> Charge:
        """Price the same talk with its reasons, line by line."""
        cost = self.cost(seconds)
        lines = self._lines(seconds) if seconds > 0 else ()
        setup_fee = self.tariff.setup_fee if seconds > 0 else 0
        return Charge(
            talk_seconds=seconds,
            billed_seconds=self._billed(max(seconds, self._minimum_seconds)) if seconds > 0 else 0,
            setup_fee=setup_fee,
            lines=lines,
            adjustment=cost - setup_fee - sum(line.amount for line in lines),
            tax=0,
            cost=cost,
            currency=self.tariff.currency,
        )

    def affordable_seconds(self, amount: Micros, *, seconds_max: int) -> int:
        """Return the longest talk of at most `seconds_max` that costs no more than `amount`."""
        low, high = 0, seconds_max
        while low < high:
            middle = (low + high + 1) // 2
            if self.cost(middle) <= amount:
                low = middle
            else:
                high = middle - 1
        return low

    def _billed(self, seconds: int) -> int:
        slot = bisect_left(self._entries, seconds) - 1
        increment = self._increments[slot]
        start = self._entries[slot]
        return start + divide_up(seconds - start, increment) * increment

    def _lines(self, seconds: int) -> tuple[ChargeLine, ...]:
        lines: list[ChargeLine] = []
        position, target = 0, max(seconds, self._minimum_seconds)
        for slot in self._slots:
            stop = min(target, slot.to_seconds)
            if position >= stop:
                continue
            tier = slot.tier
            billed = divide_up(stop - position, tier.increment_seconds) * tier.increment_seconds
            amount = divide(billed * tier.price, tier.per_seconds, self.tariff.rounding.method)
            lines.append(
                ChargeLine(
                    tier_from_seconds=slot.from_seconds,
                    seconds=billed,
                    price=tier.price,
                    per_seconds=tier.per_seconds,
                    amount=amount,
                )
            )
            position += billed
        return tuple(lines)


def _slots(tiers: Sequence[Tier], start: int, end: int) -> list[Slot]:
    """Cut the tiers to the talk between two elapsed seconds."""
    ends = [tier.from_seconds for tier in tiers[1:]] + [ENDLESS]
    return [
        Slot(from_seconds=max(tier.from_seconds, start), to_seconds=min(stop, end), tier=tier)
        for tier, stop in zip(tiers, ends, strict=True)
        if max(tier.from_seconds, start) < min(stop, end)
    ]


def _with_free(tariff: Tariff, slots: list[Slot]) -> list[Slot]:
    """Put a slot of no price before the others; tiers go on counting elapsed talk."""
    free = tariff.free_seconds
    if not free:
        return slots
    later = [
        Slot(from_seconds=max(slot.from_seconds, free), to_seconds=slot.to_seconds, tier=slot.tier)
        for slot in slots
        if slot.to_seconds > free
    ]
    return [Slot(from_seconds=0, to_seconds=free, tier=Tier(from_seconds=0, price=0)), *later]


def _in_force_at_start(tariff: Tariff, slots: Sequence[Slot]) -> tuple[Tier, ...]:
    """Find the tiers that a caller is told before the talk."""
    first = next((slot.tier for slot in slots if slot.to_seconds > tariff.free_seconds), None)
    for period in tariff.periods:
        if first in period.tiers and first not in tariff.tiers:
            return period.tiers
    return tariff.tiers


def _spans(tariff: Tariff, started_at: datetime) -> list[tuple[int, int, tuple[Tier, ...]]]:
    """Cut the talk at each change of period, by the local clock, DST included.

    Minutes are looked at in real (UTC) time, so that an hour that is skipped or repeated counts
    as often as it happens.
    """
    spans: list[tuple[int, int, tuple[Tier, ...]]] = []
    zone = started_at.tzinfo
    begin = started_at.timestamp()
    start, tiers = 0, _tiers_at(tariff, started_at)
    # Periods begin and end on whole minutes: look at each one.
    first_minute = 60 - (int(begin) % 60)
    for elapsed in range(first_minute, PERIOD_HORIZON_SECONDS, 60):
        local = datetime.fromtimestamp(int(begin) + elapsed, tz=zone)
        found = _tiers_at(tariff, local)
        if found is not tiers:
            spans.append((start, elapsed, tiers))
            start, tiers = elapsed, found
    spans.append((start, ENDLESS, tiers))
    return spans


def _tiers_at(tariff: Tariff, local: datetime) -> tuple[Tier, ...]:
    minute = local.hour * 60 + local.minute
    yesterday = (local - timedelta(days=1)).weekday()
    for period in tariff.periods:
        if _covers(period, local.weekday(), yesterday, minute):
            return period.tiers
    return tariff.tiers


def _covers(period: Period, today: int, yesterday: int, minute: int) -> bool:
    if period.from_minute < period.to_minute:
        return today in period.days and period.from_minute <= minute < period.to_minute
    return (today in period.days and period.from_minute <= minute < MINUTES_OF_DAY) or (
        yesterday in period.days and minute < period.to_minute
    )
