"""Pictures as geometry: bars of a chart, stretches of a call. Templates write them as SVG.

    chart      one bar a day (or week, or month), parts stacked, a grid of round amounts
    timeline   one bar of a call's time: what was free, what was paid

Colours come from the style sheet by class; every picture has the same facts beside it as text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from billing.money import MICROS_PER_UNIT, Micros
from ivr.web.language import gettext as _
from ivr.web.language import mark
from ivr.web.words import day, month, plain_money, short_day, word

CHART_WIDTH: Final = 760
CHART_HEIGHT: Final = 240
LABEL_CHARACTER: Final = 13
PLOT_TOP: Final = 20
PLOT_BOTTOM: Final = 212
LABELS_MAX: Final = 8
NAME_MAX: Final = 13
GRID_LINES: Final = 4
UNITS: Final = ("calls", "min")
DAILY_UP_TO: Final = 45
WEEKLY_UP_TO: Final = 200
TIMELINE_WIDTH: Final = 760
STRETCH_WIDTH_MIN: Final = 3.0
# What took less than a millisecond was a step of ours, not of the caller.
STRETCH_US_MIN: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One part of a bar; `kind` is its CSS class."""

    kind: str
    y: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar; `title` is what it says when pointed at, `label` what stands under it, if room."""

    x: float
    width: float
    title: str
    label: str
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GridLine:
    """A round amount at its height."""

    y: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A stacked bar chart."""

    bars: tuple[Bar, ...]
    grid: tuple[GridLine, ...]
    summary: str
    empty: bool
    left: int
    width: int = CHART_WIDTH
    height: int = CHART_HEIGHT
    top: int = PLOT_TOP
    plot: int = PLOT_BOTTOM - PLOT_TOP


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    title: str
    label: str
    amounts: Mapping[str, Micros]


def chart(
    days: Mapping[date, Mapping[str, Micros]], *, kinds: Sequence[str], currency: str
) -> Chart:
    """Draw amounts per day, the parts named by `kinds` stacked from the bottom."""
    return _draw(
        _groups(days, kinds),
        kinds=kinds,
        write=lambda amount: plain_money(amount, currency),
    )


def bars_by_name(
    rows: Sequence[tuple[str, Mapping[str, Micros]]], *, kinds: Sequence[str], unit: str
) -> Chart:
    """Draw one bar for each named row; counts come as millions, as amounts do.

    Only the first rows get a bar, so that each stays wide enough to be seen.
    """
    groups = [
        _Group(
            title=name,
            label=name if len(name) <= NAME_MAX else f"{name[: NAME_MAX - 1]}…",
            amounts={kind: amounts.get(kind, 0) for kind in kinds},
        )
        for name, amounts in rows[:DAILY_UP_TO]
    ]
    decimals = 2 if unit.isupper() else 0
    return _draw(
        groups,
        kinds=kinds,
        write=lambda amount: f"{plain_money(amount, decimals_min=decimals)} {_(unit)}",
    )


