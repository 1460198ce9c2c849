"""Prices by the clock against a slow oracle that asks, second by second, what a talk costs now.

It knows days of the week, holidays, nights that pass midnight and clocks that are put forward and
back, from the rules alone, and adds Fractions.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.rating import RateTable
from billing.domain.tariffs import HOLIDAY, Period, RoundingRule, Tariff, Tax, Tier
from billing.money import Rounding

TALK_MAX = 3 * 3600
ZONES = ("UTC", "Europe/Vilnius", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")
# Around clocks put forward and back, holidays, weekends, and a new year.
MOMENTS = (
    datetime(2026, 3, 29, 0, 0, tzinfo=UTC),
    datetime(2026, 10, 25, 0, 0, tzinfo=UTC),
    datetime(2026, 3, 8, 6, 0, tzinfo=UTC),
    datetime(2026, 11, 1, 5, 0, tzinfo=UTC),
    datetime(2026, 4, 4, 14, 0, tzinfo=UTC),
    datetime(2026, 12, 24, 22, 0, tzinfo=UTC),
    datetime(2026, 12, 31, 22, 30, tzinfo=UTC),
    datetime(2026, 7, 17, 16, 0, tzinfo=UTC),
)
minutes = st.sampled_from([0, 1, 60, 119, 120, 121, 180, 480, 1080, 1320, 1439])


@st.composite
def price_lists(draw: st.DrawFn) -> tuple[Tier, ...]:
    starts = [0, *sorted(draw(st.sets(st.integers(1, 9_000), max_size=2)))]
    return tuple(
        Tier(
            from_seconds=start,
            price=draw(st.integers(0, 2_000_000)),
            per_seconds=draw(st.sampled_from([1, 7, 60])),
            increment_seconds=draw(st.sampled_from([1, 6, 60, 90])),
        )
        for start in starts
    )


@st.composite
def tariffs(draw: st.DrawFn) -> Tariff:
    periods = tuple(
        Period(
            days=frozenset(draw(st.sets(st.integers(0, HOLIDAY), min_size=1))),
            from_minute=draw(minutes),
            to_minute=draw(minutes),
            tiers=draw(price_lists()),
        )
        for _ in range(draw(st.integers(1, 3)))
    )
    feasts = st.sampled_from([("12-25", "2027-01-01"), ("10-25", "2026-07-18")])
    return Tariff(
        name="any",
        currency="EUR",
        tiers=draw(price_lists()),
        setup_fee=draw(st.sampled_from([0, 5_000_000])),
        minimum_seconds=draw(st.sampled_from([0, 60])),
        free_seconds=draw(st.sampled_from([0, 30, 4_000])),
        rounding=RoundingRule(
            method=draw(st.sampled_from(list(Rounding))), decimals=draw(st.sampled_from([2, 6]))
        ),
        periods=periods,
        holidays=draw(feasts) if any(HOLIDAY in period.days for period in periods) else (),
        tax=draw(st.sampled_from([None, Tax(name="VAT", basis_points=2_100)])),
    )


def kind_of_day(tariff: Tariff, moment: datetime) -> int:
    feasts = {moment.strftime("%Y-%m-%d"), moment.strftime("%m-%d")} & set(tariff.holidays)
    return 7 if feasts else moment.isoweekday() - 1


def is_on(days: frozenset[int], day: int) -> bool:
    return day in days or (day == 7 and days >= set(range(7)))


def prices_at(tariff: Tariff, local: datetime) -> tuple[Tier, ...]:
    clock = local.strftime("%H:%M")
    today = kind_of_day(tariff, local)
    eve = kind_of_day(tariff, local.replace(tzinfo=None) - timedelta(days=1))
    for period in tariff.periods:
        opens = f"{period.from_minute // 60:02d}:{period.from_minute % 60:02d}"
        closes = f"{period.to_minute // 60:02d}:{period.to_minute % 60:02d}"
        if opens < closes:
            if is_on(period.days, today) and opens <= clock < closes:
                return period.tiers
        elif (is_on(period.days, today) and clock >= opens) or (
            is_on(period.days, eve) and clock < closes
        ):
            return period.tiers
    return tariff.tiers


def oracle(tariff: Tariff, seconds: int, started_at: datetime, zone: str) -> int:
    """Walk the talk: a new price, tier or the end of the free time begins a new increment."""
    total, paid_until = Fraction(tariff.setup_fee), 0
    for second in range(max(seconds, tariff.minimum_seconds)):
        local = (started_at + timedelta(seconds=second)).astimezone(ZoneInfo(zone))
        prices = prices_at(tariff, local)
        tier = [tier for tier in prices if tier.from_seconds <= second][-1]
        if second < paid_until:
            continue
        if second < tariff.free_seconds:
            paid_until = second + 1
            continue
        total += Fraction(tier.price * tier.increment_seconds, tier.per_seconds)
        paid_until = second + tier.increment_seconds
    step = 10 ** (6 - tariff.rounding.decimals)
    net = rounded(total / step, tariff.rounding.method) * step
    if tariff.tax is None:
        return net
    return net + rounded(Fraction(net * tariff.tax.basis_points, 10_000), tariff.rounding.method)


def rounded(exact: Fraction, method: Rounding) -> int:
    whole, rest = divmod(exact.numerator, exact.denominator)
    half = Fraction(rest, exact.denominator) - Fraction(1, 2)
    match method:
        case Rounding.UP:
            return whole + (rest > 0)
        case Rounding.DOWN:
            return whole
        case Rounding.HALF_UP:
            return whole + (half >= 0)
        case Rounding.HALF_EVEN:
            return whole + (half > 0 or (half == 0 and whole % 2 == 1))


@settings(deadline=None)
@given(
    tariffs(),
    st.integers(1, TALK_MAX),
    st.sampled_from(MOMENTS),
    st.integers(-7_200_000_000, 7_200_000_000),
    st.sampled_from(ZONES),
)
def test_a_cost_by_the_clock_is_what_the_oracle_adds_up(
    tariff: Tariff, seconds: int, moment: datetime, shift_us: int, zone: str
) -> None:
    started_at = moment + timedelta(microseconds=shift_us)

    table = RateTable.compile(tariff, started_at=started_at, timezone=zone)

    assert table.cost(seconds) == oracle(tariff, seconds, started_at, zone)
