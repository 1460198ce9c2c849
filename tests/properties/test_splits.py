"""Whatever is agreed, the parts add up; an oracle in fractions says who gets what."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from billing.domain.splits import Share, split
from billing.storage.ledger import shares_from_json, shares_json

AMOUNTS = st.one_of(st.integers(0, 200_000), st.integers(0, 10**15))


def largest_remainder(amount: int, weights: list[Fraction]) -> list[int]:
    """Divide by weights that sum to one: floors, then the largest fractions first."""
    exact = [amount * weight for weight in weights]
    parts = [int(value // 1) for value in exact]
    for _ in range(amount - sum(parts)):
        gaps = [value - part for value, part in zip(exact, parts, strict=True)]
        parts[gaps.index(max(gaps))] += 1
    return parts


@st.composite
def agreements(draw: st.DrawFn) -> tuple[Share, ...]:
    """Make a provider, up to four more parties, and up to three commissions."""
    cuts = sorted(draw(st.lists(st.integers(0, 10_000), max_size=4)))
    points = [high - low for low, high in zip([0, *cuts], [*cuts, 10_000], strict=True)]
    place = draw(st.integers(0, len(points) - 1))
    fee = draw(st.sampled_from([0, 0, 1, 50_000, 10**9]))
    whole = [
        Share(kind="provider", account="provider", basis_points=number, fixed_fee=fee)
        if index == place
        else Share(kind="client", account=f"c{index}", basis_points=number)
        for index, number in enumerate(points)
    ]
    left = 10_000
    commissions = []
    for index in range(draw(st.integers(0, 3))):
        taken = draw(st.integers(0, left))
        left -= taken
        commissions.append(
            Share(kind="referrer", account=f"r{index}", basis_points=taken, of="provider")
        )
    return (*whole, *commissions)


def oracle(amount: int, shares: tuple[Share, ...]) -> dict[tuple[str, str], int]:
    whole = [share for share in shares if share.of is None]
    taken = [share for share in shares if share.of]
    provider = next(index for index, share in enumerate(whole) if share.kind == "provider")
    fee = min(whole[provider].fixed_fee, amount)
    parts = largest_remainder(amount - fee, [Fraction(s.basis_points, 10_000) for s in whole])
    weights = [Fraction(share.basis_points, 10_000) for share in taken]
    kept, *commissions = largest_remainder(parts[provider], [1 - sum(weights), *weights])
    parts[provider] = kept + fee
    return {
        (share.kind, share.account): part
        for share, part in zip([*whole, *taken], [*parts, *commissions], strict=True)
    }


@given(AMOUNTS, agreements())
def test_every_mix_is_divided_as_the_oracle_says_and_adds_up(
    amount: int, shares: tuple[Share, ...]
) -> None:
    parts = split(amount, shares)

    assert sum(part.amount for part in parts) == amount
    assert all(part.amount >= 0 for part in parts)
    assert {(part.kind, part.account): part.amount for part in parts} == oracle(amount, shares)


@given(AMOUNTS, agreements())
def test_a_commission_changes_what_nobody_but_the_provider_gets(
    amount: int, shares: tuple[Share, ...]
) -> None:
    before = split(amount, [share for share in shares if share.of is None])
    after = {(part.kind, part.account): part.amount for part in split(amount, shares)}

    assert all(
        after[part.kind, part.account] == part.amount for part in before if part.kind != "provider"
    )


@given(agreements())
def test_what_is_written_of_shares_reads_back_the_same(shares: tuple[Share, ...]) -> None:
    assert shares_from_json(shares_json(shares)) == shares
