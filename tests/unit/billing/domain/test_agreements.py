"""When commissions begin and end."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from billing.clock import microseconds_of
from billing.domain.agreements import Referrer, year_after
from billing.errors import InvalidShares


def at(*parts: int) -> int:
    return microseconds_of(datetime(*parts, tzinfo=UTC))  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (at(2026, 1, 1), at(2027, 1, 1)),
        (at(2026, 3, 4, 12, 0, 1, 234567), at(2027, 3, 4, 12, 0, 1, 234567)),
        (at(2028, 2, 29), at(2029, 2, 28)),
        (at(2027, 2, 28), at(2028, 2, 28)),
    ],
)
def test_twelve_months_later_is_the_same_day(start: int, end: int) -> None:
    assert year_after(start) == end


def test_a_commission_begins_with_its_first_moment_and_ends_before_its_last() -> None:
    referrer = Referrer(account="partner-a", basis_points=1000, from_us=10, until_us=20)

    assert [referrer.commissioned(moment) for moment in (9, 10, 19, 20)] == [
        False, True, True, False,
    ]  # fmt: skip


def test_a_commission_whose_moments_nobody_knows_yet_does_not_run() -> None:
    assert not Referrer(account="partner-a", basis_points=1000).commissioned(5)


def test_a_commission_cannot_end_before_it_begins() -> None:
    with pytest.raises(InvalidShares, match="ends before it begins"):
        Referrer(account="partner-a", basis_points=1000, until_us=5).starting(5)
