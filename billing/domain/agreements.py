"""What was agreed with a client: shares, and referrers whose commission ends some day.

A commission is decided by the moment of a price: whoever was authorised before `until` is settled
with it, however long the talk goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from billing.clock import microseconds_of, moment_of
from billing.domain.splits import PROVIDER, Share
from billing.errors import InvalidShares
from billing.money import Micros

REFERRER: Final = "referrer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Referrer:
    """A partner who brought a client: a part of the provider's share from then until then.

    `from_us` is None until the client's start is known, `until_us` until the former is.
    """

    account: str
    basis_points: int
    of: str = PROVIDER
    from_us: int | None = None
    until_us: int | None = None
    bonus: Micros = 0

    def starting(self, client_us: int) -> Referrer:
        """Put the moments in place that nobody gave: the client's start, and 12 months more.

        Raises:
            InvalidShares: it would end before it begins.

        """
        from_us = client_us if self.from_us is None else self.from_us
        until_us = year_after(from_us) if self.until_us is None else self.until_us
        if until_us <= from_us:
            raise InvalidShares(reason=f"the commission of {self.account} ends before it begins")
        return replace(self, from_us=from_us, until_us=until_us)

    def commissioned(self, at_us: int) -> bool:
        """Whether a price of this moment leaves a commission."""
        if self.from_us is None or self.until_us is None:
            return False
        return self.from_us <= at_us < self.until_us

    @property
    def share(self) -> Share:
        """The commission as a share."""
        return Share(
            kind=REFERRER, account=self.account, basis_points=self.basis_points, of=self.of
        )


def shares_at(
    shares: tuple[Share, ...], referrers: Sequence[Referrer], at_us: int
) -> tuple[Share, ...]:
    """Return the shares of a price of this moment, with the commissions that run then."""
    running = [each.share for each in referrers if each.commissioned(at_us)]
    return (*shares, *running) if running else shares


def year_after(at_us: int) -> int:
    """Add 12 months, in UTC; a year after the 29th of February is the 28th."""
    moment = moment_of(at_us)
    try:
        later = moment.replace(year=moment.year + 1)
    except ValueError:
        later = moment.replace(year=moment.year + 1, day=28)
    return microseconds_of(later)
