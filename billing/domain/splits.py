"""Who gets what of an amount: basis points, and the largest remainder for what is left over.

    floor each share, then give one micro-unit each to the largest remainders, in the given order

so that the parts add up to the amount, to the micro-unit, always.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from billing.errors import InvalidShares
from billing.money import Micros

BASIS_POINTS: Final = 10_000
SHARES_MAX: Final = 20


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


def split(amount: Micros, shares: Sequence[Share]) -> tuple[Part, ...]:
    """Divide an amount that is not negative; the parts add up to it exactly.

    Raises:
        InvalidShares: the shares are not a whole.

    """
    check_shares(shares)
    floors = [divmod(amount * share.basis_points, BASIS_POINTS) for share in shares]
    left = amount - sum(floor for floor, _ in floors)
    order = sorted(range(len(shares)), key=lambda index: -floors[index][1])
    extra = set(order[:left])
    return tuple(
        Part(kind=share.kind, account=share.account, amount=floor + (index in extra))
        for index, (share, (floor, _)) in enumerate(zip(shares, floors, strict=True))
    )
