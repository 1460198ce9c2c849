"""The law of the ledger, applied to rows in memory: validate, look up, check, then write.

A `Book` holds the rows that a batch of operations touches. Each operation is decided in order
against what the ones before it left; a refused one leaves no trace. `billing.storage.ledger`
loads the rows, lets the book decide, and writes what changed; the database's constraints are the
second guard.
"""

from __future__ import annotations

from billing.domain import cover
from billing.domain.draft import EXPIRED, PENDING, SETTLED, VOIDED, Draft
from billing.domain.grants import decide_beyond
from billing.domain.operations import (
    AccountRef,
    Answer,
    Expire,
    ExtendHold,
    Grant,
    OpenHold,
    Operation,
    Post,
    Posted,
    Settle,
    Settled,
    Void,
    Voided,
)
from billing.domain.rows import AccountRow, HoldRow, TransferRow
from billing.errors import (
    AccountBlocked,
    CurrencyMismatch,
    GrantExceeded,
    HoldAlreadyResolved,
    HoldNotExpired,
    IdempotencyConflict,
    InsufficientFunds,
    InvalidInput,
    UnbalancedTransfer,
    UnknownHold,
)
from billing.ids import input_hash
from billing.money import AMOUNT_MAX, Micros


class Book(Draft):
    """The rows of a batch, and the law that decides what becomes of them."""

    __slots__ = ()

    def apply(self, operation: Operation) -> Answer:
        """Decide one operation.

        Raises:
            BillingError: it is refused, and nothing of it happened.

        """
        match operation:
            case OpenHold():
                return self._open(operation)
            case ExtendHold():
                return self._extend(operation)
            case Settle():
                return self._settle(operation)
            case Void() | Expire():
                return self._end_free(operation)
            case Post():
                return self._post(operation)

    def _held(self, operation: ExtendHold | Settle | Void | Expire) -> tuple[HoldRow, AccountRow]:
        """Find a hold and the account that it binds; nobody else's money may be released."""
        hold = self.holds.get(operation.hold_id)
        if hold is None:
            raise UnknownHold(hold_id=operation.hold_id)
        account = self.account(operation.account)
        if hold.account_id != account.id:
            raise IdempotencyConflict(key=hold.id)
        return hold, account

    def _open(self, operation: OpenHold) -> Grant:
        account = self.account(operation.account)
        if (hold := self.holds.get(operation.hold_id)) is not None:
            if hold.account_id != account.id or hold.opened_us != operation.at_us:
                raise IdempotencyConflict(key=hold.id)
            if hold.status != PENDING:
                raise HoldAlreadyResolved(hold_id=hold.id, status=hold.status)
            return self._granted(operation, hold, account, final=False)
        if account.status != "active":
            raise AccountBlocked(account=account.ref.code)
        taken = cover.reach(self, operation, operation.seconds)
        covered = sum(seconds for _, _, seconds in taken)
        decided = decide_beyond(
            operation.table,
            asked_seconds=operation.seconds,
            covered_seconds=covered,
            newly_covered=covered,
            granted_seconds=0,
            granted_amount=0,
            spendable=account.spendable,
            holds=account.open_holds + 1,
            fair=operation.fair,
        )
        if decided is None:
            needed = operation.table.cost(operation.table.first_seconds)
            raise _poor(account, needed)
        hold = HoldRow(
            id=operation.hold_id,
            account_id=account.id,
            status=PENDING,
            step=1,
            seconds=covered + decided.seconds,
            amount=decided.amount,
            proven_us=0,
            opened_us=operation.at_us,
            expires_us=operation.expires_us,
            covered_seconds=covered,
            sold=operation.session.sold if operation.session else None,
        )
        # After this point nothing can be refused.
        if taken:
            cover.hold(self, hold, taken)
        self.holds[hold.id] = hold
        self.new_holds.append(hold)
        self.opened.append(operation)
        account.held += decided.amount
        account.open_holds += 1
        self.changed_accounts[account.id] = account
        return self._granted(operation, hold, account, final=decided.final)

    def _extend(self, operation: ExtendHold) -> Grant:
        hold, account = self._held(operation)
        if hold.status != PENDING:
            raise HoldAlreadyResolved(hold_id=hold.id, status=hold.status)
        if operation.step == hold.step:
            return self._granted(
                operation, hold, account, final=False
            )  # a replay of the last grant
        if operation.step != hold.step + 1:
            raise IdempotencyConflict(key=f"{hold.id}:{operation.step}")
        if account.status != "active":
            raise AccountBlocked(account=account.ref.code)
        paid = hold.seconds - hold.covered_seconds
        taken = cover.reach(self, operation, operation.seconds - hold.seconds)
        more = sum(seconds for _, _, seconds in taken)
        decided = decide_beyond(
            operation.table,
            asked_seconds=operation.seconds,
            covered_seconds=hold.covered_seconds + more,
            newly_covered=more,
            granted_seconds=paid,
            granted_amount=hold.amount,
            spendable=account.spendable,
            holds=account.open_holds,
            fair=operation.fair,
        )
        if decided is None:
            raise _poor(account, operation.table.cost(paid + 1) - hold.amount)
        # After this point nothing can be refused.
        hold.expires_us = operation.expires_us
        if taken:
            cover.hold(self, hold, taken)
        account.held += decided.amount - hold.amount
        hold.step = operation.step
        hold.covered_seconds += more
        hold.seconds = hold.covered_seconds + decided.seconds
        hold.amount = decided.amount
        hold.proven_us = max(hold.proven_us, operation.proven_us)
        self.change(account, hold)
        return self._granted(operation, hold, account, final=decided.final)

    def _settle(self, operation: Settle) -> Settled:
        hold, payer = self._held(operation)
        if hold.status != PENDING:
            return _settled_before(hold, operation)
        if operation.amount > hold.amount:
            raise GrantExceeded(hold_id=hold.id, amount=operation.amount, granted=hold.amount)
        if operation.covered_seconds > hold.covered_seconds:
            raise GrantExceeded(
                hold_id=hold.id, amount=operation.covered_seconds, granted=hold.covered_seconds
            )
        if operation.amount < 0 or any(part.amount < 0 for part in operation.parts):
            raise InvalidInput(reason="a settlement cannot be negative")
        total = sum(part.amount for part in operation.parts) - operation.amount
        if total:
            raise UnbalancedTransfer(total=total)
        lines = [(payer, -operation.amount)]
        for part in operation.parts:
            ref = AccountRef(kind=part.kind, code=part.account, currency=payer.ref.currency)
            lines.append((self.account(ref), part.amount))
        # After this point nothing can be refused.
        self.release(payer, hold, SETTLED, operation.at_us)
        if operation.cover:
            cover.draw(self, operation)
        hold.settled_amount = operation.amount
        hold.balance_before = payer.posted
        hold.balance_after = payer.posted - operation.amount
        answer = Settled(
            amount=operation.amount,
            balance_before=hold.balance_before,
            balance_after=hold.balance_after,
        )
        key = f"session:{hold.id}:settle"
        if operation.amount:
            self.write(
                TransferRow(
                    id=operation.transfer_id,
                    key=key,
                    input_hash=input_hash({"hold": hold.id, "amount": operation.amount}),
                    kind="settle",
                    reference=hold.id,
                    at_us=operation.at_us,
                ),
                lines,
            )
        if hold.sold is not None:
            self.sums.add(operation, hold.sold)
        self.closed.append((operation, answer))
        return answer

    def _end_free(self, operation: Void | Expire) -> Voided:
        hold, account = self._held(operation)
        status = VOIDED if isinstance(operation, Void) else EXPIRED
        if hold.status == status:
            return Voided(hold_id=hold.id)
        if hold.status != PENDING:
            raise HoldAlreadyResolved(hold_id=hold.id, status=hold.status)
        if status == EXPIRED and operation.at_us < hold.expires_us:
            raise HoldNotExpired(hold_id=hold.id, expires_us=hold.expires_us)
        self.release(account, hold, status, operation.at_us)
        if operation.cover:
            cover.release(self, operation, status)
        self.closed.append((operation, None))
        return Voided(hold_id=hold.id)

    def _post(self, operation: Post) -> Posted:
        digest = _post_hash(operation)
        if (stored := self.transfers.get(operation.key)) is not None:
            if stored.input_hash != digest:
                raise IdempotencyConflict(key=operation.key)
            return Posted(transfer_id=stored.id, replayed=True, balances=self._balances(operation))
        total = sum(entry.amount for entry in operation.entries)
        if total or len(operation.entries) < 2:
            raise UnbalancedTransfer(total=total)
        if any(not 0 < abs(entry.amount) <= AMOUNT_MAX for entry in operation.entries):
            raise InvalidInput(reason="an entry of a transfer is neither zero nor endless")
        currency = operation.entries[0].account.currency
        for entry in operation.entries:
            if (ref := entry.account).currency != currency:
                raise CurrencyMismatch(account=ref.code, expected=currency, actual=ref.currency)
        lines = [(self.account(entry.account), entry.amount) for entry in operation.entries]
        changes: dict[AccountRef, Micros] = {}
        for account, amount in lines:
            changes[account.ref] = changes.get(account.ref, 0) + amount
        for ref, change in changes.items():
            account = self.accounts[ref]
            if change < 0 and account.spendable is not None and account.spendable + change < 0:
                raise _poor(account, -change)
        self.write(
            TransferRow(
                id=operation.transfer_id,
                key=operation.key,
                input_hash=digest,
                kind=operation.kind,
                reference=operation.reference,
                reverses=operation.reverses,
                memo=operation.memo,
                actor=operation.actor,
                at_us=operation.at_us,
            ),
            lines,
        )
        return Posted(
            transfer_id=operation.transfer_id, replayed=False, balances=self._balances(operation)
        )

    def _balances(self, operation: Post) -> dict[AccountRef, Micros]:
        return {entry.account: self.account(entry.account).posted for entry in operation.entries}

    def _granted(
        self, operation: OpenHold | ExtendHold, hold: HoldRow, account: AccountRow, *, final: bool
    ) -> Grant:
        return Grant(
            hold_id=hold.id,
            step=hold.step,
            seconds=hold.seconds,
            amount=hold.amount,
            final=final,
            covered_seconds=hold.covered_seconds,
            spendable=account.spendable,
            coverable_seconds=cover.coverable(self, operation),
        )


def _settled_before(hold: HoldRow, operation: Settle) -> Settled:
    """Answer a second settlement: the same again if it is the same, a refusal otherwise."""
    if hold.status != SETTLED or hold.settled_amount != operation.amount:
        raise HoldAlreadyResolved(hold_id=hold.id, status=hold.status)
    return Settled(
        amount=operation.amount,
        balance_before=hold.balance_before or 0,
        balance_after=hold.balance_after or 0,
    )


def _poor(account: AccountRow, needed: Micros) -> InsufficientFunds:
    return InsufficientFunds(
        account=account.ref.code, needed=needed, spendable=account.spendable or 0
    )


def _post_hash(operation: Post) -> str:
    return input_hash(
        {
            "kind": operation.kind,
            "reference": operation.reference,
            "reverses": operation.reverses,
            "entries": [
                [entry.account.kind, entry.account.code, entry.account.currency, entry.amount]
                for entry in operation.entries
            ],
        }
    )
