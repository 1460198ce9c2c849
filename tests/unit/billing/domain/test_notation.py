"""Prices, durations, shares and times as people write them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from billing.domain import notation
from billing.errors import BillingError


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("0.50/min", (500_000, 60)),
        ("0.50/m", (500_000, 60)),
        ("50/h", (50_000_000, 3600)),
        ("0.2/60s", (200_000, 60)),
        ("1/s", (1_000_000, 1)),
        (" 1 / 30 s ", (1_000_000, 30)),
        ("0.000001/s", (1, 1)),
    ],
)
def test_a_price_is_an_amount_per_time(text: str, price: tuple[int, int]) -> None:
    assert notation.parse_price(text) == price


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("1s", 1), ("20m", 1200), ("5min", 300), ("2h", 7200), ("1d", 86_400)],
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert notation.parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "basis_points"),
    [("30%", 3000), ("33.33%", 3333), ("7.5 %", 750), ("0%", 0), ("100%", 10_000)],
)
def test_a_percentage_is_basis_points(text: str, basis_points: int) -> None:
    assert notation.parse_percent(text) == basis_points


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("mon-fri", {0, 1, 2, 3, 4}),
        ("sat,sun", {5, 6}),
        ("Fri-Mon", {4, 5, 6, 0}),
        ("tue, thu-fri", {1, 3, 4}),
        ("daily", set(range(7))),
    ],
)
def test_days_are_names_and_ranges(text: str, days: set[int]) -> None:
    assert notation.parse_days(text) == days


@pytest.mark.parametrize(("text", "minute"), [("00:00", 0), ("18:30", 1110), ("24:00", 1440)])
def test_a_time_is_a_minute_of_the_day(text: str, minute: int) -> None:
    assert notation.parse_minute(text) == minute


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (notation.parse_price, "0.50"),
        (notation.parse_price, "-1/min"),
        (notation.parse_price, "1.2.3/min"),
        (notation.parse_price, "0.0000001/s"),
        (notation.parse_price, "1/0s"),
        (notation.parse_price, "1/week"),
        (notation.parse_price, "٣/min"),
        (notation.parse_duration, ""),
        (notation.parse_duration, "-1s"),
        (notation.parse_duration, "1.5m"),
        (notation.parse_duration, "1 year"),
        (notation.parse_duration, "9999999999s"),
        (notation.parse_percent, "30"),
        (notation.parse_percent, "33.333%"),
        (notation.parse_percent, "-5%"),
        (notation.parse_days, "monday"),
        (notation.parse_days, "mon-"),
        (notation.parse_days, ""),
        (notation.parse_minute, "25:00"),
        (notation.parse_minute, "8:00"),
        (notation.parse_minute, "24:01"),
    ],
)
def test_anything_else_is_refused_with_an_example(
    parse: Callable[[str], object], text: str
) -> None:
    with pytest.raises(BillingError, match="write"):
        parse(text)


@pytest.mark.parametrize(
    ("price", "text"),
    [
        ((500_000, 60), "0.50/min"),
        ((50_000_000, 3600), "50.00/h"),
        ((1, 1), "0.000001/s"),
        ((5, 6), "0.000005/6s"),
    ],
)
def test_a_price_is_written_as_it_is_read(price: tuple[int, int], text: str) -> None:
    assert notation.format_price(*price) == text
    assert notation.parse_price(text) == price


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (59, "59s"), (60, "1m"), (7200, "2h")])
def test_a_duration_is_written_in_its_largest_unit(seconds: int, text: str) -> None:
    assert notation.format_duration(seconds) == text


@pytest.mark.parametrize(("basis_points", "text"), [(3000, "30%"), (750, "7.50%"), (1, "0.01%")])
def test_basis_points_are_written_as_a_percentage(basis_points: int, text: str) -> None:
    assert notation.format_percent(basis_points) == text
