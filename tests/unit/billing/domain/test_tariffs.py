"""A price list refuses what it cannot mean, and survives being stored."""

from __future__ import annotations

from dataclasses import replace

import pytest

from billing.domain.tariffs import PERIODS_MAX, TIERS_MAX, Period, RoundingRule, Tariff, Tier
from billing.errors import InvalidTariff
from billing.money import AMOUNT_MAX, Rounding

FLAT = Tier(from_seconds=0, price=500_000)
NIGHT = Period(days=frozenset({0, 4}), from_minute=1080, to_minute=480, tiers=(FLAT,))
FULL = Tariff(
    name="full",
    currency="USD",
    tiers=(FLAT, Tier(from_seconds=60, price=1, per_seconds=3600, increment_seconds=6)),
    setup_fee=5,
    minimum_seconds=6,
    free_seconds=7,
    minimum_cost=8,
    maximum_cost=9,
    rounding=RoundingRule(method=Rounding.UP, decimals=4),
    periods=(NIGHT,),
)


def test_a_tariff_survives_its_canonical_form() -> None:
    assert Tariff.from_json(FULL.to_json()) == FULL


def test_equal_tariffs_have_equal_text() -> None:
    turned = replace(FULL, periods=(replace(NIGHT, days=frozenset([4, 0])),))

    assert turned.to_json() == FULL.to_json()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"setup_fee": -1}, "setup_fee"),
        ({"setup_fee": AMOUNT_MAX + 1}, "setup_fee"),
        ({"minimum_seconds": -1}, "minimum"),
        ({"free_seconds": 10**9}, "free"),
        ({"minimum_cost": -1}, "minimum_cost"),
        ({"maximum_cost": 7}, "maximum_cost"),
        ({"rounding": RoundingRule(decimals=7)}, "rounding.decimals"),
        ({"tiers": ()}, "tiers"),
        ({"tiers": (FLAT,) * (TIERS_MAX + 1)}, "tiers"),
        ({"tiers": (replace(FLAT, from_seconds=1),)}, "tiers[0].from"),
        ({"tiers": (FLAT, FLAT)}, "tiers[1].from"),
        ({"tiers": (replace(FLAT, price=-1),)}, "tiers[0].price"),
        ({"tiers": (replace(FLAT, per_seconds=0),)}, "tiers[0].price"),
        ({"tiers": (replace(FLAT, increment_seconds=0),)}, "tiers[0].increment"),
        ({"periods": (NIGHT,) * (PERIODS_MAX + 1)}, "periods"),
        ({"periods": (replace(NIGHT, days=frozenset()),)}, "periods[0].days"),
        ({"periods": (replace(NIGHT, days=frozenset({8})),)}, "periods[0].days"),
        ({"periods": (replace(NIGHT, from_minute=1440),)}, "periods[0].from"),
        ({"periods": (replace(NIGHT, to_minute=1441),)}, "periods[0].to"),
        ({"periods": (replace(NIGHT, tiers=()),)}, "periods[0].tiers"),
    ],
)
def test_what_cannot_be_a_price_list_is_refused_by_field(
    change: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidTariff) as refused:
        replace(FULL, **change)

    assert refused.value.facts["field"] == field


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(InvalidTariff) as refused:
        replace(FULL, setup_fee=-1, maximum_cost=0, tiers=(FLAT, FLAT, FLAT))

    problems = refused.value.facts["problems"]
    assert isinstance(problems, tuple)
    assert [field for field, _ in problems] == [
        "setup_fee",
        "maximum_cost",
        "tiers[1].from",
        "tiers[2].from",
    ]
