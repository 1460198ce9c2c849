"""A picture of what a talk costs by its length: who gets how much, stacked, as areas of an SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from billing.domain.notation import format_duration
from billing.money import MICROS_PER_UNIT, Micros, format_amount
from ivr.web.words import plain_money

WIDTH: Final = 380
HEIGHT: Final = 240
LEFT: Final = 48
TOP: Final = 16
BOTTOM: Final = 212
GRID_LINES: Final = 4
TICKS: Final = (0, 15, 30, 45, 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """What one kind of party gets; `points` is its outline, `kind` its CSS class."""

    kind: str
    points: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A label on an axis, at its place."""

    at: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Cost by minutes, from 0 to the last sample; `chosen` is where the asked length stands."""

    areas: tuple[Area, ...]
    grid: tuple[Mark, ...]
    ticks: tuple[Mark, ...]
    chosen: float
    summary: str
    # Where another tier begins, and what a minute costs on average, on a scale of its own.
    edges: tuple[Mark, ...] = ()
    average: str = ""
    average_top: str = ""
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    top: int = TOP
    bottom: int = BOTTOM


def curve(
    samples: Sequence[Mapping[str, Micros]],
    *,
    kinds: Sequence[str],
    top: Micros,
    chosen: int,
    currency: str,
    edges: Sequence[int] = (),
) -> Curve:
    """Draw one sample a minute, the kinds stacked from the bottom, up to the amount `top`.

    `edges` are the seconds at which tiers begin.
    """
    last = max(1, len(samples) - 1)
    xs = [round(LEFT + (WIDTH - LEFT - 8) * minute / last, 2) for minute in range(len(samples))]
    below = [0] * len(samples)
    areas = []
    for kind in kinds:
        above = [base + sample.get(kind, 0) for base, sample in zip(below, samples, strict=True)]
        outline = [*_line(xs, above, top), *reversed(_line(xs, below, top))]
        areas.append(Area(kind=kind, points=" ".join(outline)))
        below = above
    return Curve(
        areas=tuple(areas),
        grid=tuple(
            Mark(
                at=_y(top * number // GRID_LINES, top),
                label=plain_money(
                    top * number // GRID_LINES,
                    decimals_min=0 if top >= 10 * MICROS_PER_UNIT else 2,
                ),
            )
            for number in range(GRID_LINES + 1)
        ),
        ticks=tuple(Mark(at=xs[tick], label=str(tick)) for tick in TICKS if tick < len(xs)),
        chosen=xs[min(chosen, last)],
        edges=tuple(
            Mark(at=_at(seconds, last), label=format_duration(seconds))
            for seconds in edges
            if 0 < seconds < last * 60
        ),
        average=" ".join(_average(xs, below)),
        average_top=format_amount(max(_means(below), default=0)),
        summary=f"From 0 to {last} minutes; {last} minutes cost "
        f"{format_amount(below[-1])} {currency}.",
    )


def _means(whole: Sequence[Micros]) -> list[Micros]:
    """Say what each minute costs on average in a talk of so many minutes, from one on."""
    return [amount // minute for minute, amount in enumerate(whole) if minute]


def _average(xs: Sequence[float], whole: Sequence[Micros]) -> list[str]:
    means = _means(whole)
    highest = max(means, default=0)
    return [f"{x},{_y(mean, highest)}" for x, mean in zip(xs[1:], means, strict=True)]


def _at(seconds: int, last: int) -> float:
    return round(LEFT + (WIDTH - LEFT - 8) * seconds / (last * 60), 2)


def _line(xs: Sequence[float], amounts: Sequence[Micros], top: Micros) -> list[str]:
    return [f"{x},{_y(amount, top)}" for x, amount in zip(xs, amounts, strict=True)]


def _y(amount: Micros, top: Micros) -> float:
    return round(BOTTOM - (BOTTOM - TOP) * amount / max(top, 1), 2)
