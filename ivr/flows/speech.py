"""Numbers, money, durations and prices as lists of prompts, by the rules of English.

Pure: in go values, out come names of sound files to be played one after the other.
"""

from __future__ import annotations

from typing import Final

from billing.domain.tariffs import Tariff, Tier
from billing.money import MICROS_PER_UNIT, Micros, Rounding, divide
from ivr.flows.prompts import Prompt

SPOKEN_MAX: Final = 999_999_999
SPOKEN_CURRENCIES: Final = frozenset({"USD", "EUR", "GBP", "ZAR"})
TIERS_SPOKEN_MAX: Final = 3
CENTS: Final = 100
MICROS_PER_CENT: Final = MICROS_PER_UNIT // CENTS


def number(value: int) -> tuple[str, ...]:
    """Speak a whole number of up to nine digits."""
    if value < 0:
        return (Prompt.MINUS, *number(-value))
    value = min(value, SPOKEN_MAX)
    for size, word in ((1_000_000, Prompt.MILLION), (1_000, Prompt.THOUSAND)):
        if value >= size:
            rest = number(value % size) if value % size else ()
            return (*number(value // size), word, *rest)
    return _below_thousand(value)


def _below_thousand(value: int) -> tuple[str, ...]:
    if value >= 100:
        rest = _below_thousand(value % 100) if value % 100 else ()
        return (f"num-{value // 100}", Prompt.HUNDRED, *rest)
    if value <= 20 or value % 10 == 0:
        return (f"num-{value}",)
    return (f"num-{value // 10 * 10}", f"num-{value % 10}")


def money(amount: Micros, currency: str) -> tuple[str, ...]:
    """Speak an amount to the cent, never more than is there: fractions of a cent fall away."""
    return _cents(divide(amount, MICROS_PER_CENT, Rounding.DOWN), currency)


def cost(amount: Micros, currency: str) -> tuple[str, ...]:
    """Speak what something costs to the cent, never less than it does."""
    return _cents(divide(amount, MICROS_PER_CENT, Rounding.UP), currency)


def _cents(value: int, currency: str) -> tuple[str, ...]:
    unit = currency.lower() if currency in SPOKEN_CURRENCIES else "usd"
    sign: tuple[str, ...] = (Prompt.MINUS,) if value < 0 else ()
    whole, cents = divmod(abs(value), CENTS)
    words: tuple[str, ...] = ()
    if whole or not cents:
        words = (*number(whole), f"cur-{unit}-one" if whole == 1 else f"cur-{unit}-many")
    if whole and cents:
        words = (*words, Prompt.AND)
    if cents:
        words = (
            *words,
            *number(cents),
            f"cur-{unit}-cent-one" if cents == 1 else f"cur-{unit}-cent-many",
        )
    return (*sign, *words)


def duration(seconds: int) -> tuple[str, ...]:
    """Speak a duration roughly: in hours and minutes, or in seconds under two minutes."""
    if seconds < 120:
        return (*number(seconds), Prompt.SECOND if seconds == 1 else Prompt.SECONDS)
    hours, minutes = divmod(seconds // 60, 60)
    words: tuple[str, ...] = ()
    if hours:
        words = (*number(hours), Prompt.HOUR if hours == 1 else Prompt.HOURS)
    if minutes:
        words = (*words, *number(minutes), Prompt.MINUTE if minutes == 1 else Prompt.MINUTES)
    return words


def notice(left_seconds: int, tier: Tier | None, currency: str) -> tuple[str, ...]:
    """Speak what a caller is told in the middle of a talk: how much is left, or a new price."""
    if tier is None:
        return (Prompt.BEEP, Prompt.TIME_LEFT, *duration(left_seconds))
    per_minute = divide(tier.price * 60, tier.per_seconds, Rounding.UP)
    return (Prompt.BEEP, Prompt.PRICE_RISES, *cost(per_minute, currency), Prompt.PRICE_PER_MINUTE)


def price(tariff: Tariff, tiers: tuple[Tier, ...]) -> tuple[str, ...]:
    """Speak a price list: setup fee, price per minute, and when the price changes."""
    words: list[str] = []
    if tariff.setup_fee:
        words += [Prompt.PRICE_SETUP, *cost(tariff.setup_fee, tariff.currency)]
    for tier in tiers[:TIERS_SPOKEN_MAX]:
        if tier.from_seconds:
            words += [Prompt.PRICE_AFTER, *duration(tier.from_seconds), Prompt.PRICE_THEN]
        else:
            words.append(Prompt.PRICE_IS)
        per_minute = divide(tier.price * 60, tier.per_seconds, Rounding.UP)
        words += [*cost(per_minute, tariff.currency), Prompt.PRICE_PER_MINUTE]
    return tuple(words)
