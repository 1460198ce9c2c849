from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.tariffs import Tariff, Tier
from billing.money import parse_amount
from ivr.flows import speech
from ivr.flows.numbers import number
from ivr.sandbox.configure import PROMPTS
from ivr.sandbox.prompts import texts

NAMES = texts(PROMPTS / "en.txt")


def said(words: tuple[str, ...]) -> str:
    return " ".join(NAMES[word] for word in words)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "zero"),
        (7, "seven"),
        (20, "twenty"),
        (21, "twenty one"),
        (100, "one hundred"),
        (115, "one hundred fifteen"),
        (1_000, "one thousand"),
        (2_305, "two thousand three hundred five"),
        (1_000_001, "one million one"),
        (-3, "minus three"),
    ],
)
def test_numbers_are_spoken_as_people_say_them(value: int, expected: str) -> None:
    assert said(number(value, "en")) == expected


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        ("0", "USD", "zero dollars"),
        ("1", "USD", "one dollar"),
        ("0.01", "USD", "one cent"),
        ("20.50", "USD", "twenty dollars and fifty cents"),
        ("1.01", "GBP", "one pound and one penny"),
        ("3.00", "EUR", "three euros"),
        ("19.999999", "USD", "nineteen dollars and ninety nine cents"),
        ("-4.00", "USD", "minus four dollars"),
    ],
)
def test_balances_are_spoken_never_larger_than_they_are(
    amount: str, currency: str, expected: str
) -> None:
    assert said(speech.money(parse_amount(amount), currency)) == expected


def test_costs_are_spoken_never_smaller_than_they_are() -> None:
    assert said(speech.cost(parse_amount("0.833334"), "USD")) == "eighty four cents"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (1, "one second"),
        (90, "ninety seconds"),
        (120, "two minutes"),
        (3_600, "one hour"),
        (3_660, "one hour one minute"),
        (7_380, "two hours three minutes"),
    ],
)
def test_durations_are_spoken_roughly(seconds: int, expected: str) -> None:
    assert said(speech.duration(seconds)) == expected


def test_a_price_list_is_spoken_with_its_setup_fee_and_its_change() -> None:
    tariff = Tariff(
        name="standard",
        currency="USD",
        setup_fee=parse_amount("5"),
        tiers=(
            Tier(from_seconds=0, price=parse_amount("0.50")),
            Tier(from_seconds=1200, price=parse_amount("0.25")),
        ),
    )

    assert said(speech.price(tariff, tariff.tiers)) == (
        "There is a connection fee of five dollars "
        "This call costs fifty cents per minute. "
        "After twenty minutes it costs twenty five cents per minute."
    )


@given(st.integers(min_value=-(10**15), max_value=10**15), st.sampled_from(["USD", "ZAR", "JPY"]))
def test_everything_that_can_be_said_has_a_sound(amount: int, currency: str) -> None:
    words = (*speech.money(amount, currency), *speech.cost(amount, currency))

    assert set(words) <= NAMES.keys()
