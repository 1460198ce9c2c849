"""Seconds that are included in something already paid for, taken in whole increments."""

from __future__ import annotations

from dataclasses import dataclass

from billing.money import divide_up


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a talk takes of an allowance, what stays of it, and what must be paid for."""

    used_seconds: int
    left_seconds: int
    payable_seconds: int


def take(seconds: int, *, included_seconds: int, increment_seconds: int = 1) -> Taken:
    """Cover a talk by included seconds, rounded up to the increment of the allowance.

    The last increment may be smaller where the allowance ends inside it: a talk of 5 seconds takes
    20 of 40 by an increment of 20, and 12 where only 12 are left.
    """
    wished = divide_up(max(seconds, 0), increment_seconds) * increment_seconds
    used = min(wished, included_seconds)
    return Taken(
        used_seconds=used,
        left_seconds=included_seconds - used,
        payable_seconds=max(seconds - used, 0),
    )
