"""Values are written exactly, and cursors come back as they went."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import AMOUNT_MAX, parse_amount
from ivr.spreadsheet import harmless
from ivr.web.fields import read_cursor, write_cursor
from ivr.web.problems import Refusal
from ivr.web.words import duration, exact_seconds, money, signed


@given(st.integers(-AMOUNT_MAX, AMOUNT_MAX))
def test_money_loses_nothing(amount: int):
    text = re.sub(r"<[^>]+>", "", str(money(amount, "USD")))

    written, currency = text.replace("\N{MINUS SIGN}", "-").replace(",", "").split()

    assert parse_amount(written) == amount
    assert currency == "USD"


def test_money_of_a_hostile_currency_is_escaped():
    assert "<b>" not in str(money(1, "<b>"))


def test_a_movement_shows_its_sign():
    texts = [re.sub(r"<[^>]+>", "", str(signed(amount, "USD"))) for amount in (5_000_000, -1)]

    assert texts == ["+5.00\N{NO-BREAK SPACE}USD", "\N{MINUS SIGN}0.000001\N{NO-BREAK SPACE}USD"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (59.9, "0:59"), (60, "1:00"), (3599, "59:59"), (3600, "1:00:00"),
     (90_061, "25:01:01")],
)  # fmt: skip
def test_durations_read_as_clocks(seconds: float, text: str):
    assert duration(seconds) == text


def test_measured_seconds_are_cut_to_milliseconds_never_rounded_up():
    assert exact_seconds(1_999_999).replace("\N{NO-BREAK SPACE}", " ") == "1.999 s"


@given(st.integers(-(2**62), 2**62), st.text(max_size=40).filter(str.isprintable))
def test_a_cursor_comes_back_as_it_went(number: int, text: str):
    assert read_cursor(write_cursor(number, text), int, str) == [number, text]


@given(st.text(max_size=60))
def test_no_made_up_cursor_does_harm(text: str):
    try:
        place = read_cursor(text, int, str)
    except Refusal:
        return

    assert place is None or (isinstance(place[0], int) and isinstance(place[1], str))


@given(st.text(max_size=30))
def test_no_text_begins_a_formula(text: str):
    assert not harmless(text).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
