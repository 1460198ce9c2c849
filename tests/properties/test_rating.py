"""Rating against an oracle that walks increment by increment in exact fractions.

The oracle shares no code with the product: it reads a tariff's fields and adds one increment
after the other, then rounds with `decimal`.
"""

from __future__ import annotations

import decimal
from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from billing.domain.rating import RateTable
from billing.domain.splits import Share, split
from billing.domain.tariffs import RoundingRule, Tariff, Tier
from billing.money import Rounding

TALK_MAX = 400
DECIMAL = {
    Rounding.UP: decimal.ROUND_UP,
    Rounding.DOWN: decimal.ROUND_DOWN,
    Rounding.HALF_UP: decimal.ROUND_HALF_UP,
    Rounding.HALF_EVEN: decimal.ROUND_HALF_EVEN,
}

amounts = st.integers(0, 3_000_000)
talks = st.integers(0, TALK_MAX)


@st.composite
def tariffs(draw: st.DrawFn) -> Tariff:
    starts = [0, *sorted(draw(st.sets(st.integers(1, 200), max_size=4)))]
    minimum_cost = draw(st.just(0) | amounts)
    return Tariff(
        name="any",
        currency="USD",
        tiers=tuple(
            Tier(
                from_seconds=start,
                price=draw(amounts),
                per_seconds=draw(st.sampled_from([1, 6, 7, 60, 3600])),
                increment_seconds=draw(st.sampled_from([1, 2, 6, 30, 60])),
            )
            for start in starts
        ),
        setup_fee=draw(amounts),
        minimum_seconds=draw(st.sampled_from([0, 1, 10, 45])),
        free_seconds=draw(st.sampled_from([0, 1, 20, 75])),
        minimum_cost=minimum_cost,
        maximum_cost=draw(st.none() | st.integers(minimum_cost, 9_000_000_000)),
        rounding=RoundingRule(
            method=draw(st.sampled_from(list(Rounding))), decimals=draw(st.integers(0, 6))
        ),
    )


def oracle(tariff: Tariff, seconds: int) -> int:
    if seconds == 0:
        return 0
    wanted = max(seconds, tariff.minimum_seconds)
    edges = sorted({tariff.free_seconds, *(tier.from_seconds for tier in tariff.tiers)})
    total, position = Fraction(tariff.setup_fee), 0
    while position < wanted:
        tier = [tier for tier in tariff.tiers if tier.from_seconds <= position][-1]
        free = position < tariff.free_seconds
        later = [
            edge for edge in edges if edge > position and (not free or edge >= tariff.free_seconds)
        ]
        stop = min([wanted, *later])
        step = 1 if free else tier.increment_seconds
        while position < stop:
            position += step
            total += 0 if free else Fraction(step * tier.price, tier.per_seconds)
    cost = rounded(total / 1_000_000, tariff.rounding)
    cost = max(cost, tariff.minimum_cost)
    return cost if tariff.maximum_cost is None else min(cost, tariff.maximum_cost)


def rounded(units: Fraction, rule: RoundingRule) -> int:
    with decimal.localcontext(prec=80):
        exact = decimal.Decimal(units.numerator) / decimal.Decimal(units.denominator)
        step = decimal.Decimal(1).scaleb(-rule.decimals)
        return int(exact.quantize(step, rounding=DECIMAL[rule.method]).scaleb(6))


@given(tariffs(), talks)
def test_a_cost_is_what_the_oracle_adds_up(tariff: Tariff, seconds: int) -> None:
    assert RateTable.compile(tariff).cost(seconds) == oracle(tariff, seconds)


@given(tariffs())
def test_longer_talk_never_costs_less_and_none_costs_nothing(tariff: Tariff) -> None:
    table = RateTable.compile(tariff)

    costs = [table.cost(seconds) for seconds in range(TALK_MAX)]

    assert costs[0] == 0
    assert all(shorter <= longer for shorter, longer in pairwise(costs))


@given(tariffs(), st.integers(0, 50_000_000), talks)
def test_affordable_seconds_are_the_exact_inverse_of_the_cost(
    tariff: Tariff, amount: int, seconds_max: int
) -> None:
    table = RateTable.compile(tariff)

    seconds = table.affordable_seconds(amount, seconds_max=seconds_max)

    assert oracle(tariff, seconds) <= amount
    assert seconds == seconds_max or oracle(tariff, seconds + 1) > amount


@given(tariffs(), talks)
def test_what_a_talk_costs_buys_at_least_that_talk(tariff: Tariff, seconds: int) -> None:
    table = RateTable.compile(tariff)

    assert table.affordable_seconds(table.cost(seconds), seconds_max=TALK_MAX) >= seconds


@given(tariffs(), talks)
def test_the_lines_of_a_charge_explain_all_of_its_cost(tariff: Tariff, seconds: int) -> None:
    charge = RateTable.compile(tariff).charge(seconds)

    lines = sum(line.amount for line in charge.lines)
    assert charge.cost == oracle(tariff, seconds)
    assert charge.cost == charge.setup_fee + lines + charge.adjustment
    assert charge.billed_seconds == sum(line.seconds for line in charge.lines)
    assert charge.billed_seconds >= seconds


@given(tariffs())
def test_a_tariff_that_was_stored_rates_the_same(tariff: Tariff) -> None:
    assert Tariff.from_json(tariff.to_json()) == tariff


@st.composite
def wholes(draw: st.DrawFn) -> tuple[Share, ...]:
    cuts = sorted(draw(st.lists(st.integers(0, 10_000), max_size=5)))
    edges = [0, *cuts, 10_000]
    return tuple(
        Share(kind="client", account=str(index), basis_points=end - start)
        for index, (start, end) in enumerate(pairwise(edges))
    )


@given(st.integers(0, 10**15), wholes())
def test_parts_add_up_and_none_is_a_micro_unit_from_its_share(
    amount: int, shares: tuple[Share, ...]
) -> None:
    parts = split(amount, shares)

    assert sum(part.amount for part in parts) == amount
    for part, share in zip(parts, shares, strict=True):
        assert abs(part.amount - Fraction(amount * share.basis_points, 10_000)) < 1


@given(st.integers(0, 10**9), wholes())
def test_a_micro_unit_too_many_went_to_a_remainder_no_smaller_than_any_other(
    amount: int, shares: tuple[Share, ...]
) -> None:
    rests = [Fraction(amount * share.basis_points, 10_000) % 1 for share in shares]
    extra = [
        part.amount > Fraction(amount * share.basis_points, 10_000)
        for part, share in zip(split(amount, shares), shares, strict=True)
    ]

    served = [rest for rest, more in zip(rests, extra, strict=True) if more]
    passed = [rest for rest, more in zip(rests, extra, strict=True) if not more]
    assert not served or min(served) >= max([*passed, Fraction(0)])
