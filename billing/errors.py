"""Everything that can go wrong with money, as one tree.

    BillingError
    ├── InvalidInput            the request itself is wrong; no retry can help
    │   ├── InvalidAmount
    │   ├── InvalidTariff
    │   ├── InvalidPlan
    │   ├── InvalidShares
    │   └── UnbalancedTransfer
    ├── NotFound
    │   ├── UnknownAccount
    │   ├── UnknownTariff
    │   ├── UnknownPlan
    │   ├── UnknownSubscription
    │   ├── UnknownHold
    │   ├── UnknownSession
    │   ├── UnknownVoucher
    │   ├── UnknownBatch
    │   ├── UnknownPayout
    │   └── UnknownInvoice
    ├── Refused                 the request is well formed and the answer is no
    │   ├── InsufficientFunds
    │   ├── AccountBlocked
    │   ├── AccountExists
    │   ├── SubscriptionExists
    │   ├── UsageStopped
    │   ├── CurrencyMismatch
    │   ├── TooManyVouchers
    │   ├── HoldAlreadyResolved
    │   ├── HoldNotExpired
    │   ├── GrantExceeded
    │   ├── VoucherUsed
    │   ├── VoucherExpired
    │   ├── VoucherDisabled
    │   ├── NothingPayable
    │   ├── NothingToRefund
    │   ├── PayoutNotMovable
    │   ├── CreditExceedsInvoice
    │   └── IdempotencyConflict
    └── LedgerUnavailable       outcome unknown; retry with the same key

Each class has a stable `code`. The edge (web, prompts, command line) picks status and words by it.
"""

from __future__ import annotations

from typing import ClassVar


class BillingError(Exception):
    """Base of all errors of this package; carries the facts as attributes."""

    code: ClassVar[str] = "billing_error"
    sentence: ClassVar[str] = "billing failed"

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        super().__init__(self.sentence.format_map(facts))

    def __reduce__(self) -> tuple[object, ...]:
        """Keep the keyword facts when an error crosses a process."""
        return (_rebuild, (type(self), self.facts))


def _rebuild(kind: type[BillingError], facts: dict[str, object]) -> BillingError:
    return kind(**facts)


class InvalidInput(BillingError):
    """The request itself is wrong; no retry can help."""

    code = "invalid_input"
    sentence = "invalid input: {reason}"


class InvalidAmount(InvalidInput):
    """Facts: text."""

    code = "invalid_amount"
    sentence = "not an amount of money: {text!r} (write 12.50, at most six decimals)"


class InvalidTariff(InvalidInput):
    """Facts: field, reason."""

    code = "invalid_tariff"
    sentence = "tariff field {field}: {reason}"


class InvalidPlan(InvalidInput):
    """Facts: field, reason."""

    code = "invalid_plan"
    sentence = "plan field {field}: {reason}"


class InvalidShares(InvalidInput):
    """Facts: reason."""

    code = "invalid_shares"
    sentence = "split: {reason}"


class UnbalancedTransfer(InvalidInput):
    """Facts: total."""

    code = "unbalanced_transfer"
    sentence = "the entries of a transfer add up to {total} micro-units instead of zero"


class NotFound(BillingError):
    """Something named does not exist."""

    code = "not_found"
    sentence = "not found"


class UnknownAccount(NotFound):
    """Facts: account."""

    code = "unknown_account"
    sentence = "there is no account {account!r}"


class UnknownTariff(NotFound):
    """Facts: tariff."""

    code = "unknown_tariff"
    sentence = "there is no tariff {tariff!r}"


class UnknownPlan(NotFound):
    """Facts: plan."""

    code = "unknown_plan"
    sentence = "there is no plan {plan!r}"


class UnknownSubscription(NotFound):
    """Facts: subscription (its id, or the account that has none)."""

    code = "unknown_subscription"
    sentence = "there is no subscription {subscription!r}"


class UnknownHold(NotFound):
    """Facts: hold_id."""

    code = "unknown_hold"
    sentence = "there is no hold {hold_id}"


class UnknownSession(NotFound):
    """Facts: session_id."""

    code = "unknown_session"
    sentence = "there is no session {session_id}"


class UnknownCardPayment(NotFound):
    """Facts: payment."""

    code = "unknown_card_payment"
    sentence = "there is no card payment {payment!r}"


