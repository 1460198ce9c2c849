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


def agreed(fee: int = 0, commission: int = 0) -> tuple[Share, ...]:
    return (
        Share(kind="provider", account="provider", basis_points=3000, fixed_fee=fee),
        Share(kind="client", account="acme", basis_points=7000),
        Share(kind="referrer", account="partner-a", basis_points=commission, of="provider"),
    )


@pytest.mark.parametrize(
    ("amount", "fee", "commission", "parts"),
    [
        (10_000_000, 0, 1000, [2_700_000, 7_000_000, 300_000]),
        (10_000_000, 50_000, 0, [3_035_000, 6_965_000, 0]),
        (10_000_000, 50_000, 1000, [2_736_500, 6_965_000, 298_500]),
        (40_000, 50_000, 1000, [40_000, 0, 0]),  # the fee takes all there is
        (50_000, 50_000, 1000, [50_000, 0, 0]),
        (10, 0, 5000, [2, 7, 1]),  # half a micro-unit each: the provider's
        (0, 50_000, 1000, [0, 0, 0]),
    ],
)
def test_the_fixed_fee_comes_first_and_a_commission_from_the_providers_percentage(
    amount: int, fee: int, commission: int, parts: list[int]
) -> None:
    assert [part.amount for part in split(amount, agreed(fee, commission))] == parts


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (agreed(fee=-1), "negative"),
        (agreed(commission=10_001), "more than 100 %"),
        (
            (Share(kind="client", account="acme", basis_points=10_000, fixed_fee=5),),
            "to the provider alone",
        ),
        (
            (
                Share(kind="client", account="acme", basis_points=10_000),
                Share(kind="referrer", account="a", basis_points=1, of="provider"),
            ),
            "needs one provider",
        ),
        (
            (
                Share(kind="client", account="acme", basis_points=10_000),
                Share(kind="referrer", account="a", basis_points=1, of="client"),
            ),
            "part of what the provider gets",
        ),
    ],
)
def test_fees_and_commissions_that_nobody_can_have_are_refused(
    wrong: tuple[Share, ...], reason: str
) -> None:
    with pytest.raises(InvalidShares, match=reason):
        split(1_000, wrong)


def test_a_table_of_plain_shares_takes_nothing_else() -> None:
    with pytest.raises(InvalidShares, match="plain"):
        SplitTable(agreed(fee=1))
