"""What one metering event takes: of the allowances in burning order, then in money.

units      what the work takes, uplifted by its segment
drawn      from each allowance in turn, as far as it reaches
overage    units beyond them, priced by the tiers of the cycle's overage so far, less BYOK
stops      soft: a warning; hard: refused, and nothing is taken
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from billing.domain.plans import WHOLE, Meter
from billing.money import MICROS_PER_UNIT, Micros, Rounding, divide

PERCENT: Final = 100


@dataclass(slots=True, kw_only=True)
class MeterState:
    """Where a meter of a subscription stands: what each allowance has left, in burning order."""

    granted: int
    left: list[int]
    overage_units: int
    overage: Micros

    @property
    def used(self) -> int:
        """What was used in this cycle, allowances and overage."""
        return self.granted - sum(self.left) + self.overage_units

    @property
    def percent(self) -> int:
        """What was used of what was granted, in whole percent; a meter of nothing is full."""
        return self.used * PERCENT // self.granted if self.granted > 0 else PERCENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What an event takes."""

    units: int
    drawn: tuple[int, ...]
    overage_units: int
    overage: Micros
    warning: str | None
    alerts: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Why an event takes nothing: `hard_stop`, `no_overage` or `insufficient_funds`."""

    code: str
    reason: str


def units_of(meter: Meter, kind: str, units: int | None, segment: str | None) -> int | None:
    """Say what work takes, in base units: by its type or as told, uplifted by its segment.

    Args:
        meter: The meter that counts it.
        kind: The type of operation, or the unit itself.
        units: Micro-units of the meter's unit, where they are told; of a type: how many times.
        segment: A segment of the plan; any other uplifts nothing.

    Returns:
        None when neither the type nor the number says what it takes.

    """
    each = dict(meter.operations).get(kind)
    if each is None and units is None:
        return None
    if each is None:
        taken = (units or 0) * meter.scale
    else:
        taken = each if units is None else divide(each * units, MICROS_PER_UNIT, Rounding.HALF_UP)
    uplift = dict(meter.segments).get(segment or "", 0)
    return divide(taken * (WHOLE + uplift), WHOLE, Rounding.HALF_UP)


def decide(
    meter: Meter, state: MeterState, units: int, *, byok: bool, money: Micros | None
) -> Use | Stop:
    """Decide what an event takes; `money` is what the account may spend, None for any amount."""
    after = state.used + units
    if meter.hard_stop is not None and after * PERCENT > state.granted * meter.hard_stop:
        return Stop(code="hard_stop", reason=f"the plan stops at {meter.hard_stop} %")
    drawn: list[int] = []
    rest = units
    for left in state.left:
        part = min(rest, max(left, 0))
        drawn.append(part)
        rest -= part
    overage = 0
    if rest:
        if not meter.overage:
            return Stop(code="no_overage", reason="the allowance is used up")
        overage = overage_price(meter, state.overage_units, rest, byok=byok)
        if money is not None and overage > money:
            return Stop(code="insufficient_funds", reason="the overage cannot be paid")
    before = state.percent
    percent = after * PERCENT // state.granted if state.granted > 0 else PERCENT
    warning = None
    if meter.soft_stop is not None and percent >= meter.soft_stop:
        warning = f"{percent} % of the plan is used"
    return Use(
        units=units,
        drawn=tuple(drawn),
        overage_units=rest,
        overage=overage,
        warning=warning,
        alerts=tuple(sorted(alert for alert in meter.alerts if before < alert <= percent)),
    )


def take(state: MeterState, use: Use) -> None:
    """Let the state be what the event leaves."""
    for place, part in enumerate(use.drawn):
        state.left[place] -= part
    state.overage_units += use.overage_units
    state.overage += use.overage


def overage_price(meter: Meter, so_far: int, units: int, *, byok: bool) -> Micros:
    """Price overage units after so many in this cycle, tier by tier; rounded once, at the end."""
    exact = 0
    starts = [tier.from_units for tier in meter.overage]
    for tier, end in zip(meter.overage, [*starts[1:], None], strict=True):
        last = so_far + units if end is None else min(so_far + units, end)
        exact += max(0, last - max(so_far, tier.from_units)) * tier.price
    discount = meter.byok_bp if byok else 0
    return divide(exact * (WHOLE - discount), meter.one * WHOLE, Rounding.HALF_UP)
