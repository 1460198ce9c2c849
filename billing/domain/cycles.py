"""Months of a subscription, and what of a cycle is left, by days."""

from __future__ import annotations

import calendar
from datetime import datetime
from typing import Final

from billing.clock import MICROSECONDS, microseconds_of, moment_of
from billing.money import Rounding, divide, divide_up

DAY_US: Final = 24 * 3600 * MICROSECONDS
MONTHS_OF_YEAR: Final = 12


def months_after(anchor_us: int, months: int) -> int:
    """Return the moment so many months later; the 31st becomes the last day of a shorter month."""
    anchor: datetime = moment_of(anchor_us)
    number = anchor.year * MONTHS_OF_YEAR + anchor.month - 1 + months
    year, month = divmod(number, MONTHS_OF_YEAR)
    last = calendar.monthrange(year, month + 1)[1]
    return microseconds_of(anchor.replace(year=year, month=month + 1, day=min(anchor.day, last)))


def prorate(amount: int, *, start_us: int, end_us: int, now_us: int) -> int:
    """Return the part of an amount for the days that are left; a day that has begun counts."""
    days = divide_up(end_us - start_us, DAY_US)
    left = min(days, divide_up(max(end_us - now_us, 0), DAY_US))
    return divide(amount * left, days, Rounding.HALF_UP)


def share_of_month(amount: int, *, months: int, number: int) -> int:
    """Return what month `number` (from 0) earns of an amount for `months`; they add up to it."""
    return amount * (number + 1) // months - amount * number // months
