"""Geometry of the pictures: nothing leaves the frame, nothing is lost."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.web.pictures import (
    CHART_WIDTH,
    PLOT_BOTTOM,
    PLOT_TOP,
    TIMELINE_WIDTH,
    Stretch,
    chart,
    round_up,
    timeline,
)

KINDS = ("client", "provider")
START = date(2026, 3, 1)
MS = 1_000
amounts = st.dictionaries(st.sampled_from(KINDS), st.integers(0, 10**15))


@given(st.lists(amounts, min_size=1, max_size=366))
def test_bars_stay_inside_the_chart(days: list[dict[str, int]]):
    drawn = chart(
        {START + timedelta(days=number): sums for number, sums in enumerate(days)},
        kinds=KINDS,
        currency="USD",
    )

    assert len(drawn.bars) <= 45
    for bar in drawn.bars:
        assert drawn.left <= bar.x <= bar.x + bar.width <= CHART_WIDTH
        for segment in bar.segments:
            assert segment.y >= PLOT_TOP - 0.02
            assert segment.y + segment.height <= PLOT_BOTTOM + 0.02


@pytest.mark.parametrize(("days", "bars"), [(31, 31), (45, 45), (90, 14), (366, 13)])
def test_long_periods_are_drawn_by_week_and_by_month(days: int, bars: int):
    drawn = chart(
        {START + timedelta(days=number): {"client": 1} for number in range(days)},
        kinds=KINDS,
        currency="USD",
    )

    assert len(drawn.bars) == bars
    assert f"Client {days / 1_000_000:.6f}".rstrip("0") in drawn.summary


def test_a_chart_of_nothing_is_empty():
    assert chart({START: {}}, kinds=KINDS, currency="USD").empty


@given(st.integers(1, 10**18))
def test_the_top_of_a_chart_is_round_and_not_far_above(amount: int):
    top = round_up(amount)

    assert amount <= top <= 2.5 * amount
    assert str(top).rstrip("0") in {"1", "2", "5"}


def _spans(stretches: tuple[Stretch, ...]) -> list[tuple[str, int, int]]:
    return [(part.kind, part.from_us // MS, part.to_us // MS) for part in stretches]


def test_what_took_no_time_is_not_drawn():
    steps = [(5 * MS, "authenticated"), (5 * MS + 900, "choosing"), (9 * MS, "ended")]

    drawn = timeline(steps, started_us=0, ended_us=9 * MS, talk=None)

    assert [part.label for part in drawn] == ["Greeting", "Choosing a topic"]


def test_talk_is_drawn_by_the_moments_of_the_switch():
    steps = [(10, "choosing"), (30, "waiting"), (52, "talking"), (95, "ended")]

    drawn = timeline(
        [(at * MS, state) for at, state in steps],
        started_us=0,
        ended_us=100 * MS,
        talk=(50 * MS, 90 * MS),
    )

    assert _spans(drawn) == [
        ("menu", 0, 10), ("menu", 10, 30), ("wait", 30, 50), ("talk", 50, 90), ("rest", 90, 100),
    ]  # fmt: skip


def test_a_call_without_talk_has_none():
    steps = [(10 * MS, "waiting"), (40 * MS, "ended")]

    drawn = timeline(steps, started_us=0, ended_us=40 * MS, talk=None)

    assert _spans(drawn) == [("menu", 0, 10), ("wait", 10, 40)]


steps = st.lists(
    st.tuples(st.integers(-50, 200), st.sampled_from(["choosing", "waiting", "talking", "odd"])),
    max_size=40,
)


@given(steps, st.integers(0, 300), st.none() | st.tuples(st.integers(0, 99), st.integers(100, 250)))
def test_any_record_can_be_drawn(
    marks: list[tuple[int, str]], ended_us: int, talk: tuple[int, int] | None
):
    talked = (talk[0] * MS, talk[1] * MS) if talk else None

    drawn = timeline(
        [(at * MS, state) for at, state in marks],
        started_us=0,
        ended_us=ended_us * MS,
        talk=talked,
    )

    assert all(stretch.width > 0 and stretch.microseconds > 0 for stretch in drawn)
    assert not drawn or abs(drawn[-1].x + drawn[-1].width - TIMELINE_WIDTH) < 0.1
