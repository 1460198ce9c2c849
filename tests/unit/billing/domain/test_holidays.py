"""Holidays: only periods that name them cover them, by the local calendar, also inside a call."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from billing.domain.notation import format_days, parse_days
from billing.domain.rating import RateTable
from billing.domain.tariffs import HOLIDAY, Period, Tariff, Tier
from billing.errors import InvalidTariff

VILNIUS = "Europe/Vilnius"
DAY, NIGHT, FEAST = 1_000_000, 500_000, 100_000


def tariff(**facts: object) -> Tariff:
    periods = (
        Period(
            days=frozenset({HOLIDAY}), from_minute=0, to_minute=1_440,
            tiers=(Tier(from_seconds=0, price=FEAST),),
        ),
        Period(
            days=frozenset(range(5)), from_minute=18 * 60, to_minute=8 * 60,
            tiers=(Tier(from_seconds=0, price=NIGHT),),
        ),
    )  # fmt: skip
    body: dict[str, object] = {
        "name": "t", "currency": "EUR", "tiers": (Tier(from_seconds=0, price=DAY),),
        "periods": periods, "holidays": ("12-25", "2026-06-24"), **facts,
    }  # fmt: skip
    return Tariff(**body)  # type: ignore[arg-type]


def cost(moment: str, seconds: int) -> int:
    started_at = datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo(VILNIUS))
    return RateTable.compile(tariff(), started_at=started_at, timezone=VILNIUS).cost(seconds)


@pytest.mark.parametrize(
    ("moment", "price"),
    [
        ("2026-12-25T12:00", FEAST),  # a Friday, every year
        ("2027-12-25T12:00", FEAST),
        ("2026-06-24T12:00", FEAST),  # this year only
        ("2027-06-24T12:00", DAY),
        ("2026-12-25T20:00", FEAST),  # the night of a weekday does not cover a holiday
        ("2026-12-24T20:00", NIGHT),
        ("2026-12-23T12:00", DAY),
    ],
)
def test_a_day_is_a_holiday_by_the_local_calendar(moment: str, price: int) -> None:
    assert cost(moment, 60) == price


def test_a_night_that_began_before_a_holiday_ends_with_the_holidays_price() -> None:
    assert cost("2026-12-24T23:59", 120) == NIGHT + FEAST


def test_a_call_into_the_day_after_a_holiday_pays_what_that_day_costs() -> None:
    # From Friday the 25th into Saturday: no night period begins on a holiday.
    assert cost("2026-12-25T23:59", 120) == FEAST + DAY


def test_a_period_of_all_days_covers_holidays_too() -> None:
    evening = Period(
        days=parse_days("daily"),
        from_minute=0,
        to_minute=60,
        tiers=(Tier(from_seconds=0, price=7),),
    )

    assert evening.falls_on(HOLIDAY)
    assert not Period(
        days=parse_days("mon-sat"), from_minute=0, to_minute=60, tiers=evening.tiers
    ).falls_on(HOLIDAY)


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"holidays": ("25.12.",)}, "holidays[0]"),
        ({"holidays": ("12-25", "02-30")}, "holidays[1]"),
        ({"holidays": ("12-25",), "periods": ()}, "holidays"),
    ],
)
def test_holidays_that_cannot_be_are_named(facts: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidTariff) as caught:
        tariff(**facts)

    assert caught.value.facts["field"] == field


def test_a_tariff_keeps_its_holidays_and_one_without_is_written_as_before() -> None:
    plain = tariff(holidays=())

    assert Tariff.from_json(tariff().to_json()) == tariff()
    assert '"holidays"' not in plain.to_json()
    assert parse_days("sat,sun,holiday") == frozenset({5, 6, HOLIDAY})
    assert parse_days(format_days(parse_days("mon,holiday"))) == frozenset({0, HOLIDAY})
