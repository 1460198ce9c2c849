"""Rows of the ledger in memory: as loaded, and as they will be written.

`book` changes them, `billing.storage.ledger` loads and writes them.
"""

from __future__ import annotations

from dataclasses import dataclass

from billing.domain.operations import AccountRef, Sold
from billing.money import Micros


@dataclass(slots=True, kw_only=True)
class AccountRow:
    """An account as loaded, and as it will be written."""

    id: int
    ref: AccountRef
    status: str
    posted: Micros
    held: Micros
    open_holds: int
    credit_limit: Micros | None
    version: int

    @property
    def spendable(self) -> Micros | None:
        """What may still be spent; None without a floor."""
        if self.credit_limit is None:
            return None
        return self.posted - self.held + self.credit_limit


@dataclass(slots=True, kw_only=True)
class HoldRow:
    """A hold as loaded, and as it will be written; `sold` is its session's, where it has one."""

    id: str
    account_id: int
    status: str
    step: int
    seconds: int
    amount: Micros
    proven_us: int
    opened_us: int
    expires_us: int
    resolved_us: int | None = None
    settled_amount: Micros | None = None
    # Of `seconds`, those that allowances cover.
    covered_seconds: int = 0
    balance_before: Micros | None = None
    balance_after: Micros | None = None
    sold: Sold | None = None


@dataclass(slots=True, kw_only=True)
class TransferRow:
    """A transfer: as loaded (then only id, key and hash count) or as it will be written."""

    id: str
    key: str
    input_hash: str
    kind: str = ""
    reference: str | None = None
    reverses: str | None = None
    memo: str | None = None
    actor: str | None = None
    at_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRow:
    """One line of a transfer on one account, the `seq`-th of that account."""

    account_id: int
    seq: int
    transfer_id: str
    amount: Micros
    balance_after: Micros
