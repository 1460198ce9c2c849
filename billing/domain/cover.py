"""Talk that a plan has paid for already: seconds held in allowances beside the money of a session.

    session   |-- covered by allowances, in burning order --|-- paid for with money, from tier 0 --|
    holds     <session>#0  <session>#1 …                     <session>

An allowance is an account of the ledger that is kept in seconds: it has a floor, holds and entries
like money, so no two sessions can use the same second.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from billing.domain.draft import PENDING, SETTLED, Draft
from billing.domain.operations import (
    AccountRef,
    Expire,
    ExtendHold,
    OpenHold,
    Operation,
    Post,
    Settle,
    Void,
)
from billing.domain.rows import AccountRow, HoldRow, TransferRow
from billing.ids import input_hash
from billing.money import MICROS_PER_UNIT, Micros

ISSUER: Final = "issuer"
# Their holds are told apart by one digit.
ALLOWANCES_MAX: Final = 10

SECONDS_MAX: Final = 2**40


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What a plan still has for talk: an account of the ledger and its free seconds."""

    account: AccountRef
    seconds: int


def hold_ids(operation: Operation) -> list[str]:
    """Name the holds of a session on its allowances."""
    if isinstance(operation, Post) or not operation.cover:
        return []
    return [f"{operation.hold_id}#{number}" for number in range(len(operation.cover))]


def issuer_of(allowance: AccountRef) -> AccountRef:
    """Name the account that gives out a unit and takes it back when it is used."""
    return AccountRef(kind=ISSUER, code=ISSUER, currency=allowance.currency)


def reach(
    draft: Draft, operation: OpenHold | ExtendHold, seconds: int
) -> list[tuple[str, AccountRow, int]]:
    """Find so many seconds in the allowances, in order: hold id, account, whole seconds of each."""
    found: list[tuple[str, AccountRow, int]] = []
    if not operation.cover:
        return found
    for name, ref in zip(hold_ids(operation), operation.cover, strict=True):
        row = draft.accounts.get(ref)
        if seconds <= 0 or row is None or row.status != "active" or row.spendable is None:
            continue
        taken = min(seconds, row.spendable // MICROS_PER_UNIT)
        if taken > 0:
            found.append((name, row, taken))
            seconds -= taken
    return found


def coverable(draft: Draft, operation: OpenHold | ExtendHold) -> int:
    """Count the seconds that are left in the allowances."""
    if not operation.cover:
        return 0
    return sum(seconds for _, _, seconds in reach(draft, operation, SECONDS_MAX))


def hold(draft: Draft, session: HoldRow, taken: Sequence[tuple[str, AccountRow, int]]) -> None:
    """Hold seconds in allowances; a second slice enlarges the hold of the first."""
    for hold_id, account, seconds in taken:
        row = draft.holds.get(hold_id)
        if row is None:
            row = HoldRow(
                id=hold_id,
                account_id=account.id,
                status=PENDING,
                step=0,
                seconds=0,
                amount=0,
                proven_us=0,
                opened_us=session.opened_us,
                expires_us=session.expires_us,
            )
            draft.holds[hold_id] = row
            draft.new_holds.append(row)
            account.open_holds += 1
        row.step += 1
        row.seconds += seconds
        row.amount += seconds * MICROS_PER_UNIT
        row.expires_us = session.expires_us
        account.held += seconds * MICROS_PER_UNIT
        draft.change(account, row)


def draw(draft: Draft, operation: Settle) -> None:
    """Take the seconds that were used from the allowances, and release the others."""
    lines: list[tuple[AccountRow, Micros]] = []
    left = operation.covered_seconds
    for account, row in _held(draft, operation):
        used = min(left, row.seconds)
        left -= used
        units = used * MICROS_PER_UNIT
        draft.release(account, row, SETTLED, operation.at_us)
        row.settled_amount = units
        lines += [(account, -units), (draft.account(issuer_of(account.ref)), units)]
    if operation.covered_seconds:
        content = {"hold": operation.hold_id, "seconds": operation.covered_seconds}
        transfer = TransferRow(
            id=f"{operation.transfer_id}#",
            key=f"session:{operation.hold_id}:draw",
            input_hash=input_hash(content),
            kind="draw",
            reference=operation.hold_id,
            at_us=operation.at_us,
        )
        draft.write(transfer, lines)


def release(draft: Draft, operation: Void | Expire, status: str) -> None:
    """Release all seconds that a session holds."""
    for account, row in _held(draft, operation):
        draft.release(account, row, status, operation.at_us)


def _held(draft: Draft, operation: Settle | Void | Expire) -> Iterator[tuple[AccountRow, HoldRow]]:
    """List what a session still holds, in burning order."""
    for name, ref in zip(hold_ids(operation), operation.cover, strict=True):
        row = draft.holds.get(name)
        if row is not None and row.status == PENDING:
            yield draft.account(ref), row
