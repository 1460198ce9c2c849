"""Seconds to money, and money to seconds, exactly.

    rule     inside a tier the billed time rounds up to that tier's increment; what overshoots is
             taken from the next tier; setup fee once and only when talk > 0; rounded once, last
    shape    a tariff is compiled into steps: where each begins in billed seconds and what was
             charged until there, so that a cost is one bisect and one division

All prices are brought to one denominator, so that no fraction is lost before the final rounding.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from math import lcm
from typing import Final
from zoneinfo import ZoneInfo

from billing.domain.periods import ENDLESS, Span, spans
from billing.domain.tariffs import Tariff, Tier
from billing.money import DECIMALS_MAX, Micros, Rounding, divide, divide_up

MICROSECONDS: Final = 1_000_000
TABLES_MAX: Final = 256


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
    """A cost with its reasons. `adjustment` is what rounding, minimum and maximum cost changed.

    setup fee + lines + adjustment is the cost where tax is included or there is none, and what
    the tax comes on top of where it is not.
    """

    talk_seconds: int
    billed_seconds: int
    setup_fee: Micros
    lines: tuple[ChargeLine, ...]
    adjustment: Micros
    tax: Micros
    cost: Micros
    currency: str
    tax_included: bool = False

    @property
    def net(self) -> Micros:
        """What is shared: the cost without its tax."""
        return self.cost - self.tax


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A stretch of elapsed talk with one price."""

    from_seconds: int
    to_seconds: int
    tier: Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class Dearer:
    """From which second on talk costs more, and by which tier."""

    at_seconds: int
    tier: Tier


def seconds_of(talk_us: int) -> int:
    """Count begun seconds: a talk of 3.2 s is 4 s."""
    return divide_up(talk_us, MICROSECONDS)


class RateTable:
    """A tariff, compiled for one session. `tiers` are those that the caller is told before it.

    `first_seconds` is the smallest talk worth holding money for: what is billed for one second.
    """

    __slots__ = (
        "_divisor",
        "_entries",
        "_fast",
        "_method",
        "_minimum_seconds",
        "_slots",
        "_steps",
        "_taxed",
        "first_seconds",
        "tariff",
        "tiers",
    )

    def __init__(self, tariff: Tariff, priced: Sequence[Span]) -> None:
        self.tariff = tariff
        self.tiers = next(span.tiers for span in priced if span.to_seconds > tariff.free_seconds)
        self._slots = tuple(_slots(priced, tariff.free_seconds))
        self._minimum_seconds = tariff.minimum_seconds
        self._method = tariff.rounding.method
        # Only a tax that is added changes what is held and charged.
        self._taxed = tariff.tax if tariff.tax and not tariff.tax.included else None
        denominator = lcm(*(slot.tier.per_seconds for slot in self._slots))
        unit: int = 10 ** (DECIMALS_MAX - tariff.rounding.decimals)
        self._divisor = denominator * unit
        self._entries, self._steps = _steps(self._slots, tariff.setup_fee, denominator)
        maximum = ENDLESS if tariff.maximum_cost is None else tariff.maximum_cost
        # One attribute to fetch instead of eight: this is the hottest line of the product.
        self._fast = (
            self._entries,
            self._steps,
            self._minimum_seconds,
            _bias(self._method, self._divisor),
            self._divisor,
            unit,
            tariff.minimum_cost,
            maximum,
        )
        self.first_seconds = self._billed(1)

    @classmethod
    def compile(
        cls, tariff: Tariff, *, started_at: datetime | None = None, timezone: str = "UTC"
    ) -> RateTable:
        """Compile a tariff; its periods need the moment of the start and the zone of the service.

        Without a moment the periods are left out.
        """
        if not tariff.periods or started_at is None:
            return _without_periods(tariff)
        return cls(tariff, spans(tariff, started_at=started_at, zone=ZoneInfo(timezone)))

    def cost(self, seconds: int) -> Micros:
        """Price so many seconds of talk with tax, in micro-units; 0 for none. Monotone."""
        if self._taxed is None:
            return self._net(seconds)
        net = self._net(seconds)
        return net + self._taxed.of(net, self._method)

    def _net(self, seconds: int) -> Micros:
        if seconds <= 0:
            return 0
        entries, steps, minimum_seconds, bias, divisor, unit, minimum, maximum = self._fast
        seconds = max(seconds, minimum_seconds)
        start, amount, increment, price = steps[bisect_left(entries, seconds) - 1]
        # Minus a floor of a negative number: begun increments.
        exact = amount - (start - seconds) // increment * price
        if bias is None:
            cost = divide(exact, divisor, self._method) * unit
        else:
            cost = (exact + bias) // divisor * unit
        return min(max(cost, minimum), maximum)

    def charge(self, seconds: int) -> Charge:
        """Price the same talk with its reasons, line by line."""
        cost = self.cost(seconds)
        tax = self._tax_in(seconds, cost)
        lines = self._lines(seconds) if seconds > 0 else ()
        setup_fee = self.tariff.setup_fee if seconds > 0 else 0
        return Charge(
            talk_seconds=seconds,
            billed_seconds=self._billed(seconds) if seconds > 0 else 0,
            setup_fee=setup_fee,
            lines=lines,
            adjustment=cost
            - (tax if self._taxed else 0)
            - setup_fee
            - sum(line.amount for line in lines),
            tax=tax,
            cost=cost,
            currency=self.tariff.currency,
            tax_included=self.tariff.tax is not None and self._taxed is None,
        )

    def _tax_in(self, seconds: int, cost: Micros) -> Micros:
        """Return the tax that is in a cost."""
        if self.tariff.tax is None or cost == 0:
            return 0
        if self._taxed is None:
            return self.tariff.tax.of(cost, self._method)
        return cost - self._net(seconds)

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

    def dearer_after(self, seconds: int) -> Dearer | None:
        """Find where the next second after so many costs more than it did before; None: nowhere."""
        before = next(slot for slot in self._slots if slot.to_seconds > seconds).tier
        for slot in self._slots:
            if slot.from_seconds <= seconds:
                continue
            tier = slot.tier
            if tier.price * before.per_seconds > before.price * tier.per_seconds:
                return Dearer(at_seconds=slot.from_seconds, tier=tier)
            before = tier
        return None

    def next_change(self, seconds: int) -> Slot | None:
        """Find the next stretch after so many seconds whose price is another; None: nowhere."""
        now = next(slot for slot in self._slots if slot.to_seconds > seconds).tier
        for slot in self._slots:
            other = slot.tier.price * now.per_seconds != now.price * slot.tier.per_seconds
            if slot.from_seconds > seconds and other:
                return slot
        return None

    def _billed(self, seconds: int) -> int:
        seconds = max(seconds, self._minimum_seconds)
        step = bisect_left(self._entries, seconds) - 1
        start, _, increment, _ = self._steps[step]
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
            lines.append(
                ChargeLine(
                    tier_from_seconds=slot.from_seconds,
                    seconds=billed,
                    price=tier.price,
                    per_seconds=tier.per_seconds,
                    amount=divide(billed * tier.price, tier.per_seconds, self._method),
                )
            )
            position += billed
        return tuple(lines)


