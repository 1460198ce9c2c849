r"""What a party can be paid now, and where the money goes: decisions without I/O.

    posted     what the ledger owes the party; a requested payout has left it already
    pending    its shares of the last days, and what refunds took back of just those
    payable    posted - pending, in whole cents, never below zero

A payout moves on by this table only:

    requested -> approved -> paid
        \\____________\\____-> rejected
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from billing.errors import InvalidInput
from billing.money import Micros

PARTIES: Final = ("client", "reseller", "referrer")
MICROS_PER_CENT: Final[Micros] = 10_000
HOLD_BACK_DAYS: Final = 30
HOLD_BACK_DAYS_MAX: Final = 366
NAME_MAX: Final = 70
_IBAN: Final = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", re.ASCII)
_BIC: Final = re.compile(r"[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?", re.ASCII)
_IBAN_MODULUS: Final = 97


class PayoutStatus(StrEnum):
    """Where a payout stands."""

    REQUESTED = "requested"
    APPROVED = "approved"
    PAID = "paid"
    REJECTED = "rejected"


MOVES: Final = frozenset(
    {
        (PayoutStatus.REQUESTED, PayoutStatus.APPROVED),
        (PayoutStatus.REQUESTED, PayoutStatus.REJECTED),
        (PayoutStatus.APPROVED, PayoutStatus.REJECTED),
        (PayoutStatus.APPROVED, PayoutStatus.PAID),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BankAccount:
    """Where a party's money goes. Empty until somebody enters it.

    Raises:
        InvalidInput: a name, IBAN or BIC that a bank would refuse.

    """

    name: str = ""
    iban: str = ""
    bic: str = ""

    def __post_init__(self) -> None:
        """Check what is given; a check digit that is wrong is a wrong account."""
        if len(self.name) > NAME_MAX or (self.name and not self.name.isprintable()):
            raise InvalidInput(reason=f"a name for a bank has at most {NAME_MAX} characters")
        if self.iban and not is_iban(self.iban):
            raise InvalidInput(reason=f"{self.iban!r} is no IBAN: its check digits do not fit")
        if self.bic and not _BIC.fullmatch(self.bic):
            raise InvalidInput(reason=f"{self.bic!r} is no BIC")

    @property
    def complete(self) -> bool:
        """Whether a bank can pay to it; a BIC is optional (ISO 20022 finds it by the IBAN)."""
        return bool(self.name and self.iban)


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutTerms:
    """How long shares stay pending, the least that is paid out, and where to."""

    hold_back_days: int = HOLD_BACK_DAYS
    minimum: Micros = 0
    bank: BankAccount = BankAccount()

    def __post_init__(self) -> None:
        """Refuse terms that no party can have."""
        if not 0 <= self.hold_back_days <= HOLD_BACK_DAYS_MAX:
            raise InvalidInput(reason=f"a hold-back is 0 to {HOLD_BACK_DAYS_MAX} days")
        if self.minimum < 0:
            raise InvalidInput(reason="the least payout cannot be negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Payable:
    """What a party has in one currency."""

    posted: Micros
    pending: Micros
    requested: Micros

    @property
    def payable(self) -> Micros:
        """What may be requested now, in whole cents."""
        free = max(self.posted - max(self.pending, 0), 0)
        return free // MICROS_PER_CENT * MICROS_PER_CENT


def is_iban(text: str) -> bool:
    """Check an IBAN without spaces by its two check digits (ISO 13616, modulo 97)."""
    if not _IBAN.fullmatch(text):
        return False
    moved = text[4:] + text[:4]
    return int("".join(str(int(character, 36)) for character in moved)) % _IBAN_MODULUS == 1
