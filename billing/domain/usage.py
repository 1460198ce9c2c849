"""Metering events and what is answered to them, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from billing.domain.metering import Use
from billing.domain.plans import Meter
from billing.errors import InvalidInput
from billing.ids import input_hash
from billing.money import Micros, format_amount

EVENTS_MAX: Final = 10_000
UNITS_MAX: Final = 10**15
# Clocks differ; what lies further ahead is a mistake.
FUTURE_US: Final = 3_600_000_000
# What is kept of an answer, so that a replay gets the same.
ANSWER: Final = ("units", "overage_units", "overage", "remaining", "warning")


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageEvent:
    """Something that was used. `units` are micro-units of the meter's unit; see `units_of`."""

    key: str
    account: str
    type: str
    at_us: int
    units: int | None = None
    project: str | None = None
    request_id: str | None = None
    segment: str | None = None
    key_type: str | None = None
    status: str | None = None

    @property
    def byok(self) -> bool:
        """Whether the customer brought its own key."""
        return self.key_type == "byok"

    def digest(self) -> str:
        """Hash the content that makes it this event."""
        return input_hash({name: getattr(self, name) for name in self.__slots__})


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageAnswer:
    """What became of an event: accepted, replayed, conflict or refused (with a code).

    Units are base units of the meter in micro-units; `remaining` is what the allowances have left.
    """

    key: str
    account: str
    outcome: str
    code: str | None = None
    reason: str | None = None
    units: int = 0
    overage_units: int = 0
    overage: Micros = 0
    remaining: int = 0
    warning: str | None = None
    meter: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageQuote:
    """What something would take, told before it is spent."""

    account: str
    plan: str
    meter: Meter
    units: int
    covered: int
    overage_units: int
    overage: Micros
    currency: str
    remaining: int
    warning: str | None

    def says(self) -> str:
        """Say it in one sentence."""
        unit, scale = self.meter.unit, self.meter.scale
        used = format_amount(self.units // scale, decimals_min=0)
        text = f"This will use {used} {unit} of your plan"
        if self.overage_units:
            beyond = format_amount(self.overage_units // scale, decimals_min=0)
            cost = format_amount(self.overage)
            text += f", {beyond} of them beyond it for {cost} {self.currency}"
        left = format_amount(self.remaining // scale, decimals_min=0)
        return f"{text}; {left} {unit} stay."


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """What one account used of one type."""

    account: str
    meter: str
    type: str
    events: int
    units: int
    overage_units: int
    overage: Micros


def accepted(event: UsageEvent, use: Use, remaining: int, meter: str) -> UsageAnswer:
    """Answer an event that was taken."""
    return UsageAnswer(
        key=event.key,
        account=event.account,
        outcome="accepted",
        units=use.units,
        overage_units=use.overage_units,
        overage=use.overage,
        remaining=remaining,
        warning=use.warning,
        meter=meter,
    )


def refused(event: UsageEvent, code: str, reason: str) -> UsageAnswer:
    """Answer an event of which nothing was taken."""
    return UsageAnswer(
        key=event.key, account=event.account, outcome="refused", code=code, reason=reason
    )


def again(event: UsageEvent, digest: str, stored: tuple[object, ...]) -> UsageAnswer:
    """Answer an event whose key is known: the same again, or a conflict."""
    if stored[0] != digest:
        return UsageAnswer(
            key=event.key,
            account=event.account,
            outcome="conflict",
            code="idempotency_conflict",
            reason=f"the key {event.key!r} was used before with other content",
        )
    facts = dict(zip(("meter", *ANSWER), stored[1:], strict=True))
    return UsageAnswer(key=event.key, account=event.account, outcome="replayed", **facts)  # type: ignore[arg-type]


def check(events: Sequence[UsageEvent], now_us: int) -> None:
    """Refuse a batch that cannot be; the first event that is wrong is named by its number.

    Raises:
        InvalidInput: none, too many, or a key, units or moment that no event can have.

    """
    if not 1 <= len(events) <= EVENTS_MAX:
        raise InvalidInput(reason=f"1 to {EVENTS_MAX:,} events at a time")
    for number, event in enumerate(events, 1):
        problem = None
        if not 1 <= len(event.key) <= 200 or not event.key.isprintable():
            problem = "a key of 1 to 200 printable characters is needed"
        elif event.units is not None and not 0 < event.units <= UNITS_MAX:
            problem = "units are more than zero"
        elif not 0 < event.at_us <= now_us + FUTURE_US:
            problem = "it lies in the future"
        if problem:
            raise InvalidInput(reason=f"event {number} ({event.key!r}): {problem}")
