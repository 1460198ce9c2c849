"""Who gets what of an amount: basis points, and the largest remainder for what is left over.

    floor each share, then give one micro-unit each to the largest remainders, in the given order

so that the parts add up to the amount, to the micro-unit, always.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from billing.errors import InvalidShares
from billing.money import Micros

BASIS_POINTS: Final = 10_000
SHARES_MAX: Final = 20
# A table that has seen every remainder keeps some three megabytes.
TABLES_MAX: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A party's part of every amount; `account` is the code of its account."""

    kind: str
    account: str
    basis_points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a party gets of one amount."""

    kind: str
    account: str
    amount: Micros


def check_shares(shares: Sequence[Share]) -> None:
    """Refuse shares that do not add up to the whole.

    Raises:
        InvalidShares: none, too many, negative, twice the same party, or not 10,000 in all.

    """
    if not 1 <= len(shares) <= SHARES_MAX:
        raise InvalidShares(reason=f"1 to {SHARES_MAX} parties are needed")
    if any(share.basis_points < 0 for share in shares):
        raise InvalidShares(reason="a share is negative")
    if len({(share.kind, share.account) for share in shares}) != len(shares):
        raise InvalidShares(reason="a party stands there twice")
    total = sum(share.basis_points for share in shares)
    if total != BASIS_POINTS:
        raise InvalidShares(reason=f"the shares add up to {total / 100:g} % instead of 100 %")


class SplitTable:
    """Shares, checked and made ready to divide many amounts.

    An amount is `q * 10,000 + r`: everybody gets `q` times the basis points, and only `r` leaves
    remainders, so each of its 10,000 values is divided once and remembered.

    Raises:
        InvalidShares: the shares are not a whole.

    """

    __slots__ = ("_basis_points", "_small", "shares")

    def __init__(self, shares: Sequence[Share]) -> None:
        check_shares(shares)
        self.shares = tuple(shares)
        self._basis_points = tuple(share.basis_points for share in self.shares)
        self._small: dict[int, tuple[tuple[int, Micros], ...]] = {}

    def amounts(self, amount: Micros) -> list[Micros]:
        """Divide an amount that is not negative, in the order of the shares."""
        whole, rest = divmod(amount, BASIS_POINTS)
        pairs = self._small.get(rest)
        if pairs is None:
            pairs = self._small[rest] = self._divide(rest)
        return [whole * points + part for points, part in pairs]

    def parts(self, amount: Micros) -> tuple[Part, ...]:
        """Divide an amount that is not negative, and say who gets what."""
        if amount < 0:
            raise InvalidShares(reason="a negative amount cannot be split")
        return tuple(
            Part(kind=share.kind, account=share.account, amount=part)
            for share, part in zip(self.shares, self.amounts(amount), strict=True)
        )

    def _divide(self, rest: int) -> tuple[tuple[int, Micros], ...]:
        """Pair each party's basis points with its part of a small amount."""
        floors = [divmod(rest * points, BASIS_POINTS) for points in self._basis_points]
        left = rest - sum(floor for floor, _ in floors)
        # The sort is stable: of equal remainders the first party is served first.
        order = sorted(range(len(floors)), key=lambda index: -floors[index][1])
        extra = frozenset(order[:left])
        parts = [floor + (index in extra) for index, (floor, _) in enumerate(floors)]
        return tuple(zip(self._basis_points, parts, strict=True))


def split(amount: Micros, shares: Sequence[Share]) -> tuple[Part, ...]:
    """Divide an amount that is not negative; the parts add up to it exactly.

    Raises:
        InvalidShares: the shares are not a whole.

    """
    return _table(tuple(shares)).parts(amount)


def apportion(amount: Micros, weights: Sequence[int]) -> list[Micros]:
    """Divide an amount in proportion to weights by the largest remainder.

    No part exceeds its weight where the amount does not exceed their sum; all of it takes all.

    Raises:
        InvalidShares: a weight is negative, or all are zero.

    """
    total = sum(weights)
    if total <= 0 or any(weight < 0 for weight in weights):
        raise InvalidShares(reason="nothing to divide by")
    floors = [divmod(amount * weight, total) for weight in weights]
    left = amount - sum(floor for floor, _ in floors)
    order = sorted(range(len(floors)), key=lambda index: -floors[index][1])
    extra = frozenset(order[:left])
    return [floor + (index in extra) for index, (floor, _) in enumerate(floors)]


@lru_cache(maxsize=TABLES_MAX)
def _table(shares: tuple[Share, ...]) -> SplitTable:
    return SplitTable(shares)
