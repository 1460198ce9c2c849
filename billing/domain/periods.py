"""Which tiers apply at which second of a talk, when prices follow the local clock.

    talk      0 ──────────── 1,830 ─────────────▶   seconds since the start
    clock     17:29:30       18:00:00               of the zone of the service, DST included
    tiers     the tariff's   the period's

Only the moments at which an answer can change are looked at: edges of periods, midnights, and
steps of the local clock.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final, TypeVar

from billing.domain.tariffs import HOLIDAY, MINUTES_OF_DAY, Tariff, Tier, Window

# Talk longer than this keeps the prices of its last period.
HORIZON_SECONDS: Final = 48 * 3600
ENDLESS: Final = 2**62
_STEP_SECONDS: Final = 3600

AnyWindow = TypeVar("AnyWindow", bound=Window)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of elapsed talk and the tiers that price it."""

    from_seconds: int
    to_seconds: int
    tiers: tuple[Tier, ...]


def spans(tariff: Tariff, *, started_at: datetime, zone: tzinfo) -> list[Span]:
    """Cut a talk at each change of prices.

    A second is priced by the moment at which it begins. Elapsed time is real time, so an hour that
    the local clock skips or repeats counts as often as it happens.
    """
    begin = started_at.astimezone(UTC)
    found: list[Span] = []
    start, tiers = 0, tiers_at(tariff, begin.astimezone(zone))
    for elapsed in sorted(set(_moments(tariff, begin, zone))):
        new = tiers_at(tariff, (begin + timedelta(seconds=elapsed)).astimezone(zone))
        if new != tiers:
            found.append(Span(from_seconds=start, to_seconds=elapsed, tiers=tiers))
            start, tiers = elapsed, new
    found.append(Span(from_seconds=start, to_seconds=ENDLESS, tiers=tiers))
    return found


def tiers_at(tariff: Tariff, local: datetime) -> tuple[Tier, ...]:
    """Find the tiers at a local time: of the first period that covers it, else the tariff's."""
    found = _covering(tariff.periods, tariff.holidays, local)
    return tariff.tiers if found is None else found.tiers


def is_within(windows: Sequence[Window], holidays: Collection[str], local: datetime) -> bool:
    """Tell whether any of the windows covers a local time."""
    return _covering(windows, holidays, local) is not None


def _covering(
    windows: Sequence[AnyWindow], holidays: Collection[str], local: datetime
) -> AnyWindow | None:
    minute = local.hour * 60 + local.minute
    today = _day(holidays, local.date())
    yesterday = _day(holidays, local.date() - timedelta(days=1))
    for window in windows:
        if _covers(window, today, yesterday, minute):
            return window
    return None


def _day(holidays: Collection[str], day: date) -> int:
    if holidays:
        text = day.isoformat()
        if text in holidays or text[5:] in holidays:
            return HOLIDAY
    return day.weekday()


def _covers(period: Window, today: int, yesterday: int, minute: int) -> bool:
    if period.from_minute < period.to_minute:
        return period.falls_on(today) and period.from_minute <= minute < period.to_minute
    return (period.falls_on(today) and minute >= period.from_minute) or (
        period.falls_on(yesterday) and minute < period.to_minute
    )


def _moments(tariff: Tariff, begin: datetime, zone: tzinfo) -> Iterator[int]:
    """List the elapsed seconds at which other tiers may begin, in no order."""
    edges = {0}
    for period in tariff.periods:
        edges |= {period.from_minute % MINUTES_OF_DAY, period.to_minute % MINUTES_OF_DAY}
    last = begin + timedelta(seconds=HORIZON_SECONDS)
    for day in _days(begin.astimezone(zone).date(), last.astimezone(zone).date()):
        for minute in edges:
            wall = datetime.combine(day, time(minute // 60, minute % 60), tzinfo=zone)
            # Where the clock is put back, the same wall time comes twice.
            for moment in (wall, wall.replace(fold=1)):
                yield from _within(begin, moment)
    yield from _clock_steps(begin, zone)


def _days(first: date, last: date) -> Iterator[date]:
    for offset in range((last - first).days + 1):
        yield first + timedelta(days=offset)


def _clock_steps(begin: datetime, zone: tzinfo) -> Iterator[int]:
    """Find where the local clock is put forward or back, to the second."""
    for step in range(0, HORIZON_SECONDS, _STEP_SECONDS):
        low, high = step, step + _STEP_SECONDS
        before = _offset(begin, low, zone)
        if before == _offset(begin, high, zone):
            continue
        while high - low > 1:
            middle = (low + high) // 2
            if _offset(begin, middle, zone) == before:
                low = middle
            else:
                high = middle
        yield high


def _offset(begin: datetime, elapsed: int, zone: tzinfo) -> timedelta | None:
    return (begin + timedelta(seconds=elapsed)).astimezone(zone).utcoffset()


def _within(begin: datetime, moment: datetime) -> Iterator[int]:
    elapsed = math.ceil((moment.astimezone(UTC) - begin) / timedelta(seconds=1))
    if 0 < elapsed < HORIZON_SECONDS:
        yield elapsed
