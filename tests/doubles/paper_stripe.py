"""Stripe on paper: answers the SDK at the seam of its HTTP client, and signs messages.

It keeps the promises that the product relies on: the same idempotency key gets the same answer,
metadata come back, a card may be declined, and the network may be away.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import stripe

SECRET = "whsec_paper"
KEY = "sk_test_paper"


@dataclass
class PaperStripe:
    """What Stripe knows; tests write `declines`, `away` and pay pages."""

    declines: str = ""
    away: bool = False
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)

    def http(self) -> stripe.HTTPClient:
        return _Http(self)

    @property
    def charges(self) -> list[dict[str, Any]]:
        """Payments that were taken off-session."""
        return [
            one
            for one in self.objects.values()
            if one["object"] == "payment_intent" and one.get("off_session")
        ]

    def answer(
        self, method: str, path: str, sent: dict[str, str], key: str | None
    ) -> tuple[int, dict[str, Any]]:
        self.requests.append((method, path))
        if self.away:
            raise stripe.APIConnectionError("the network is away", should_retry=False)
        if key is not None and key in self.answers:
            return 200, self.answers[key]
        if (method, path) == ("post", "/v1/checkout/sessions"):
            made = self._page(sent)
        elif (method, path) == ("post", "/v1/payment_intents"):
            if self.declines:
                return 402, {"error": {"type": "card_error", "code": self.declines, "message": ""}}
            made = self._charge(sent)
        elif path == "/v1/payment_intents/search":
            wanted = sent["query"].split("'")[3]
            found = [
                one
                for one in self.objects.values()
                if one["object"] == "payment_intent" and one["metadata"].get("payment") == wanted
            ]
            return 200, {"object": "search_result", "data": found[:1], "has_more": False, "url": ""}
        else:
            known = self.objects.get(path.rsplit("/", 1)[1])
            if known is None:
                return 404, {"error": {"type": "invalid_request_error", "code": "missing"}}
            return 200, known
        if key is not None:
            self.answers[key] = made
        return 200, made

    def _page(self, sent: dict[str, str]) -> dict[str, Any]:
        name = f"cs_{len(self.objects)}"
        self.objects[name] = {
            "id": name, "object": "checkout.session", "status": "open",
            "payment_status": "unpaid", "url": f"https://checkout.stripe.com/c/{name}",
            "amount_total": int(sent["line_items[0][price_data][unit_amount]"]),
            "currency": sent["line_items[0][price_data][currency]"],
            "client_reference_id": sent["client_reference_id"],
            "metadata": {"payment": sent["metadata[payment]"], "kind": "checkout"},
            "payment_intent": None, "success_url": sent["success_url"],
            "saves": sent.get("payment_intent_data[setup_future_usage]", ""),
        }  # fmt: skip
        return self.objects[name]

    def _charge(self, sent: dict[str, str]) -> dict[str, Any]:
        intent = self._intent(int(sent["amount"]), sent["currency"], sent["metadata[payment]"])
        intent |= {"off_session": sent["off_session"] == "True" or sent["off_session"] == "true"}
        intent["metadata"]["kind"] = "auto"
        return intent

    def _intent(self, amount: int, currency: str, payment: str) -> dict[str, Any]:
        name = f"pi_{len(self.objects)}"
        self.objects[name] = {
            "id": name, "object": "payment_intent", "status": "succeeded",
            "amount_received": amount, "currency": currency, "customer": f"cus_{name}",
            "metadata": {"payment": payment, "kind": "checkout"},
            "latest_charge": {"id": f"ch_{name}", "object": "charge", "amount_refunded": 0,
                              "disputed": False},
            "payment_method": {"id": f"pm_{name}", "object": "payment_method", "type": "card",
                               "card": {"brand": "visa", "last4": "4242"}},
        }  # fmt: skip
        return self.objects[name]

    def pay(self, page: str, *, amount: int | None = None) -> dict[str, Any]:
        """Let somebody pay on a page; returns the page as the message about it shows it."""
        found = self.objects[page]
        amount = found["amount_total"] if amount is None else amount
        intent = self._intent(amount, found["currency"], found["metadata"]["payment"])
        found |= {
            "status": "complete", "payment_status": "paid", "payment_intent": intent["id"],
            "amount_total": amount,
        }  # fmt: skip
        return found


class _Http(stripe.HTTPClient):
    name = "paper"

    def __init__(self, paper: PaperStripe) -> None:
        super().__init__()
        self._paper = paper

    def request(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[str, int, Mapping[str, str]]:
        parts = urlsplit(url)
        body = post_data if isinstance(post_data, str) else (post_data or b"").decode()
        text = f"{parts.query}&{body}"
        sent = {unquote(name): values[0] for name, values in parse_qs(text).items()}
        key = headers.get("Idempotency-Key") if method == "post" else None
        status, found = self._paper.answer(method, parts.path, sent, key)
        return json.dumps(found), status, {}

    def close(self) -> None:
        pass


def message(kind: str, what: Mapping[str, Any]) -> bytes:
    """Write a message as Stripe sends it."""
    return json.dumps(
        {"id": "evt_1", "object": "event", "type": kind, "data": {"object": what}}
    ).encode()


def signature(body: bytes, *, secret: str = SECRET, at: int | None = None) -> str:
    """Sign it as Stripe does: HMAC-SHA-256 of time and body."""
    at = int(time.time()) if at is None else at
    mac = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={mac}"
