"""Tax: whatever the rate, prices and talk, parties and tax together are exactly the debit."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from billing.domain.rating import RateTable
from billing.domain.sessions import parts_of
from billing.domain.splits import Share
from billing.domain.tariffs import RoundingRule, Tariff, Tax, Tier
from billing.money import Rounding

tariffs = st.builds(
    Tariff,
    name=st.just("t"),
    currency=st.just("EUR"),
    setup_fee=st.integers(0, 5_000_000),
    minimum_cost=st.integers(0, 1_000_000),
    rounding=st.builds(RoundingRule, method=st.sampled_from(Rounding), decimals=st.integers(0, 6)),
    tiers=st.builds(
        Tier,
        from_seconds=st.just(0),
        price=st.integers(0, 3_000_000),
        increment_seconds=st.integers(1, 90),
    ).map(lambda tier: (tier,)),
)
taxes = st.builds(
    Tax, name=st.just("VAT"), basis_points=st.integers(1, 10_000), included=st.booleans()
)
points = st.integers(0, 10_000)


@given(tariffs, taxes, st.integers(0, 10_000), points)
def test_parties_and_tax_are_the_debit(tariff: Tariff, tax: Tax, seconds: int, share: int) -> None:
    table = RateTable.compile(replace(tariff, tax=tax))
    shares = (
        Share(kind="provider", account="provider", basis_points=share),
        Share(kind="client", account="acme", basis_points=10_000 - share),
    )

    charge = table.charge(seconds)
    parts = parts_of(charge, shares)

    assert charge.cost == table.cost(seconds)
    assert sum(part.amount for part in parts) == charge.cost
    assert all(part.amount >= 0 for part in parts)
    lines = charge.setup_fee + sum(line.amount for line in charge.lines) + charge.adjustment
    assert lines + (0 if tax.included else charge.tax) == charge.cost


@given(tariffs, taxes, st.integers(1, 10_000))
def test_the_tax_is_the_rate_of_what_it_is_on(tariff: Tariff, tax: Tax, seconds: int) -> None:
    plain = RateTable.compile(tariff).cost(seconds)
    charge = RateTable.compile(replace(tariff, tax=tax)).charge(seconds)

    rate = Fraction(tax.basis_points, 10_000)
    exact = plain * rate / (1 + rate) if tax.included else plain * rate
    assert charge.cost == plain + (0 if tax.included else charge.tax)
    assert abs(charge.tax - exact) < 1


@given(tariffs, taxes, st.integers(0, 20_000_000))
def test_what_is_held_covers_the_tax(tariff: Tariff, tax: Tax, amount: int) -> None:
    table = RateTable.compile(replace(tariff, tax=tax))

    seconds = table.affordable_seconds(amount, seconds_max=5_000)

    assert table.cost(seconds) <= amount
    assert seconds == 5_000 or table.cost(seconds + 1) > amount


def test_a_tariff_without_tax_is_written_as_it_always_was() -> None:
    tariff = Tariff(name="t", currency="USD", tiers=(Tier(from_seconds=0, price=1),))
    taxed = replace(tariff, tax=Tax(name="VAT", basis_points=2_100, included=True))

    assert '"tax"' not in tariff.to_json()
    assert Tariff.from_json(tariff.to_json()) == tariff
    assert Tariff.from_json(taxed.to_json()) == taxed
