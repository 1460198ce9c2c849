"""What webhooks tell, for the OpenAPI document: one entry per event, its shape by its sample."""

from __future__ import annotations

from typing import Any, Final

from ivr.web.webhooks.events import EVENTS, Event, Owner

Json = dict[str, Any]  # Any: a JSON document
NULLABLE: Final = {
    "call.ended": {
        "client", "topic", "account", "cost", "currency", "balance_before", "balance_after",
        "split", "tariff", "tariff_version", "answered_at", "ended_at", "end_reason",
    },
    "topup.received": {"memo"},
    "alarm.raised": {"client"},
}  # fmt: skip
SIGNED: Final = (
    "`t=<unix seconds>,v1=<hex>`: the HMAC-SHA-256 of `t`, a dot and the body, keyed with the "
    "secret. Any of several `v1` may match; `t` older than five minutes is a replay."
)


def event_documents() -> Json:
    """Describe every event as OpenAPI 3.1 describes webhooks."""
    return {name: {"post": _document(event)} for name, event in EVENTS.items()}


def envelope_of(event: Event) -> Json:
    """Write what is sent for an event, as a sample."""
    return {
        "id": "0193a1b2-0000-7000-8000-000000000001",
        "type": event.name,
        "at": "2026-03-04T12:01:14.400000+00:00",
        "test": False,
        "data": event.sample,
    }


def _document(event: Event) -> Json:
    told = ", ".join(owner.value for owner in Owner if owner in event.owners)
    return {
        "operationId": f"event-{event.name}",
        "tags": ["webhooks"],
        "summary": event.says,
        "description": f"Told to: {told}. At least once; the same event has the same `id`. Answer "
        "with 2xx within 10 seconds; anything else is tried again after 1, 5, 30, 120, 360 and "
        "1440 minutes. 410 switches the webhook off.",
        "security": [],
        "parameters": [
            _header("Talkmeter-Event", "The type of the event.", event.name),
            _header("Talkmeter-Delivery", "The id of this delivery, in our log.", "0193a1b2-…"),
            _header("Talkmeter-Signature", SIGNED, "t=1772625674,v1=5257a869…"),
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": _envelope(event), "example": envelope_of(event)}
            },
        },
        "responses": {"2XX": {"description": "Heard."}, "410": {"description": "Never again."}},
    }


def _header(name: str, description: str, example: str) -> Json:
    return {
        "name": name,
        "in": "header",
        "required": True,
        "description": description,
        "schema": {"type": "string"},
        "example": example,
    }


def _envelope(event: Event) -> Json:
    nullable = NULLABLE.get(event.name, set())
    data = {name: _shape(value, nullable=name in nullable) for name, value in event.sample.items()}
    return {
        "type": "object",
        "required": ["id", "type", "at", "test", "data"],
        "properties": {
            "id": {"type": "string", "description": "The same whenever it is told."},
            "type": {"const": event.name},
            "at": {"type": "string", "format": "date-time"},
            "test": {"type": "boolean", "description": "A sample that was asked for."},
            "data": {"type": "object", "required": sorted(data), "properties": data},
        },
    }


def _shape(value: object, *, nullable: bool) -> Json:
    if isinstance(value, list | dict):
        kind = "array" if isinstance(value, list) else "object"
    elif isinstance(value, bool):
        kind = "boolean"
    else:
        kind = {int: "integer", float: "number"}.get(type(value), "string")
    shape: Json = {"type": [kind, "null"] if nullable else kind}
    return {**shape, "items": {"type": "object"}} if kind == "array" else shape