def bars_by_minute(rows: Sequence[tuple[str, Mapping[str, int]]], *, kinds: Sequence[str]) -> Chart:
    """Draw one bar of counts for each minute; `rows` say its time of day."""
    groups = [
        _Group(
            title=name,
            label=name,
            amounts={kind: amounts.get(kind, 0) * MICROS_PER_UNIT for kind in kinds},
        )
        for name, amounts in rows
    ]
    return _draw(
        groups,
        kinds=kinds,
        write=lambda amount: str(amount // MICROS_PER_UNIT),
        top_min=GRID_LINES * MICROS_PER_UNIT,
    )


def _draw(
    groups: Sequence[_Group],
    *,
    kinds: Sequence[str],
    write: Callable[[Micros], str],
    top_min: Micros = 0,
) -> Chart:
    highest = max((sum(group.amounts.values()) for group in groups), default=0)
    top = max(round_up(highest), top_min)
    grid = _grid(top, whole=bool(top_min))
    left = LABEL_CHARACTER * (1 + max(len(line.label) for line in grid))
    step = (CHART_WIDTH - left) / max(1, len(groups))
    every = -(-len(groups) // LABELS_MAX)
    bars = []
    for number, group in enumerate(groups):
        facts = ", ".join(f"{word(kind)} {write(group.amounts[kind])}" for kind in kinds)
        bars.append(
            Bar(
                x=round(left + number * step + step * 0.15, 2),
                width=round(step * 0.7, 2),
                title=f"{group.title}: {facts}",
                label=group.label if number % every == 0 else "",
                segments=_stack(group.amounts, kinds, top),
            )
        )
    return Chart(
        bars=tuple(bars),
        grid=grid,
        left=left,
        summary=_summary(groups, kinds, write),
        empty=highest == 0,
    )


def round_up(amount: Micros) -> Micros:
    """Return the next round amount: 1, 2 or 5 times a power of ten; the top of a chart."""
    power = 1
    while power * 10 <= amount:
        power *= 10
    for factor in (1, 2, 5, 10):
        if factor * power >= amount:
            return factor * power
    return amount


def _stack(amounts: Mapping[str, Micros], kinds: Sequence[str], top: Micros) -> tuple[Segment, ...]:
    plot = PLOT_BOTTOM - PLOT_TOP
    segments, y = [], float(PLOT_BOTTOM)
    for kind in kinds:
        height = amounts[kind] * plot / top
        if height > 0:
            y -= height
            segments.append(Segment(kind=kind, y=round(y, 2), height=round(height, 2)))
    return tuple(segments)


def _grid(top: Micros, *, whole: bool) -> tuple[GridLine, ...]:
    plot = PLOT_BOTTOM - PLOT_TOP
    lines = []
    for number in range(GRID_LINES + 1):
        amount = top * number // GRID_LINES
        decimals = 0 if whole or top >= 10 * MICROS_PER_UNIT else 2
        label = plain_money(amount, decimals_min=decimals)
        lines.append(GridLine(y=PLOT_BOTTOM - plot * number / GRID_LINES, label=label))
    return tuple(lines)


def _groups(days: Mapping[date, Mapping[str, Micros]], kinds: Sequence[str]) -> list[_Group]:
    """Group days so that bars stay wide enough to be seen."""
    wanted = sorted(days)
    groups: dict[date, dict[str, Micros]] = {}
    for one in wanted:
        sums = groups.setdefault(_start(one, len(wanted)), dict.fromkeys(kinds, 0))
        for kind in kinds:
            sums[kind] += days[one].get(kind, 0)
    if len(wanted) > WEEKLY_UP_TO:
        return [
            _Group(title=month(start), label=month(start, short=True), amounts=sums)
            for start, sums in groups.items()
        ]
    return [
        _Group(
            title=day(start)
            if len(wanted) <= DAILY_UP_TO
            else _("week of %(day)s", day=day(start)),
            label=short_day(start),
            amounts=sums,
        )
        for start, sums in groups.items()
    ]


def _start(one: date, days: int) -> date:
    if days <= DAILY_UP_TO:
        return one
    if days <= WEEKLY_UP_TO:
        return one - timedelta(days=one.weekday())
    return one.replace(day=1)


def _summary(groups: Sequence[_Group], kinds: Sequence[str], write: Callable[[Micros], str]) -> str:
    sums = {kind: sum(group.amounts[kind] for group in groups) for kind in kinds}
    return _(
        "Bar chart of %(bars)s bars. In all: %(sums)s.",
        bars=len(groups),
        sums=", ".join(f"{word(kind)} {write(amount)}" for kind, amount in sums.items()),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A stretch of a call's time. `kind` is menu, wait, talk or rest."""

    kind: str
    label: str
    from_us: int
    to_us: int
    x: float
    width: float

    @property
    def microseconds(self) -> int:
        """How long it took."""
        return self.to_us - self.from_us


KINDS_OF_STATE: Final = {
    "ringing": ("menu", mark("Greeting")),
    "authenticated": ("menu", mark("Identified")),
    "choosing": ("menu", mark("Choosing a topic")),
    "quoted": ("menu", mark("Hearing the price")),
    "waiting": ("wait", mark("Waiting for an agent")),
    "talking": ("talk", mark("Talking")),
}


def timeline(
    steps: Sequence[tuple[int, str]],
    *,
    started_us: int,
    ended_us: int,
    talk: tuple[int, int] | None,
) -> tuple[Stretch, ...]:
    """Draw a call from its start to its end; `talk` is the measured talk, when there was any."""
    marks = [(started_us, "ringing"), *steps]
    if talk is not None:
        # The switch's own moments are exact; those of our steps are when we heard of them.
        begun = [(at, state) for at, state in marks if state not in {"talking", "ended"}]
        marks = [*((at, state) for at, state in begun if at <= talk[0]), (talk[0], "talking")]
        ended_us = max(ended_us, talk[1])
    stretches: list[tuple[str, str, int, int]] = []
    for (at, state), (until, _next) in zip(marks, [*marks[1:], (ended_us, "ended")], strict=True):
        if state == "ended" or until <= at:
            continue
        kind, name = KINDS_OF_STATE.get(state, ("rest", state))
        label = _(name)
        if talk is not None and state == "talking":
            stretches.append((kind, label, talk[0], talk[1]))
            if talk[1] < until:
                stretches.append(("rest", _("After the talk"), talk[1], until))
        else:
            stretches.append((kind, label, at, until))
    return _lay_out([one for one in stretches if one[3] - one[2] >= STRETCH_US_MIN])


def _lay_out(stretches: Sequence[tuple[str, str, int, int]]) -> tuple[Stretch, ...]:
    total = sum(until - at for _, _, at, until in stretches) or 1
    spare = TIMELINE_WIDTH - STRETCH_WIDTH_MIN * len(stretches)
    placed, x = [], 0.0
    for kind, label, at, until in stretches:
        width = STRETCH_WIDTH_MIN + spare * (until - at) / total
        placed.append(
            Stretch(
                kind=kind,
                label=label,
                from_us=at,
                to_us=until,
                x=round(x, 2),
                width=round(width, 2),
            )
        )
        x += width
    return tuple(placed)
