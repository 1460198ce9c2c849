"""Parts add up to the amount, whatever it is."""

from __future__ import annotations

import pytest

from billing.domain.splits import SHARES_MAX, Share, SplitTable, split
from billing.errors import InvalidShares


def shares(*basis_points: int) -> tuple[Share, ...]:
    return tuple(
        Share(kind="client", account=f"c{index}", basis_points=points)
        for index, points in enumerate(basis_points)
    )


def amounts(amount: int, *basis_points: int) -> list[int]:
    return [part.amount for part in split(amount, shares(*basis_points))]


def test_thirty_and_seventy_percent_of_ten_dollars() -> None:
    assert amounts(10_000_000, 3000, 7000) == [3_000_000, 7_000_000]


@pytest.mark.parametrize(
    ("amount", "points", "parts"),
    [
        (0, (3000, 7000), [0, 0]),
        (1, (3000, 7000), [0, 1]),
        (2, (3000, 7000), [1, 1]),  # remainders 0.6 and 0.4
        (1, (5000, 5000), [1, 0]),  # a tie: the first
        (100, (3333, 3333, 3334), [33, 33, 34]),
        (2, (3333, 3333, 3334), [1, 0, 1]),
        (5, (0, 10_000), [0, 5]),
    ],
)
def test_what_is_left_over_goes_to_the_largest_remainder(
    amount: int, points: tuple[int, ...], parts: list[int]
) -> None:
    assert amounts(amount, *points) == parts


def test_parts_name_their_parties_in_order() -> None:
    whole = (
        Share(kind="provider", account="provider", basis_points=3000),
        Share(kind="client", account="acme", basis_points=7000),
    )

    parts = split(11, whole)

    assert [(part.kind, part.account, part.amount) for part in parts] == [
        ("provider", "provider", 3),
        ("client", "acme", 8),
    ]


def test_a_table_that_has_seen_an_amount_divides_the_next_as_well() -> None:
    table = SplitTable(shares(1, 9999))

    assert [table.amounts(5000), table.amounts(15_000), table.amounts(5000)] == [
        [1, 4999],
        [2, 14_998],
        [1, 4999],
    ]


@pytest.mark.parametrize(
    "points", [(), (9999,), (5000, 5001), (-1, 10_001), (1,) * (SHARES_MAX + 1)]
)
def test_shares_that_are_no_whole_are_refused(points: tuple[int, ...]) -> None:
    with pytest.raises(InvalidShares):
        split(1, shares(*points))


def test_a_party_stands_there_once() -> None:
    twice = (Share(kind="client", account="acme", basis_points=5000),) * 2

    with pytest.raises(InvalidShares, match="twice"):
        split(1, twice)


def test_a_negative_amount_is_refused() -> None:
    with pytest.raises(InvalidShares):
        split(-1, shares(10_000))
