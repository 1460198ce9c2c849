"""Prices that follow the local clock, also when it changes inside a talk."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from billing.domain.periods import spans
from billing.domain.rating import RateTable
from billing.domain.tariffs import Period, Tariff, Tier

UNIT = 1_000_000
DAY = (Tier(from_seconds=0, price=UNIT, per_seconds=1),)
NIGHT = (Tier(from_seconds=0, price=2 * UNIT, per_seconds=1),)
MONDAY_TO_FRIDAY = frozenset(range(5))
EVERY_DAY = frozenset(range(7))


def tariff(
    days: frozenset[int] = EVERY_DAY, start: str = "18:00", end: str = "08:00", **more: object
) -> Tariff:
    period = Period(days=days, from_minute=minute(start), to_minute=minute(end), tiers=NIGHT)
    return Tariff(name="x", currency="USD", tiers=DAY, periods=(period,), **more)  # type: ignore[arg-type]  # fields by name


def minute(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def cut(priced: Tariff, started_at: str, zone: str = "UTC") -> list[tuple[int, bool]]:
    """Begin of each span, and whether it is night."""
    local = ZoneInfo(zone)
    moment = datetime.fromisoformat(started_at)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=local)
    found = spans(priced, started_at=moment, zone=local)
    return [(span.from_seconds, span.tiers is NIGHT) for span in found]


def test_a_talk_over_the_edge_of_a_period_is_cut_there() -> None:
    assert cut(tariff(), "2026-01-05T17:29:30")[:2] == [(0, False), (1830, True)]


def test_a_period_passes_midnight() -> None:
    assert cut(tariff(), "2026-01-05T23:59:00")[:2] == [(0, True), (8 * 3600 + 60, False)]


def test_a_period_that_passes_midnight_belongs_to_the_day_it_began() -> None:
    nights = tariff(MONDAY_TO_FRIDAY)

    # Saturday at 07:00 is still Friday's night; Monday at 07:00 is Sunday's, which has none.
    assert cut(nights, "2026-01-10T07:00:00")[0] == (0, True)
    assert cut(nights, "2026-01-12T07:00:00")[0] == (0, False)


def test_a_period_may_last_the_whole_day() -> None:
    weekend = tariff(frozenset({5, 6}), "00:00", "24:00")

    assert cut(weekend, "2026-01-09T23:00:00")[:2] == [(0, False), (3600, True)]


def test_the_first_period_that_covers_a_moment_wins() -> None:
    other = Period(days=EVERY_DAY, from_minute=0, to_minute=24 * 60, tiers=DAY)
    night = tariff().periods[0]
    both = Tariff(name="x", currency="USD", tiers=DAY, periods=(night, other))

    assert cut(both, "2026-01-05T19:00:00")[0] == (0, True)


def test_periods_are_read_in_the_zone_of_the_service() -> None:
    moment = "2026-01-05T16:30:00+00:00"

    assert cut(tariff(), moment, "Europe/Vilnius")[0] == (0, True)
    assert cut(tariff(), moment, "UTC")[0] == (0, False)


def test_a_second_is_priced_by_the_moment_it_begins() -> None:
    assert cut(tariff(), "2026-01-05T17:59:58.900000")[:2] == [(0, False), (2, True)]


def test_a_skipped_hour_brings_the_edge_an_hour_nearer() -> None:
    # In Vilnius the clock jumps from 03:00 to 04:00 on 29 March 2026.
    priced = tariff(start="05:00", end="06:00")

    assert cut(priced, "2026-03-29T02:30:00", "Europe/Vilnius")[:3] == [
        (0, False),
        (90 * 60, True),
        (150 * 60, False),
    ]


def test_an_edge_inside_a_skipped_hour_is_where_the_clock_jumps() -> None:
    priced = tariff(start="03:30", end="05:00")

    assert cut(priced, "2026-03-29T02:30:00", "Europe/Vilnius")[:3] == [
        (0, False),
        (30 * 60, True),
        (90 * 60, False),
    ]


def test_a_repeated_hour_is_priced_both_times() -> None:
    # In Vilnius the clock goes back from 04:00 to 03:00 on 25 October 2026.
    priced = tariff(start="03:00", end="03:30")

    assert cut(priced, "2026-10-25T02:30:00", "Europe/Vilnius")[:5] == [
        (0, False),
        (30 * 60, True),
        (60 * 60, False),
        (90 * 60, True),
        (120 * 60, False),
    ]


@pytest.mark.parametrize("zone", ["Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns"])
def test_the_cuts_are_those_that_a_look_at_each_minute_finds(zone: str) -> None:
    local = ZoneInfo(zone)
    for day in (4, 5, 95, 96, 277, 278, 305):
        moment = datetime.fromtimestamp(1_767_225_600 + day * 86_400 + 43, tz=UTC)
        priced = tariff(frozenset({0, 2, 5, 6}), "22:30", "01:45")

        found = spans(priced, started_at=moment, zone=local)

        night = [
            is_night(datetime.fromtimestamp(moment.timestamp() + second, tz=local))
            for second in range(17, 47 * 3600, 60)
        ]
        for span in found:
            for second in range(span.from_seconds, min(span.to_seconds, 47 * 3600), 600):
                if second >= 17:
                    assert night[(second - 17) // 60] is (span.tiers is NIGHT)


def is_night(local: datetime) -> bool:
    clock = local.strftime("%H:%M")
    if clock >= "22:30":
        return local.isoweekday() in {1, 3, 6, 7}
    return clock < "01:45" and local.isoweekday() % 7 in {1, 2, 4, 0}


def test_a_call_pays_each_second_at_its_own_price() -> None:
    started_at = datetime(2026, 1, 5, 17, 59, 0, tzinfo=UTC)

    table = RateTable.compile(tariff(setup_fee=UNIT), started_at=started_at)

    assert [table.cost(second) // UNIT for second in (1, 60, 61, 120)] == [2, 61, 63, 181]


def test_tiers_of_a_period_count_the_whole_talk() -> None:
    night = (
        Tier(from_seconds=0, price=9 * UNIT, per_seconds=1),
        Tier(from_seconds=60, price=3 * UNIT, per_seconds=1),
    )
    period = Period(days=EVERY_DAY, from_minute=minute("18:00"), to_minute=0, tiers=night)
    priced = Tariff(name="x", currency="USD", tiers=DAY, periods=(period,))
    started_at = datetime(2026, 1, 5, 17, 58, 0, tzinfo=UTC)

    table = RateTable.compile(priced, started_at=started_at)

    assert table.cost(121) == 123 * UNIT


def test_the_caller_is_told_the_tiers_in_force_after_the_free_seconds() -> None:
    started_at = datetime(2026, 1, 5, 17, 59, 0, tzinfo=UTC)

    assert RateTable.compile(tariff(), started_at=started_at).tiers == DAY
    assert RateTable.compile(tariff(free_seconds=60), started_at=started_at).tiers == NIGHT


def test_without_a_moment_periods_are_left_out() -> None:
    assert RateTable.compile(tariff()).cost(60) == 60 * UNIT
