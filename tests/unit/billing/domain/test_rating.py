"""Prices as people say them, and what each line of a charge tells."""

from __future__ import annotations

import pytest

from billing.domain.rating import RateTable, seconds_of
from billing.domain.tariffs import RoundingRule, Tariff, Tier
from billing.money import Rounding, parse_amount

MINUTE = 60
UNIT = 1_000_000


def tier(start: int, price: str, *, per: int = MINUTE, increment: int = 1) -> Tier:
    return Tier(
        from_seconds=start,
        price=parse_amount(price),
        per_seconds=per,
        increment_seconds=increment,
    )


def priced(*tiers: Tier, **more: object) -> RateTable:
    return RateTable.compile(Tariff(name="x", currency="USD", tiers=tiers, **more))  # type: ignore[arg-type]  # fields by name


STANDARD = priced(tier(0, "0.50"), tier(20 * MINUTE, "0.25"), setup_fee=5 * UNIT)


@pytest.mark.parametrize(
    ("seconds", "cost"),
    [
        (0, "0"),
        (1, "5.008333"),
        (60, "5.50"),
        (20 * MINUTE, "15"),
        (20 * MINUTE + 1, "15.004167"),
        (30 * MINUTE, "17.50"),
    ],
)
def test_five_dollars_then_fifty_cents_then_twenty_five(seconds: int, cost: str) -> None:
    assert STANDARD.cost(seconds) == parse_amount(cost)


def test_an_hourly_price_is_charged_by_the_second() -> None:
    hourly = priced(tier(0, "50", per=3600))

    assert hourly.cost(3600) == 50 * UNIT
    assert hourly.cost(72) == 1 * UNIT


@pytest.mark.parametrize(
    ("increments", "seconds", "billed"),
    [((60, 60), 1, 60), ((60, 60), 61, 120), ((30, 6), 31, 36), ((60, 1), 61, 61)],
)
def test_talk_is_billed_in_begun_increments(
    increments: tuple[int, int], seconds: int, billed: int
) -> None:
    first, later = increments
    table = priced(tier(0, "1", per=1, increment=first), tier(first, "1", per=1, increment=later))

    assert table.charge(seconds).billed_seconds == billed
    assert table.cost(seconds) == billed * UNIT


def test_the_overshoot_of_an_increment_is_taken_from_the_next_tier() -> None:
    table = priced(tier(0, "1", per=1, increment=60), tier(90, "0.1", per=1), tier(130, "5", per=1))

    # 0-90 is billed as 120 seconds, so the second tier begins at 120.
    assert table.cost(90) == table.cost(120) == 120 * UNIT
    assert table.cost(121) == 120 * UNIT + UNIT // 10


def test_a_tier_that_is_swallowed_whole_charges_nothing() -> None:
    table = priced(tier(0, "1", per=1, increment=60), tier(20, "9", per=1), tier(40, "2", per=1))

    charge = table.charge(61)

    assert [line.tier_from_seconds for line in charge.lines] == [0, 40]
    assert charge.cost == 62 * UNIT


def test_a_minimum_is_billed_however_short_the_talk() -> None:
    table = priced(tier(0, "1", per=1), minimum_seconds=30)

    assert [table.cost(1), table.cost(30), table.cost(31)] == [30 * UNIT, 30 * UNIT, 31 * UNIT]
    assert table.first_seconds == 30


def test_free_seconds_cost_nothing_but_the_setup_fee() -> None:
    table = priced(tier(0, "1", per=1), tier(90, "2", per=1), free_seconds=60, setup_fee=7)

    assert table.cost(60) == 7
    assert table.cost(61) == UNIT + 7
    assert table.cost(91) == 32 * UNIT + 7


def test_free_seconds_may_swallow_a_tier() -> None:
    table = priced(tier(0, "1", per=1), tier(30, "2", per=1), free_seconds=45)

    assert table.cost(46) == 2 * UNIT


def test_a_cost_stays_between_its_minimum_and_its_maximum() -> None:
    table = priced(tier(0, "1", per=1), minimum_cost=3 * UNIT, maximum_cost=5 * UNIT)

    assert [table.cost(second) for second in (0, 1, 4, 9)] == [0, 3 * UNIT, 4 * UNIT, 5 * UNIT]


