"""The rows that a batch of operations touches, and how rows change together.

`book` decides what may happen; what is noted here is what `billing.storage.ledger` writes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from billing.domain.operations import AccountRef, Expire, OpenHold, Settle, Settled, Void
from billing.domain.payouts import PARTIES
from billing.domain.rows import AccountRow, EntryRow, HoldRow, TransferRow
from billing.domain.sums import Sums
from billing.errors import UnknownAccount
from billing.money import Micros

PENDING: Final = "pending"
SETTLED: Final = "settled"
VOIDED: Final = "voided"
EXPIRED: Final = "expired"


@dataclass(slots=True, kw_only=True)
class Draft:
    """Rows as loaded, and as they will be written."""

    accounts: dict[AccountRef, AccountRow]
    holds: dict[str, HoldRow]
    transfers: dict[str, TransferRow]  # by key
    changed_accounts: dict[int, AccountRow] = field(default_factory=dict)
    new_holds: list[HoldRow] = field(default_factory=list)
    changed_holds: dict[str, HoldRow] = field(default_factory=dict)
    new_transfers: list[TransferRow] = field(default_factory=list)
    new_entries: list[EntryRow] = field(default_factory=list)
    opened: list[OpenHold] = field(default_factory=list)
    closed: list[tuple[Settle | Void | Expire, Settled | None]] = field(default_factory=list)
    sums: Sums = field(default_factory=Sums)

    def account(self, ref: AccountRef) -> AccountRow:
        """Find an account.

        Raises:
            UnknownAccount: there is none, and none comes to be when first named.

        """
        row = self.accounts.get(ref)
        if row is None:
            raise UnknownAccount(account=ref.code)
        return row

    def write(self, transfer: TransferRow, lines: list[tuple[AccountRow, Micros]]) -> None:
        """Write a transfer, with an entry for each line that is not zero."""
        self.transfers[transfer.key] = transfer
        self.new_transfers.append(transfer)
        for account, amount in lines:
            if not amount:
                continue
            account.posted += amount
            account.version += 1
            self.changed_accounts[account.id] = account
            self.new_entries.append(
                EntryRow(
                    account_id=account.id,
                    seq=account.version,
                    transfer_id=transfer.id,
                    amount=amount,
                    balance_after=account.posted,
                )
            )
            if account.ref.kind in PARTIES:
                self.sums.add_entry(account.id, transfer, amount)

    def release(self, account: AccountRow, hold: HoldRow, status: str, at_us: int) -> None:
        """End a hold: its money may be spent again."""
        account.held -= hold.amount
        account.open_holds -= 1
        hold.status = status
        hold.resolved_us = at_us
        self.change(account, hold)

    def change(self, account: AccountRow, hold: HoldRow) -> None:
        """Note that both are to be written."""
        self.changed_accounts[account.id] = account
        self.changed_holds[hold.id] = hold