class UnknownVoucher(NotFound):
    """No such code; it is never repeated, for it may be nearly right."""

    code = "unknown_voucher"
    sentence = "there is no such voucher"


class UnknownBatch(NotFound):
    """Facts: batch."""

    code = "unknown_batch"
    sentence = "there is no batch of vouchers {batch!r}"


class UnknownPayout(NotFound):
    """Facts: payout."""

    code = "unknown_payout"
    sentence = "there is no payout {payout}"


class UnknownInvoice(NotFound):
    """Facts: number."""

    code = "unknown_invoice"
    sentence = "there is no document with the number {number!r}"


class Refused(BillingError):
    """The request is well formed and the answer is no."""

    code = "refused"
    sentence = "refused"


class InsufficientFunds(Refused):
    """Facts: account, needed, spendable (micro-units)."""

    code = "insufficient_funds"
    sentence = "account {account} has {spendable} micro-units to spend and needs {needed}"


class AccountBlocked(Refused):
    """Facts: account."""

    code = "account_blocked"
    sentence = "account {account} is blocked"


class AccountExists(Refused):
    """Facts: account."""

    code = "account_exists"
    sentence = "account {account} exists already"


class SubscriptionExists(Refused):
    """Facts: account, subscription."""

    code = "subscription_exists"
    sentence = "account {account} has the subscription {subscription} already"


class UsageStopped(Refused):
    """Facts: account, reason."""

    code = "usage_stopped"
    sentence = "usage of account {account} is refused: {reason}"


class TooManyVouchers(Refused):
    """An account tried too many codes that are no vouchers; it waits."""

    code = "too_many_vouchers"
    sentence = "account {account} tried too many vouchers; wait a while"


class CurrencyMismatch(Refused):
    """Facts: account, expected, actual."""

    code = "currency_mismatch"
    sentence = "account {account} is kept in {actual}, not in {expected}"


class HoldAlreadyResolved(Refused):
    """Facts: hold_id, status."""

    code = "hold_already_resolved"
    sentence = "hold {hold_id} is {status} already"


class HoldNotExpired(Refused):
    """Facts: hold_id, expires_us."""

    code = "hold_not_expired"
    sentence = "hold {hold_id} has not expired yet"


class GrantExceeded(Refused):
    """Facts: hold_id, amount, granted."""

    code = "grant_exceeded"
    sentence = "hold {hold_id} grants {granted} micro-units, {amount} were asked of it"


class NothingPayable(Refused):
    """Facts: party, payable, minimum (micro-units)."""

    code = "nothing_payable"
    sentence = "{party} can be paid {payable} micro-units now, and at least {minimum} at a time"


class PayoutsHeld(Refused):
    """Facts: party. Nothing of its money leaves before somebody releases it."""

    code = "payouts_held"
    sentence = "payouts to {party} are held for a check"


class PayoutNotMovable(Refused):
    """Facts: payout, status, to."""

    code = "payout_not_movable"
    sentence = "payout {payout} is {status} and cannot become {to}"


class NothingToRefund(Refused):
    """Facts: session_id, left (micro-units)."""

    code = "nothing_to_refund"
    sentence = "of session {session_id} {left} micro-units can be refunded"


class IdempotencyConflict(Refused):
    """Facts: key."""

    code = "idempotency_conflict"
    sentence = "the key {key!r} was used before with other content"


class VoucherUsed(Refused):
    """The code became money before."""

    code = "voucher_used"
    sentence = "this voucher was used before"


class VoucherExpired(Refused):
    """The code is too old."""

    code = "voucher_expired"
    sentence = "this voucher has expired"


class VoucherDisabled(Refused):
    """The code, or its batch, was called back."""

    code = "voucher_disabled"
    sentence = "this voucher is not valid any more"


class CreditExceedsInvoice(Refused):
    """Facts: number, left (micro-units)."""

    code = "credit_exceeds_invoice"
    sentence = "of invoice {number} only {left} micro-units are left to be credited"


class LedgerUnavailable(BillingError):
    """The database did not answer in time: the outcome is unknown, retry with the same key."""

    code = "ledger_unavailable"
    sentence = "the ledger did not answer: {reason}"