@lru_cache(maxsize=TABLES_MAX)
def _without_periods(tariff: Tariff) -> RateTable:
    """Compile a tariff that is the same at any time, once: a table never changes."""
    return RateTable(tariff, [Span(from_seconds=0, to_seconds=ENDLESS, tiers=tariff.tiers)])


def _slots(priced: Sequence[Span], free_seconds: int) -> Iterator[Slot]:
    """Cut the tiers of all spans into stretches, after a first one that costs nothing."""
    if free_seconds:
        free = Tier(from_seconds=0, price=0)
        yield Slot(from_seconds=0, to_seconds=free_seconds, tier=free)
    for span in priced:
        ends = [tier.from_seconds for tier in span.tiers[1:]] + [ENDLESS]
        for tier, end in zip(span.tiers, ends, strict=True):
            start = max(tier.from_seconds, span.from_seconds, free_seconds)
            stop = min(end, span.to_seconds)
            if start < stop:
                yield Slot(from_seconds=start, to_seconds=stop, tier=tier)


def _steps(
    slots: Sequence[Slot], setup_fee: Micros, denominator: int
) -> tuple[list[int], list[tuple[int, int, int, int]]]:
    """Add the slots up: where each begins in billed seconds, and what was charged until there.

    A step is (begin, amount until there, increment, price of one increment), amounts times the
    denominator. A slot that the overshoot of an earlier increment swallowed has no step.
    """
    entries: list[int] = []
    steps: list[tuple[int, int, int, int]] = []
    position, amount = 0, setup_fee * denominator
    for slot in slots:
        if position >= slot.to_seconds:
            continue
        increment = slot.tier.increment_seconds
        price = slot.tier.price * (denominator // slot.tier.per_seconds) * increment
        entries.append(position)
        steps.append((position, amount, increment, price))
        increments = divide_up(slot.to_seconds - position, increment)
        position += increments * increment
        amount += increments * price
    return entries, steps


def _bias(method: Rounding, divisor: int) -> int | None:
    """What makes a floor division of a positive number round by the method; None: nothing does."""
    match method:
        case Rounding.UP:
            return divisor - 1
        case Rounding.DOWN:
            return 0
        case Rounding.HALF_UP:
            return divisor // 2
        case Rounding.HALF_EVEN:
            return None
