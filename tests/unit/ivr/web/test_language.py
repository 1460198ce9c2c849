"""Each visitor reads its own language, numbers and clock, and no amount is ever misread."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import BillingError, InvalidInput
from billing.money import AMOUNT_MAX, parse_amount
from ivr.web.amounts import plain_amount
from ivr.web.language import Viewer, adopt, preferred, speaking, viewer
from ivr.web.reasons import reason_of, sentence_of
from ivr.web.words import clock_time, count, exact_seconds, moment, money, percent, typed_amount

GERMAN = Viewer(language="de", timezone="Europe/Berlin")
# 30 November 2026, 23:30:05.250 in UTC.
LATE = 1_796_081_405_250_000


@pytest.fixture
def german() -> Iterator[None]:
    with speaking(GERMAN):
        yield


def _plain(markup: object) -> str:
    return re.sub(r"<[^>]+>", "", str(markup)).replace("\N{NO-BREAK SPACE}", " ")


def test_german_pages_write_numbers_and_moments_as_germans_do(german: None):
    assert _plain(money(1_234_567_890, "EUR")) == "1.234,56789 EUR"
    assert '<span class="micro">789</span>' in str(money(1_234_567_890, "EUR"))
    assert _plain(moment(LATE)) == "01.12.2026, 00:30:05 MEZ"
    assert 'datetime="2026-11-30T23:30:05.250000Z"' in str(moment(LATE))
    assert clock_time(LATE) == "00:30:05,250"
    assert count(1_234_567) == "1.234.567"
    assert exact_seconds(1_234_567_000).replace("\N{NO-BREAK SPACE}", " ") == "1.234,567 s"
    assert percent(3_333).replace("\N{NO-BREAK SPACE}", " ") == "33,33 %"


@pytest.mark.parametrize(
    ("timezone", "zone"),
    [("UTC", "UTC"), ("Europe/London", "GMT"), ("America/New_York", "UTC\N{MINUS SIGN}5"),
     ("Asia/Kolkata", "UTC+5:30")],
)  # fmt: skip
def test_a_moment_names_its_zone(timezone: str, zone: str):
    with speaking(Viewer(timezone=timezone)):
        assert _plain(moment(LATE)).endswith(f" {zone}")


@pytest.mark.parametrize(
    ("typed", "read"),
    [("12,50", "12.50"), ("12.50", "12.50"), ("1.234,56", "1234.56"), ("1234,5", "1234.5"),
     ("0,125", "0.125"), ("0.125", "0.125"), ("1,2345", "1.2345"), ("1.234.567", "1234567"),
     ("-3,5", "-3.5"), ("1.234.567,891", "1234567.891"), ("7", "7")],
)  # fmt: skip
def test_the_decimal_comma_is_read_where_it_is_one(german: None, typed: str, read: str):
    assert plain_amount(typed) == read


@pytest.mark.parametrize("typed", ["1,234", "1.234", "999.000", "-1,234", " 12,345 "])
def test_what_may_be_thousands_or_decimals_is_refused(german: None, typed: str):
    with pytest.raises(ValueError, match=r"\d,00"):
        plain_amount(typed)


@pytest.mark.parametrize("typed", ["1,2,3", "1.23.456", "1,234.56", "1.2345.678", ",", "0.123.456"])
def test_what_is_no_german_amount_is_none_at_all(german: None, typed: str):
    with pytest.raises(BillingError):
        parse_amount(plain_amount(typed))


@given(st.integers(-AMOUNT_MAX, AMOUNT_MAX))
def test_an_amount_comes_back_from_a_field_as_it_went(amount: int):
    for whom in (Viewer(), GERMAN):
        with speaking(whom):
            assert parse_amount(plain_amount(typed_amount(amount))) == amount


def test_english_pages_read_no_comma():
    assert plain_amount("1,234") == "1,234"


@pytest.mark.parametrize(
    ("accepted", "language"),
    [("de-DE,de;q=0.9,en;q=0.8", "de"), ("fr, en;q=0.5, de;q=0.8", "de"), ("", "en"),
     ("de;q=0", "en"), ("en, de", "en"), ("*", "en"), ("de;q=x", "en"), ("," * 9_000, "en")],
)  # fmt: skip
def test_the_browser_says_which_language_it_likes_best(accepted: str, language: str):
    assert preferred(accepted) == language


async def test_visitors_of_the_same_moment_do_not_hear_each_other():
    met = asyncio.Barrier(2)

    async def visit(language: str) -> str:
        with speaking(Viewer(language=language)):
            await met.wait()
            adopt(None, "Europe/Berlin" if language == "de" else None)
            await met.wait()
            return f"{viewer().language} {viewer().timezone}"

    heard = await asyncio.gather(visit("de"), visit("en"))

    assert heard == ["de Europe/Berlin", "en UTC"]
    assert viewer() == Viewer()


def test_a_login_that_chose_nonsense_keeps_what_the_browser_says():
    with speaking(Viewer(language="de")):
        adopt("xx", "Mars/Olympus")
        assert viewer() == Viewer(language="de")


def test_reasons_that_are_not_known_stay_as_they_are(german: None):
    assert reason_of("something that nobody wrote down") == "something that nobody wrote down"


def test_a_sentence_begins_large_and_ends_with_one_full_stop():
    assert sentence_of(InvalidInput(reason="this is wrong.")) == "Invalid input: this is wrong."
