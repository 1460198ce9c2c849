"""Stripe, through its SDK: the only module that needs it, and only when a card is used.

The SDK is imported at the first use, so that a start without cards stays quick. Its calls block
and run in threads, a few at a time, each with a limit.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from billing.domain.cards import CardPayment, SavedCard
from ivr.payments.port import CardsUnavailable, Event, NotSigned, Outcome, Page
from ivr.payments.stripe_events import (
    KIND,
    OURS,
    event_of,
    intent_paid,
    page_paid,
    reason_of,
)
from ivr.payments.units import from_minor, to_minor

if TYPE_CHECKING:
    from stripe import HTTPClient, PaymentIntent, StripeClient
    from stripe.params import PaymentIntentCreateParams
    from stripe.params.checkout import SessionCreateParams

CALL_SECONDS: Final = 20
CALLS_AT_ONCE: Final = 4
RETRIES: Final = 1
TOLERANCE_SECONDS: Final = 300

Answer = TypeVar("Answer")


class StripeProcessor:
    """The port, as Stripe answers it."""

    name = "Stripe"

    def __init__(
        self, *, secret_key: str, webhook_secret: str, http: HTTPClient | None = None
    ) -> None:
        self._secret_key = secret_key
        self._webhook_secret = webhook_secret
        self._http = http
        self._client: StripeClient | None = None
        self._turn = asyncio.Semaphore(CALLS_AT_ONCE)

    async def create_checkout(self, payment: CardPayment, *, title: str, back: str) -> Page:
        """Make a page of Stripe's Checkout."""
        params = _page_params(payment, title=title, back=back)

        def call(client: StripeClient) -> Page:
            page = client.v1.checkout.sessions.create(
                params=params, options={"idempotency_key": payment.id}
            )
            return Page(id=page.id, url=page.url or "")

        return await self._call(call)

    async def charge_saved(self, payment: CardPayment, card: SavedCard) -> Outcome:
        """Charge off-session; what the bank wants its customer to confirm has failed."""
        params: PaymentIntentCreateParams = {
            "amount": to_minor(payment.amount, payment.currency),
            "currency": payment.currency.lower(),
            "customer": card.customer,
            "payment_method": card.method,
            "allowed_payment_method_types": ["card"],
            "off_session": True,
            "confirm": True,
            "metadata": {OURS: payment.id, KIND: payment.kind},
        }

        def call(client: StripeClient) -> Outcome:
            from stripe import CardError  # noqa: PLC0415 - at the first use

            try:
                intent = client.v1.payment_intents.create(
                    params=params, options={"idempotency_key": payment.id}
                )
            except CardError as error:
                return Outcome(status="failed", reason=reason_of({"code": error.code}))
            return _of_intent(intent)

        return await self._call(call)

    async def look(self, payment: CardPayment) -> Outcome:
        """Ask for the payment itself, else for its page, else for what carries our id."""

        def call(client: StripeClient) -> Outcome:
            if payment.intent:
                return _of_intent(
                    client.v1.payment_intents.retrieve(
                        payment.intent, params={"expand": ["latest_charge"]}
                    )
                )
            if payment.checkout:
                return _of_page(client, payment.checkout)
            query = f"metadata['{OURS}']:'{payment.id}'"
            found = client.v1.payment_intents.search(params={"query": query, "limit": 1}).data
            return _of_intent(found[0]) if found else Outcome(status="unknown")

        return await self._call(call)

    async def saved_card(self, payment: CardPayment) -> SavedCard | None:
        """Read customer and card of a payment that was made to be repeated."""

        def call(client: StripeClient) -> SavedCard | None:
            if not payment.intent:
                return None
            intent = client.v1.payment_intents.retrieve(
                payment.intent, params={"expand": ["payment_method"]}
            )
            customer, method = intent.customer, intent.payment_method
            if not customer or not method or isinstance(method, str):
                return None
            card = method.card
            return SavedCard(
                account=payment.account,
                customer=customer if isinstance(customer, str) else customer.id,
                method=method.id,
                label=f"{card.brand} •••• {card.last4}" if card else method.type,
            )

        return await self._call(call)

    def read_event(self, body: bytes, signature: str) -> Event | None:
        """Check the signature as Stripe's SDK does, then read the message."""
        from stripe import SignatureVerificationError, Webhook  # noqa: PLC0415 - at the first use

        try:
            Webhook.construct_event(
                body, signature, self._webhook_secret, tolerance=TOLERANCE_SECONDS
            )
        except SignatureVerificationError:
            raise NotSigned(reason="signature or time is wrong") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise NotSigned(reason="it is no message") from None
        try:
            return event_of(json.loads(body))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise NotSigned(reason="it is of an unknown form") from None

    async def _call(self, call: Callable[[StripeClient], Answer]) -> Answer:
        async with self._turn:
            return await asyncio.to_thread(self._blocking, call)

    def _blocking(self, call: Callable[[StripeClient], Answer]) -> Answer:
        import stripe  # noqa: PLC0415 - at the first use

        if self._client is None:
            stripe.enable_telemetry = False
            self._client = stripe.StripeClient(
                self._secret_key,
                max_network_retries=RETRIES,
                http_client=self._http or stripe.RequestsClient(timeout=CALL_SECONDS),
            )
        try:
            return call(self._client)
        except stripe.StripeError as error:
            # Its text may hold what we sent; the code says enough.
            raise CardsUnavailable(reason=error.code or type(error).__name__) from None


