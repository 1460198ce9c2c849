"""Money is an integer of micro-units: 1,000,000 of them make one unit of the currency.

No float ever touches an amount. Division happens in one function, with a named rounding.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final, TypeAlias

from billing.errors import InvalidAmount

Micros: TypeAlias = int
"""An amount in micro-units of its currency."""

MICROS_PER_UNIT: Final = 1_000_000
DECIMALS_MAX: Final = 6
AMOUNT_MAX: Final[Micros] = 10**15 * MICROS_PER_UNIT // 1_000
"""A million million units: far below 2**63, so that sums of amounts fit a BIGINT column."""

_AMOUNT = re.compile(r"([+-]?)(\d{1,13})(?:\.(\d{1,6}))?", re.ASCII)


class Rounding(StrEnum):
    """How a fraction becomes an integer. Zero is the centre: UP and DOWN mirror for negatives."""

    UP = "up"
    DOWN = "down"
    HALF_UP = "half_up"
    HALF_EVEN = "half_even"


def divide(numerator: int, denominator: int, rounding: Rounding) -> int:
    """Divide two integers and round the quotient by the named rule; `denominator` is positive."""
    sign = -1 if numerator < 0 else 1
    quotient, rest = divmod(abs(numerator), denominator)
    match rounding:
        case Rounding.UP:
            quotient += rest > 0
        case Rounding.DOWN:
            pass
        case Rounding.HALF_UP:
            quotient += 2 * rest >= denominator
        case Rounding.HALF_EVEN:
            quotient += 2 * rest > denominator or (2 * rest == denominator and quotient % 2 == 1)
    return sign * quotient


def divide_up(numerator: int, denominator: int) -> int:
    """Divide two integers and round up, away from nothing owed."""
    return -(-numerator // denominator)


def parse_amount(text: str) -> Micros:
    """Read a decimal string such as `5`, `0.50` or `-12.000001`.

    Raises:
        InvalidAmount: not a plain decimal, more than six decimals, or too large.

    """
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        raise InvalidAmount(text=text)
    sign, whole, fraction = match.groups()
    amount = int(whole) * MICROS_PER_UNIT + int((fraction or "").ljust(DECIMALS_MAX, "0"))
    if amount > AMOUNT_MAX:
        raise InvalidAmount(text=text)
    return -amount if sign == "-" else amount


def format_amount(amount: Micros, *, decimals_min: int = 2) -> str:
    """Write an amount as a decimal string, exact, with at least `decimals_min` decimals."""
    whole, fraction = divmod(abs(amount), MICROS_PER_UNIT)
    digits = f"{fraction:06d}".rstrip("0").ljust(decimals_min, "0")
    sign = "-" if amount < 0 else ""
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"