@pytest.mark.parametrize(
    ("method", "cost"),
    [("up", "0.02"), ("down", "0.01"), ("half_up", "0.02"), ("half_even", "0.02")],
)
def test_a_cost_is_rounded_once_by_the_method(method: str, cost: str) -> None:
    rule = RoundingRule(method=Rounding(method), decimals=2)
    table = priced(tier(0, "0.015", per=1), rounding=rule)

    assert table.cost(1) == parse_amount(cost)


def test_half_even_rounds_a_tie_to_the_even_neighbour() -> None:
    rule = RoundingRule(method=Rounding.HALF_EVEN, decimals=2)
    table = priced(tier(0, "0.005", per=1), rounding=rule)

    assert [table.cost(second) for second in (1, 3, 5)] == [0, 20_000, 20_000]


@pytest.mark.parametrize(
    ("method", "costs"),
    [("half_up", [0, 0, 1, 1]), ("up", [1, 1, 1, 1]), ("down", [0, 0, 0, 0])],
)
def test_sevenths_of_a_micro_unit_are_rounded_exactly(method: str, costs: list[int]) -> None:
    table = priced(
        tier(0, "0.000001", per=7), rounding=RoundingRule(method=Rounding(method), decimals=6)
    )

    assert [table.cost(second) for second in (2, 3, 4, 6)] == costs


def test_thirds_of_many_tiers_are_added_before_they_are_rounded() -> None:
    table = priced(*(tier(second, "0.000001", per=3) for second in range(9)))

    assert table.cost(9) == 3


def test_a_charge_explains_its_cost_line_by_line() -> None:
    charge = STANDARD.charge(25 * MINUTE)

    assert [(line.seconds, line.amount) for line in charge.lines] == [
        (1200, 10 * UNIT),
        (300, UNIT * 5 // 4),
    ]
    assert charge.setup_fee == 5 * UNIT
    assert charge.adjustment == 0
    assert charge.cost == charge.setup_fee + sum(line.amount for line in charge.lines)


def test_a_charge_of_no_talk_has_no_lines_and_no_fee() -> None:
    charge = STANDARD.charge(0)

    assert (charge.cost, charge.setup_fee, charge.billed_seconds, charge.lines) == (0, 0, 0, ())


def test_what_a_cap_took_off_is_the_adjustment() -> None:
    charge = priced(tier(0, "1", per=1), maximum_cost=5 * UNIT).charge(8)

    assert (charge.cost, charge.adjustment) == (5 * UNIT, -3 * UNIT)


@pytest.mark.parametrize(
    ("amount", "seconds"), [("0", 0), ("5", 0), ("5.01", 1), ("15", 1200), ("17.50", 1800)]
)
def test_money_buys_as_many_seconds_as_it_pays_for(amount: str, seconds: int) -> None:
    assert STANDARD.affordable_seconds(parse_amount(amount), seconds_max=86_400) == seconds


def test_money_never_buys_more_than_was_asked() -> None:
    assert STANDARD.affordable_seconds(1000 * UNIT, seconds_max=7) == 7


def test_debt_buys_nothing() -> None:
    assert priced(tier(0, "0")).affordable_seconds(-1, seconds_max=60) == 0


@pytest.mark.parametrize(
    ("increment", "minimum", "first"), [(1, 0, 1), (60, 0, 60), (30, 45, 60), (1, 45, 45)]
)
def test_the_first_block_is_what_one_second_is_billed_as(
    increment: int, minimum: int, first: int
) -> None:
    table = priced(tier(0, "1", increment=increment), minimum_seconds=minimum)

    assert table.first_seconds == first


@pytest.mark.parametrize(
    ("talk_us", "seconds"), [(0, 0), (1, 1), (1_000_000, 1), (1_000_001, 2), (3_200_000, 4)]
)
def test_a_begun_second_counts(talk_us: int, seconds: int) -> None:
    assert seconds_of(talk_us) == seconds