def _page_params(payment: CardPayment, *, title: str, back: str) -> SessionCreateParams:
    ours = {OURS: payment.id, KIND: payment.kind}
    params: SessionCreateParams = {
        "mode": "payment",
        "client_reference_id": payment.id,
        "metadata": ours,
        "allowed_payment_method_types": ["card"],
        # We asked for a sum in the currency of the account, and nothing else will do.
        "adaptive_pricing": {"enabled": False},
        "line_items": [
            {
                "quantity": 1,
                "price_data": {
                    "currency": payment.currency.lower(),
                    "unit_amount": to_minor(payment.amount, payment.currency),
                    "product_data": {"name": title},
                },
            }
        ],
        "payment_intent_data": {"metadata": ours},
        "success_url": back,
        "cancel_url": back,
    }
    if payment.saves_card:
        params["customer_creation"] = "always"
        params["payment_intent_data"]["setup_future_usage"] = "off_session"
    return params


def _of_page(client: StripeClient, name: str) -> Outcome:
    page = client.v1.checkout.sessions.retrieve(name)
    if page.payment_status == "paid":
        paid = page_paid(page.to_dict())
        if paid is None:
            return Outcome(status="unknown")
        return Outcome(
            status="paid", intent=paid.intent, amount=paid.amount, currency=paid.currency
        )
    if page.status == "expired":
        return Outcome(status="expired", reason="the page expired")
    return Outcome(status="pending")


def _of_intent(intent: PaymentIntent) -> Outcome:
    if intent.status == "succeeded":
        paid = intent_paid(intent.to_dict())
        charge = intent.latest_charge
        back = 0 if charge is None or isinstance(charge, str) else charge.amount_refunded
        disputed = not (charge is None or isinstance(charge, str)) and charge.disputed
        if paid is None:
            return Outcome(status="unknown")
        return Outcome(
            status="paid",
            intent=paid.intent,
            amount=paid.amount,
            currency=paid.currency,
            returned=from_minor(back, paid.currency),
            reason="disputed" if disputed else "",
        )
    if intent.status in {"processing", "requires_capture"}:
        return Outcome(status="pending", intent=intent.id)
    return Outcome(
        status="failed",
        reason="the bank wants you to confirm it"
        if intent.status == "requires_action"
        else "the card was declined",
    )
