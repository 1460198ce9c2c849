"""Who gets what of an amount: basis points, and the largest remainder for what is left over.

    floor each share, then give one micro-unit each to the largest remainders, in the given order

so that the parts add up to the amount, to the micro-unit, always. Where more is agreed:

    the fixed fee first, at most the amount    -> provider
    the rest by basis points                   -> all parties
    commissions, of the provider's percentage  -> referrers

so that neither a commission nor its end ever changes what the other parties get.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from billing.errors import InvalidShares
from billing.money import Micros

BASIS_POINTS: Final = 10_000
SHARES_MAX: Final = 20
PROVIDER: Final = "provider"
# A table that has seen every remainder keeps some three megabytes.
TABLES_MAX: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A party's part of every amount; `account` is the code of its account.

    `fixed_fee` comes before all percentages. `of` names the kind of party whose percentage the
    share is taken from; None where it is taken from the amount.
    """

    kind: str
    account: str
    basis_points: int
    # Not hashed: nearly all shares have neither, and shares are looked up for every call.
    fixed_fee: Micros = field(default=0, hash=False)
    of: str | None = field(default=None, hash=False)

    @property
    def plain(self) -> bool:
        """Whether it is a percentage of the amount and nothing else."""
        return self.of is None and not self.fixed_fee


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a party gets of one amount."""

    kind: str
    account: str
    amount: Micros


def check_shares(shares: Sequence[Share]) -> None:
    """Refuse shares that do not add up to the whole.

    Raises:
        InvalidShares: none, too many, negative, twice the same party, not 10,000 in all, or a
            fixed fee or commission that nobody can have.

    """
    if not 1 <= len(shares) <= SHARES_MAX:
        raise InvalidShares(reason=f"1 to {SHARES_MAX} parties are needed")
    if any(share.basis_points < 0 for share in shares):
        raise InvalidShares(reason="a share is negative")
    if len({(share.kind, share.account) for share in shares}) != len(shares):
        raise InvalidShares(reason="a party stands there twice")
    total = sum(share.basis_points for share in shares if share.of is None)
    if total != BASIS_POINTS:
        raise InvalidShares(reason=f"the shares add up to {total / 100:g} % instead of 100 %")
    if not all(share.plain for share in shares):
        _check_more(shares)


def _check_more(shares: Sequence[Share]) -> None:
    """Refuse fixed fees and commissions that cannot be divided."""
    fees = [share for share in shares if share.fixed_fee]
    if any(share.fixed_fee < 0 for share in fees):
        raise InvalidShares(reason="a fixed fee is negative")
    if len(fees) > 1 or any(share.kind != PROVIDER or share.of for share in fees):
        raise InvalidShares(reason="a fixed fee goes to the provider alone")
    commissions = [share for share in shares if share.of is not None]
    if any(share.of != PROVIDER for share in commissions):
        raise InvalidShares(reason="a commission is a part of what the provider gets")
    if commissions and sum(share.kind == PROVIDER for share in shares if share.of is None) != 1:
        raise InvalidShares(reason="a commission needs one provider's share to be a part of")
    if sum(share.basis_points for share in commissions) > BASIS_POINTS:
        raise InvalidShares(reason="the commissions are more than 100 % of the provider's share")


class SplitTable:
    """Plain shares, checked and made ready to divide many amounts.

    An amount is `q * 10,000 + r`: everybody gets `q` times the basis points, and only `r` leaves
    remainders, so each of its 10,000 values is divided once and remembered.

    Raises:
        InvalidShares: the shares are not a whole, or not plain.

    """

    __slots__ = ("_basis_points", "_small", "shares")

    def __init__(self, shares: Sequence[Share]) -> None:
        check_shares(shares)
        if not all(share.plain for share in shares):
            raise InvalidShares(reason="only plain shares are divided by a table")
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
        return _parts(self, amount)

    def _divide(self, rest: int) -> tuple[tuple[int, Micros], ...]:
        """Pair each party's basis points with its part of a small amount."""
        floors = [divmod(rest * points, BASIS_POINTS) for points in self._basis_points]
        left = rest - sum(floor for floor, _ in floors)
        # The sort is stable: of equal remainders the first party is served first.
        order = sorted(range(len(floors)), key=lambda index: -floors[index][1])
        extra = frozenset(order[:left])
        parts = [floor + (index in extra) for index, (floor, _) in enumerate(floors)]
        return tuple(zip(self._basis_points, parts, strict=True))


class AgreementTable:
    """Shares with a fixed fee or commissions, checked and made ready to divide many amounts.

    Raises:
        InvalidShares: the shares are not a whole.

    """

    __slots__ = ("_commissions", "_fixed_fee", "_percentages", "_provider", "shares")

    def __init__(self, shares: Sequence[Share]) -> None:
        check_shares(shares)
        whole = [share for share in shares if share.of is None]
        taken = [share for share in shares if share.of is not None]
        self.shares = (*whole, *taken)
        self._fixed_fee = sum(share.fixed_fee for share in whole)
        self._provider = next(
            (index for index, share in enumerate(whole) if share.kind == PROVIDER), 0
        )
        self._percentages = SplitTable([replace(share, fixed_fee=0) for share in whole])
        self._commissions: SplitTable | None = None
        if taken:
            kept = BASIS_POINTS - sum(share.basis_points for share in taken)
            # The provider stands first: of equal remainders it is served first.
            own = replace(whole[self._provider], basis_points=kept, fixed_fee=0)
            self._commissions = SplitTable([own, *(replace(share, of=None) for share in taken)])

    def amounts(self, amount: Micros) -> list[Micros]:
        """Divide an amount that is not negative, in the order of `self.shares`."""
        fee = min(self._fixed_fee, amount)
        parts = self._percentages.amounts(amount - fee)
        if self._commissions is not None:
            kept, *taken = self._commissions.amounts(parts[self._provider])
            parts[self._provider] = kept
            parts += taken
        parts[self._provider] += fee
        return parts

    def parts(self, amount: Micros) -> tuple[Part, ...]:
        """Divide an amount that is not negative, and say who gets what."""
        return _parts(self, amount)


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


def _parts(table: SplitTable | AgreementTable, amount: Micros) -> tuple[Part, ...]:
    if amount < 0:
        raise InvalidShares(reason="a negative amount cannot be split")
    return tuple(
        Part(kind=share.kind, account=share.account, amount=part)
        for share, part in zip(table.shares, table.amounts(amount), strict=True)
    )


@lru_cache(maxsize=TABLES_MAX)
def _table(shares: tuple[Share, ...]) -> SplitTable | AgreementTable:
    if all(share.plain for share in shares):
        return SplitTable(shares)
    return AgreementTable(shares)
