"""Opening hours as a grid and back, as a picture, and when they change."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from billing.domain.notation import parse_days, parse_minute
from billing.domain.tariffs import Window
from ivr.directory.edits import node_of
from ivr.directory.rules import Opening, read_topic_rules
from ivr.web.lines.week import grid_of, picture, read_grid, until

NOW = datetime(2026, 3, 4, 12, 30, tzinfo=UTC)  # a Wednesday


def window(days: str, start: str, end: str) -> Window:
    return Window(
        days=parse_days(days), from_minute=parse_minute(start), to_minute=parse_minute(end)
    )


HOURS = [
    Opening(),
    Opening(hours=(window("mon-fri", "08:00", "12:00"), window("mon-fri", "13:00", "18:00"))),
    Opening(hours=(window("daily", "08:00", "20:00"),)),
    Opening(hours=(window("mon-sun,holiday", "08:00", "20:00"),), holidays=("12-25",)),
    Opening(hours=(window("sat", "22:00", "03:00"), window("sun", "00:00", "24:00"))),
    Opening(hours=(window("mon-sat", "08:00", "20:00"), window("sun", "08:00", "20:00"))),
    Opening(hours=(window("mon", "10:00", "12:00"),), holidays=("03-04", "2026-03-09")),
]


@pytest.mark.parametrize("opening", HOURS)
def test_what_the_form_shows_means_the_same_when_it_is_saved(opening: Opening):
    document, errors = read_grid(grid_of(opening))
    node = node_of({"name": "x", **document})
    known = node.map(
        frozenset({"name", "hours", "holidays", "hidden", "enabled", "accept", "otherwise"})
    )
    again = read_topic_rules(known).opening

    assert not errors
    for day in range(1, 29):
        for minute in range(0, 24 * 60, 30):
            local = datetime(2026, 3, day, minute // 60, minute % 60)  # noqa: DTZ001 - local time
            assert again.is_open(local) == opening.is_open(local), local


def test_a_line_that_is_closed_on_holidays_stays_so():
    document, _ = read_grid(grid_of(HOURS[5]))

    assert [part["days"] for part in document["hours"]] == ["mon,tue,wed,thu,fri,sat", "sun"]


@pytest.mark.parametrize(
    ("opening", "text"),
    [
        (HOURS[0], "always open"),
        (HOURS[1], "closed, opens 13:00"),
        (HOURS[2], "open until 20:00"),
        (HOURS[4], "closed, opens Saturday 22:00"),
        (HOURS[6], "closed"),
        (Opening(hours=(window("daily", "00:00", "24:00"),)), "always open"),
    ],
)
def test_people_read_until_when_it_stays_so(opening: Opening, text: str):
    assert until(opening, NOW, "UTC") == text


def test_the_clock_is_that_of_the_line():
    assert until(HOURS[1], NOW, "Europe/Vilnius") == "open until 18:00"


def test_a_night_is_drawn_on_both_its_days():
    week = picture(HOURS[4], NOW, "UTC")

    assert [bar.title.replace("\N{EN DASH}", " to ") for bar in week.bars] == [
        "Saturday 22:00 to 00:00", "Sunday 00:00 to 03:00", "Sunday 00:00 to 00:00",
    ]  # fmt: skip
