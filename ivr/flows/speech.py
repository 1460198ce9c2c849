"""Numbers, money, durations and prices as lists of prompts, by the rules of a language.

Pure: in go values, out come names of sound files to be played one after the other.
"""

from __future__ import annotations

from typing import Final

from billing.domain.tariffs import Tariff, Tier
from billing.money import MICROS_PER_UNIT, Micros, Rounding, divide
from ivr.flows.numbers import counted
from ivr.flows.prompts import Prompt

ENGLISH: Final = "en"
SPOKEN_CURRENCIES: Final = frozenset({"USD", "EUR", "GBP", "ZAR"})
TIERS_SPOKEN_MAX: Final = 3
CENTS: Final = 100
MICROS_PER_CENT: Final = MICROS_PER_UNIT // CENTS


def money(amount: Micros, currency: str, language: str = ENGLISH) -> tuple[str, ...]:
    """Speak an amount to the cent, never more than is there: fractions of a cent fall away."""
    return _cents(divide(amount, MICROS_PER_CENT, Rounding.DOWN), currency, language)


def cost(amount: Micros, currency: str, language: str = ENGLISH) -> tuple[str, ...]:
    """Speak what something costs to the cent, never less than it does."""
    return _cents(divide(amount, MICROS_PER_CENT, Rounding.UP), currency, language)


def _cents(value: int, currency: str, language: str) -> tuple[str, ...]:
    unit = f"cur-{currency.lower() if currency in SPOKEN_CURRENCIES else 'usd'}"
    sign: tuple[str, ...] = (Prompt.MINUS,) if value < 0 else ()
    whole, cents = divmod(abs(value), CENTS)
    words: tuple[str, ...] = ()
    if whole or not cents:
        words = counted(whole, unit, language)
    if whole and cents:
        words = (*words, Prompt.AND)
    if cents:
        words = (*words, *counted(cents, f"{unit}-cent", language))
    return (*sign, *words)


def duration(seconds: int, language: str = ENGLISH) -> tuple[str, ...]:
    """Speak a duration roughly: in hours and minutes, or in seconds under two minutes."""
    if seconds < 120:
        return counted(seconds, "second", language)
    hours, minutes = divmod(seconds // 60, 60)
    words: tuple[str, ...] = ()
    if hours:
        words = counted(hours, "hour", language)
    if minutes:
        words = (*words, *counted(minutes, "minute", language))
    return words


def notice(
    left_seconds: int, tier: Tier | None, currency: str, language: str = ENGLISH
) -> tuple[str, ...]:
    """Speak what a caller is told in the middle of a talk: how much is left, or a new price."""
    if tier is None:
        return (Prompt.BEEP, Prompt.TIME_LEFT, *duration(left_seconds, language))
    per_minute = divide(tier.price * 60, tier.per_seconds, Rounding.UP)
    said = cost(per_minute, currency, language)
    return (Prompt.BEEP, Prompt.PRICE_RISES, *said, Prompt.PRICE_PER_MINUTE)


def price(tariff: Tariff, tiers: tuple[Tier, ...], language: str = ENGLISH) -> tuple[str, ...]:
    """Speak a price list: setup fee, price per minute, and when the price changes."""
    words: list[str] = []
    if tariff.setup_fee:
        words += [Prompt.PRICE_SETUP, *cost(tariff.setup_fee, tariff.currency, language)]
    for tier in tiers[:TIERS_SPOKEN_MAX]:
        if tier.from_seconds:
            words += [Prompt.PRICE_AFTER, *duration(tier.from_seconds, language), Prompt.PRICE_THEN]
        else:
            words.append(Prompt.PRICE_IS)
        per_minute = divide(tier.price * 60, tier.per_seconds, Rounding.UP)
        words += [*cost(per_minute, tariff.currency, language), Prompt.PRICE_PER_MINUTE]
    return tuple(words)
