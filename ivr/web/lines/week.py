"""Opening hours: as a grid that people fill in, as a picture of the week, and when they change.

    day        first from  to      second from  to
    Monday     08:00       12:00   13:00        18:00
    holiday                                            closed

00:00 as an end is midnight; an end that is not after its start belongs to the next day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from billing.domain.notation import DAYS, format_days, parse_minute
from billing.domain.tariffs import HOLIDAY, MINUTES_OF_DAY, Window
from billing.errors import InvalidInput
from ivr.directory.rules import Opening
from ivr.web.language import gettext as _

ROWS: Final = (*DAYS, "holiday")
PAIRS_MIN: Final = 2
PAIRS_MAX: Final = 4
HOLIDAYS_MAX: Final = 200
LOOK_DAYS: Final = 8
WIDTH: Final = 560
LEFT: Final = 70
ROW: Final = 20
TOP: Final = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Open from x on, so wide."""

    x: float
    y: float
    width: float
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """A picture of the week; `now` is where the line's clock stands."""

    bars: tuple[Bar, ...]
    labels: tuple[tuple[float, str], ...]
    hours: tuple[tuple[float, str], ...]
    now: tuple[float, float]
    summary: str
    width: int = WIDTH
    height: int = TOP + ROW * len(ROWS) + 4
    left: int = LEFT
    row: int = ROW
    top: int = TOP


def day_names() -> tuple[str, ...]:
    """Name the rows for people."""
    return (
        _("Monday"), _("Tuesday"), _("Wednesday"), _("Thursday"), _("Friday"), _("Saturday"),
        _("Sunday"), _("Holiday"),
    )  # fmt: skip


def grid_of(opening: Opening) -> dict[str, str]:
    """Write opening hours as the fields of the form."""
    fields: dict[str, str] = {} if opening.hours else {"always": "1"}
    fields["holidays"] = "\n".join(opening.holidays)
    for day, row in enumerate(ROWS):
        mine = sorted(
            (window for window in opening.hours if window.falls_on(day)),
            key=lambda window: window.from_minute,
        )
        for place, window in enumerate(mine[:PAIRS_MAX], 1):
            fields[f"{row}_{place}_from"] = clock(window.from_minute)
            fields[f"{row}_{place}_to"] = clock(window.to_minute)
    return fields


def pairs_of(fields: Mapping[str, str]) -> int:
    """Say how many pairs of times the form has in a row."""
    used = [place for place in range(1, PAIRS_MAX + 1)
            if any(fields.get(f"{row}_{place}_from") for row in ROWS)]  # fmt: skip
    return max(PAIRS_MIN, *used) if used else PAIRS_MIN


def clock(minute: int) -> str:
    """Write a minute of the day; its end is 00:00 as browsers know it."""
    minute %= MINUTES_OF_DAY
    return f"{minute // 60:02d}:{minute % 60:02d}"


def read_grid(fields: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Read the form: the part of a document that it makes, and what is wrong, by field."""
    errors: dict[str, str] = {}
    times: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for day, row in enumerate(ROWS):
        for place in range(1, PAIRS_MAX + 1):
            start, end = (
                fields.get(f"{row}_{place}_{side}", "").strip() for side in ("from", "to")
            )
            if not start and not end:
                continue
            if not start or not end:
                missing = "to" if start else "from"
                errors[f"{row}_{place}_{missing}"] = _("The other time is missing.")
                continue
            for side, text in (("from", start), ("to", end)):
                try:
                    parse_minute(text)
                except InvalidInput:
                    errors[f"{row}_{place}_{side}"] = _("Write a time such as 18:00.")
            times[start, end].add(day)
    holidays = [text.strip() for text in fields.get("holidays", "").splitlines() if text.strip()]
    document: dict[str, Any] = {"holidays": holidays[:HOLIDAYS_MAX]} if holidays else {}
    if fields.get("always"):
        return document, {}
    if not times and not errors:
        errors["always"] = _("Give at least one time, or choose that it is always open.")
    document["hours"] = [
        {"days": format_days(part), "from": start, "to": end}
        for (start, end), days in sorted(times.items())
        for part in _kinds(frozenset(days))
    ]
    return document, errors


def _kinds(days: frozenset[int]) -> Iterator[frozenset[int]]:
    """All seven days would cover holidays, too: where they shall not, two windows say so."""
    if len(days) == HOLIDAY and HOLIDAY not in days:
        yield days - {HOLIDAY - 1}
        yield frozenset({HOLIDAY - 1})
    else:
        yield days


def picture(opening: Opening, now: datetime, timezone: str) -> Week:
    """Draw the week."""
    names = day_names()
    local = now.astimezone(ZoneInfo(timezone))
    bars = tuple(
        Bar(
            x=_x(start),
            y=TOP + ROW * day + 3,
            width=round(_x(end) - _x(start), 1),
            title=f"{names[day]} {clock(start)}\N{EN DASH}{clock(end)}",
        )
        for day in range(len(ROWS))
        for start, end in _open(opening, day)
    )
    minute = local.hour * 60 + local.minute
    return Week(
        bars=bars,
        labels=tuple((TOP + ROW * day + 14, name) for day, name in enumerate(names)),
        hours=tuple((_x(hour * 60), f"{hour:02d}") for hour in range(0, 25, 3)),
        now=(_x(minute), TOP + ROW * local.weekday()),
        summary="; ".join(bar.title for bar in bars) or _("Never open"),
    )


def _open(opening: Opening, day: int) -> Iterator[tuple[int, int]]:
    if not opening.hours:
        yield 0, MINUTES_OF_DAY
        return
    before = (day - 1) % HOLIDAY
    for window in opening.hours:
        late = window.from_minute >= window.to_minute
        if window.falls_on(day):
            yield window.from_minute, MINUTES_OF_DAY if late else window.to_minute
        if late and day != HOLIDAY and window.falls_on(before) and window.to_minute:
            yield 0, window.to_minute


def _x(minute: int) -> float:
    return round(LEFT + (WIDTH - LEFT) * minute / MINUTES_OF_DAY, 1)


def until(opening: Opening, now: datetime, timezone: str) -> str:
    """Say how long it stays as it is: "open until 18:00"."""
    local = now.astimezone(ZoneInfo(timezone))
    is_open = opening.is_open(local)
    change = next(
        (moment for moment in _edges(opening.hours, local) if opening.is_open(moment) != is_open),
        None,
    )
    if change is None:
        return _("always open") if is_open else _("closed")
    when = f"{change:%H:%M}"
    if change.date() != local.date():
        when = f"{day_names()[change.weekday()]} {when}"
    if is_open:
        return _("open until %(when)s") % {"when": when}
    return _("closed, opens %(when)s") % {"when": when}


def _edges(hours: Sequence[Window], local: datetime) -> Iterator[datetime]:
    minutes = sorted({0} | {minute % MINUTES_OF_DAY for window in hours
                            for minute in (window.from_minute, window.to_minute)})  # fmt: skip
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    for day in range(LOOK_DAYS):
        for minute in minutes:
            moment = midnight + timedelta(days=day, minutes=minute)
            if moment > local:
                yield moment
