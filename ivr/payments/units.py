"""Amounts as processors write them: whole numbers of the smallest unit of a currency (ISO 4217)."""

from __future__ import annotations

from typing import Final

from billing.errors import InvalidInput
from billing.money import MICROS_PER_UNIT, Micros

CENTS: Final = 100
# Stripe keeps ISK and UGX in hundredths, although these currencies have none.
WITHOUT_CENTS: Final = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF",
     "XOF", "XPF"}
)  # fmt: skip
IN_THOUSANDTHS: Final = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})


def smallest(currency: str) -> Micros:
    """Return what can be paid by card at least, and what each amount is a multiple of."""
    if currency in WITHOUT_CENTS:
        return MICROS_PER_UNIT
    # Of thousandths the last digit must be zero.
    return MICROS_PER_UNIT // CENTS


def to_minor(amount: Micros, currency: str) -> int:
    """Write an amount in the smallest unit.

    Raises:
        InvalidInput: it has more decimals than the currency.

    """
    if amount % smallest(currency):
        raise InvalidInput(reason=f"a card is charged whole hundredths of {currency} at most")
    return amount // _unit(currency)


def from_minor(amount: int, currency: str) -> Micros:
    """Read an amount in the smallest unit."""
    return amount * _unit(currency)


def _unit(currency: str) -> Micros:
    if currency in WITHOUT_CENTS:
        return MICROS_PER_UNIT
    return MICROS_PER_UNIT // (10 * CENTS if currency in IN_THOUSANDTHS else CENTS)
