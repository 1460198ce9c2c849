"""Invoices as values: which movements of a month are billed, in which lines, on which terms.

    movements of the account ──billable──▶ those of this invoice ──lines_of──▶ lines ──▶ totals

The money of calls was debited when they ended: an invoice asks for it, and moves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from billing.clock import microseconds_of, moment_of
from billing.errors import InvalidInput
from billing.money import Micros, Rounding, divide

DAY_US: Final = 86_400 * 1_000_000
BASIS_POINTS: Final = 10_000
DAYS_MAX: Final = 366
INVOICE_SERIES: Final = ""
CREDIT_SERIES: Final = "CN"
CYCLES: Final = ("beginning", "end")
# Transfers that pay invoices; all others of an account are billed.
CREDITS: Final = frozenset({"payment", "top_up", "voucher", "opening", "discount", "credit_note"})
# Those for which somebody has paid.
PAID_IN: Final = frozenset({"payment", "top_up", "voucher"})
# Fees of a whole month: an account of the cycle `beginning` pays them in advance.
FIXED_FEES: Final = frozenset({"fee", "plan", "plan_fee", "subscription"})
# Their reasons alone would not tell what they are.
KIND_WORDS: Final = {
    "refund": "Refund",
    "goodwill": "Refund by goodwill",
    "adjustment": "Correction",
    "subscription": "Plan",
    "plan_change": "Change to plan",
    "commitment": "Minimum of plan",
    "bundle": "Units bought ahead",
}
_MONTH: Final = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A month of the calendar in UTC."""

    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> Month:
        """Read `2026-10`.

        Raises:
            InvalidInput: no month.

        """
        match = _MONTH.fullmatch(text)
        if match is None or match[1] < "1970":
            raise InvalidInput(reason=f"{text!r} is no month: write 2026-10")
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def of(cls, at_us: int) -> Month:
        """Return the month of a moment."""
        moment = moment_of(at_us)
        return cls(moment.year, moment.month)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    @property
    def from_us(self) -> int:
        """The first moment."""
        return microseconds_of(datetime(self.year, self.month, 1, tzinfo=UTC))

    @property
    def until_us(self) -> int:
        """The first moment after it."""
        return Month(self.year + self.month // 12, self.month % 12 + 1).from_us


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingTerms:
    """How an account is billed, and to whom; kept with each invoice as it was."""

    cycle: str = "end"
    terms_days: int = 30
    late_fee: Micros = 0
    late_fee_bp: int = 0
    grace_days: int = 0
    early_discount_bp: int = 0
    early_days: int = 0
    title: str = ""
    address: str = ""

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if self.cycle not in CYCLES:
            raise InvalidInput(reason=f"a cycle is {' or '.join(CYCLES)}")
        if not all(
            0 <= days <= DAYS_MAX for days in (self.terms_days, self.grace_days, self.early_days)
        ):
            raise InvalidInput(reason=f"terms, grace and early days are 0 to {DAYS_MAX} days")
        if self.late_fee < 0 or not 0 <= self.late_fee_bp <= BASIS_POINTS:
            raise InvalidInput(reason="a late fee is not negative and at most 100 %")
        if not 0 <= self.early_discount_bp < BASIS_POINTS:
            raise InvalidInput(reason="an early discount is less than 100 %")

    def due_us(self, issued_us: int) -> int:
        """Return the moment until which an invoice is to be paid."""
        return issued_us + self.terms_days * DAY_US

    def early_until_us(self, issued_us: int) -> int | None:
        """Return the moment until which paying earns the discount; None without one."""
        return issued_us + self.early_days * DAY_US if self.early_discount_bp else None

    def discount_of(self, amount: Micros) -> Micros:
        """Return what paying early takes off."""
        return divide(amount * self.early_discount_bp, BASIS_POINTS, Rounding.HALF_UP)

    def late_fee_of(self, unpaid: Micros) -> Micros:
        """Return what paying late adds."""
        return self.late_fee + divide(unpaid * self.late_fee_bp, BASIS_POINTS, Rounding.HALF_UP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One transfer as an account sees it: `amount` is negative when it was charged.

    A session that cost nothing has no transfer; it is listed all the same.
    """

    transfer_id: str | None
    kind: str
    at_us: int
    amount: Micros
    tax: Micros = 0
    memo: str | None = None
    service: str | None = None
    detail: str | None = None
    tariff: str | None = None
    billed_seconds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of an invoice; sessions of one service, detail and tariff share one."""

    kind: str
    text: str
    service: str | None = None
    detail: str | None = None
    tariff: str | None = None
    quantity: int = 1
    billed_seconds: int = 0
    net: Micros
    tax: Micros = 0

    @property
    def total(self) -> Micros:
        """Net and tax."""
        return self.net + self.tax


def number_of(series: str, year: int, sequence: int) -> str:
    """Write a number: `2026-000001`, or `CN-2026-000001` of a series."""
    return f"{series}-{year}-{sequence:06d}" if series else f"{year}-{sequence:06d}"


def total_of(movements: Iterable[Movement]) -> Micros:
    """Return what the movements ask for, less what they give back."""
    return -sum(movement.amount for movement in movements)


def billable(
    movements: Iterable[Movement], month: Month, *, invoiced: Iterable[Month], cycle: str
) -> list[Movement]:
    """Pick the movements of an invoice from those that no invoice has yet.

    A late one of a month that has its invoice comes now, and so does a month that gave back more
    than it cost. A month that was never billed waits for its own invoice.
    """
    newest = max(invoiced, default=None)
    earlier: dict[Month, list[Movement]] = {}
    picked: list[Movement] = []
    for movement in movements:
        if movement.kind in CREDITS:
            continue
        at = Month.of(movement.at_us)
        if at == month or (cycle == "beginning" and _in_advance(movement, month)):
            picked.append(movement)
        elif at < month:
            earlier.setdefault(at, []).append(movement)
    for at, late in earlier.items():
        if (newest is not None and at <= newest) or total_of(late) <= 0:
            picked += late
    return sorted(picked, key=lambda movement: movement.at_us)


def _in_advance(movement: Movement, month: Month) -> bool:
    """Tell whether it is a fee of the first day after the month: of the month to come."""
    first_day = range(month.until_us, month.until_us + DAY_US)
    return movement.kind in FIXED_FEES and movement.at_us in first_day


def lines_of(movements: Iterable[Movement]) -> tuple[Line, ...]:
    """Sum sessions by service, detail and tariff, and all else that has the same words."""
    sold: dict[tuple[str, str, str], list[Movement]] = {}
    others: dict[tuple[str, str], list[Movement]] = {}
    for movement in movements:
        if movement.service is not None and movement.kind == "settle":
            key = (movement.service, movement.detail or "", movement.tariff or "")
            sold.setdefault(key, []).append(movement)
        else:
            others.setdefault((movement.kind, _words(movement)), []).append(movement)
    calls = [_calls(key, group) for key, group in sorted(sold.items())]
    rest = [_others(key, group) for key, group in others.items()]
    return (*calls, *rest)


def _words(movement: Movement) -> str:
    kind = KIND_WORDS.get(movement.kind)
    if kind and movement.memo:
        return f"{kind}: {movement.memo}"
    return movement.memo or kind or movement.kind.replace("_", " ")


def _others(key: tuple[str, str], group: Sequence[Movement]) -> Line:
    kind, text = key
    tax = sum(movement.tax for movement in group)
    net = total_of(group) - tax
    return Line(kind=kind, text=text, quantity=len(group), net=net, tax=tax)


def _calls(key: tuple[str, str, str], group: Sequence[Movement]) -> Line:
    service, detail, tariff = key
    tax = sum(movement.tax for movement in group)
    return Line(
        kind="settle",
        text=f"Calls to {service}" + (f", {detail}" if detail else ""),
        service=service,
        detail=detail or None,
        tariff=tariff or None,
        quantity=len(group),
        billed_seconds=sum(movement.billed_seconds for movement in group),
        net=total_of(group) - tax,
        tax=tax,
    )
