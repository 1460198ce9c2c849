"""Card payments as values: one attempt to bring money in, and what the processor says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from billing.money import Micros

# Money that comes in late is still money.
CREDITABLE: Final = frozenset({"open", "failed", "expired"})
FAILURES_MAX: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class CardPayment:
    """One attempt to bring money in; `taken` is what went back from the account since."""

    id: str
    account: str
    currency: str
    amount: Micros
    kind: str
    state: str
    saves_card: bool
    checkout: str | None
    url: str | None
    intent: str | None
    transfer_id: str | None
    taken: Micros
    reason: str | None
    next_us: int
    created_us: int
    ended_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """The processor says that a payment of ours came in: so much, in this currency."""

    payment: str
    intent: str
    amount: Micros
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The processor says that so much of a payment went back, in all; `won` undoes it."""

    id: str
    intent: str
    kind: str
    amount: Micros
    currency: str
    won: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedCard:
    """A card that may be charged without its owner, within the limits that the owner set."""

    account: str
    customer: str
    method: str
    label: str
    enabled: bool = False
    threshold: Micros = 0
    amount: Micros = 0
    month_max: Micros = 0
    failures: int = 0
    notice: str | None = None


def correction(payment: CardPayment, *, claimed: Micros, spendable: Micros) -> tuple[Micros, bool]:
    """Decide what moves on the account for all claims together, and whether something stays owed.

    Below zero it is taken, as far as it is there; above zero it is given back.
    """
    wanted = min(payment.amount, claimed)
    missing = wanted - payment.taken
    if missing <= 0:
        return -missing, False
    there = max(0, spendable)
    return -min(missing, there), missing > there
