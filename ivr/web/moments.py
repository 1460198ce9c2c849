"""Moments on the picture of a call: slices, warnings, changes of the price, what operators did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from billing.clock import MICROSECONDS
from ivr.web.explain import Explanation
from ivr.web.language import gettext as _
from ivr.web.language import ngettext
from ivr.web.pictures import Stretch
from ivr.web.queries.calls import CallDetail
from ivr.web.words import duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A moment of a call; `kind` is its class: held, warned, price, operator."""

    kind: str
    label: str
    at_us: int
    x: float


def moments(
    detail: CallDetail,
    stretches: Sequence[Stretch],
    explanation: Explanation | None,
    *,
    sees_operators: bool,
) -> tuple[Moment, ...]:
    """Find all moments of a call, in order."""
    found = [*_noted(detail, sees_operators=sees_operators), *_prices(detail, explanation)]
    placed = (
        Moment(kind=kind, label=label, at_us=at_us, x=x)
        for at_us, kind, label in sorted(found)
        if (x := _place(at_us, stretches)) is not None
    )
    return tuple(placed)


def _noted(detail: CallDetail, *, sees_operators: bool) -> Iterator[tuple[int, str, str]]:
    for at_us, what, number in detail.marks:
        match what:
            case "held":
                label = _("Money held for %(time)s of talk", time=duration(number))
                yield at_us, "held", label
            case "warned":
                yield at_us, "warned", _("Heard: %(time)s left", time=duration(number))
            case "dearer":
                yield at_us, "warned", _("Heard: another price begins")
            case "extended":
                label = ngettext(
                    "Extended by %(num)s minute", "Extended by %(num)s minutes", number, num=number
                )
                yield at_us, "operator", label
            case "listened" if sees_operators:
                yield at_us, "operator", _("Somebody began to listen")


def _prices(detail: CallDetail, explanation: Explanation | None) -> Iterator[tuple[int, str, str]]:
    """Say when the price changed: after the talk that each line of the cost is for."""
    began, talk_us = detail.item.answered_us, detail.item.talk_us
    if explanation is None or began is None:
        return
    seconds = detail.covered_seconds
    for line in explanation.lines:
        if line.seconds is None or line.price is None:
            continue
        at_us = began + seconds * MICROSECONDS
        if seconds and at_us < began + talk_us:
            yield at_us, "price", line.label
        seconds += line.seconds


def _place(at_us: int, stretches: Sequence[Stretch]) -> float | None:
    for part in stretches:
        if part.from_us <= at_us <= part.to_us:
            share = (at_us - part.from_us) / max(1, part.microseconds)
            return round(part.x + part.width * share, 2)
    return None
