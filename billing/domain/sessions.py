"""A metered session as values: what it was authorised with, how it stands, what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from billing.domain.operations import AccountRef
from billing.domain.rating import Charge, RateTable
from billing.domain.splits import Part, Share, split
from billing.money import Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTerms:
    """What a session was authorised with; nothing of it changes while it runs."""

    session_id: str
    account: str
    client: str
    service: str
    detail: str | None
    tariff_version_id: int
    table: RateTable
    timezone: str
    shares: tuple[Share, ...]
    currency: str
    # The moment of the price: periods of the day are counted from here on.
    priced_us: int
    # Allowances of a plan that pay before money does, in burning order; at most ten.
    cover: tuple[AccountRef, ...] = ()

    @property
    def payer(self) -> AccountRef:
        """The account that pays."""
        return AccountRef(kind="caller", code=self.account, currency=self.currency)


def parts_of(charge: Charge, shares: Sequence[Share]) -> tuple[Part, ...]:
    """Say who gets what of a cost: the parties share it without its tax."""
    parts = split(charge.net, shares)
    if charge.tax:
        parts = (*parts, Part(kind="tax", account="tax", amount=charge.tax))
    return parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """A caller's account as it stands: posted money, held money, and what may be spent."""

    posted: Micros
    held: Micros
    spendable: Micros
    mode: str
    currency: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What a session cost. Balances are None while it waits in the journal.

    `charge` prices the talk that no allowance covered.
    """

    talk_us: int
    billed_seconds: int
    cost: Micros
    currency: str
    parts: tuple[Part, ...]
    charge: Charge
    covered_seconds: int
    balance_before: Micros | None
    balance_after: Micros | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    """A session whose hold is open, rebuilt from the database."""

    terms: SessionTerms
    step: int
    granted_seconds: int
    granted_amount: Micros
    covered_seconds: int
    proven_us: int
    opened_us: int
