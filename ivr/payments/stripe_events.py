"""Messages of Stripe in our words. They are read only after their signature was checked.

    checkout.session.completed, …async_payment_succeeded, payment_intent.succeeded    Paid
    checkout.session.expired, …async_payment_failed, payment_intent.payment_failed    Failed
    charge.refunded, charge.dispute.*                                                 Claim

A payment is ours when its metadata carries our id; all other messages are none of our business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from billing.domain.cards import Claim, Paid
from ivr.payments.port import Event, Failed
from ivr.payments.units import from_minor

OURS: Final = "payment"
KIND: Final = "kind"
REASON_MAX: Final = 120

Object: TypeAlias = Mapping[str, Any]  # Any: JSON values

_PAGE_PAID: Final = frozenset(
    {"checkout.session.completed", "checkout.session.async_payment_succeeded"}
)
_DISPUTES: Final = frozenset(
    {
        "charge.dispute.created",
        "charge.dispute.updated",
        "charge.dispute.closed",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
    }
)


def event_of(message: Object) -> Event | None:
    """Translate a message; None for one that changes nothing here.

    Raises:
        KeyError, TypeError, ValueError: it is not of the form that Stripe documents.

    """
    kind, what = str(message["type"]), message["data"]["object"]
    if kind in _PAGE_PAID:
        return page_paid(what) if what["payment_status"] == "paid" else None
    if kind == "checkout.session.expired":
        return _failed(what, "the page expired", expired=True)
    if kind == "checkout.session.async_payment_failed":
        return _failed(what, "the payment failed")
    if kind == "payment_intent.succeeded":
        return intent_paid(what)
    if kind == "payment_intent.payment_failed":
        # On Stripe's page people may try another card; only a charge of ours is over.
        auto = (what.get("metadata") or {}).get(KIND) == "auto"
        return _failed(what, reason_of(what.get("last_payment_error"))) if auto else None
    if kind == "charge.refunded":
        return _claim(what, kind="refund", amount=int(what["amount_refunded"]))
    if kind in _DISPUTES:
        return _dispute(kind, what)
    return None


def page_paid(page: Object) -> Paid | None:
    """Read a page that somebody paid on."""
    return _paid(page, page["payment_intent"], int(page["amount_total"]))


def intent_paid(intent: Object) -> Paid | None:
    """Read a payment that came in."""
    return _paid(intent, intent["id"], int(intent["amount_received"]))


def reason_of(error: object) -> str:
    """Say why a card was declined, in Stripe's code; texts of others are not shown."""
    if not isinstance(error, Mapping):
        return "the card was declined"
    code = str(error.get("decline_code") or error.get("code") or "")
    plain = code.replace("_", " ")[:REASON_MAX]
    usable = bool(plain) and plain.isascii() and plain.isprintable()
    return f"the card was declined ({plain})" if usable else "the card was declined"


def _payment(what: Object) -> str | None:
    found = (what.get("metadata") or {}).get(OURS)
    return found if isinstance(found, str) and found else None


def _paid(what: Object, intent: object, amount: int) -> Paid | None:
    payment = _payment(what)
    if payment is None or not isinstance(intent, str):
        return None
    currency = str(what["currency"]).upper()
    return Paid(
        payment=payment, intent=intent, amount=from_minor(amount, currency), currency=currency
    )


def _failed(what: Object, reason: str, *, expired: bool = False) -> Failed | None:
    payment = _payment(what)
    if payment is None:
        return None
    return Failed(payment=payment, reason=reason, state="expired" if expired else "failed")


def _dispute(kind: str, what: Object) -> Claim | None:
    status = str(what["status"])
    if status.startswith("warning") or status == "prevented":
        # The bank only asks; no money has moved.
        return None
    won = status == "won" or kind.endswith("funds_reinstated")
    return _claim(what, kind="dispute", amount=int(what["amount"]), won=won)


def _claim(what: Object, *, kind: str, amount: int, won: bool = False) -> Claim | None:
    intent, currency = what["payment_intent"], str(what["currency"]).upper()
    if not isinstance(intent, str):
        return None
    return Claim(
        id=str(what["id"]),
        intent=intent,
        kind=kind,
        amount=from_minor(amount, currency),
        currency=currency,
        won=won,
    )
