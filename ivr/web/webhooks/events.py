"""The events of webhooks: what each tells, to whom it may be told, and a sample of it.

installation   the operators' own servers: everything
client         its callers' calls and its payouts; never what a caller has
account        a caller's own calls and money; never how it was shared
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

Facts = dict[str, Any]  # Any: JSON values


class Owner(StrEnum):
    """Whose server is told."""

    INSTALLATION = "installation"
    CLIENT = "client"
    ACCOUNT = "account"


ALL: Final = frozenset(Owner)
CALLERS: Final = frozenset({Owner.INSTALLATION, Owner.ACCOUNT})
CLIENTS: Final = frozenset({Owner.INSTALLATION, Owner.CLIENT})
OURS: Final = frozenset({Owner.INSTALLATION})
TEST: Final = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A kind of event."""

    name: str
    says: str
    owners: frozenset[Owner]
    sample: Facts


_CALL: Final[Facts] = {
    "call_id": "0193a1b2-0000-7000-8000-000000000001",
    "did": "18005550100",
    "topic": "Billing",
    "account": "alice",
    "client": "acme",
    "state": "ended",
    "talk_seconds": 62.4,
    "billed_seconds": 63,
    "cost": "5.525",
    "currency": "USD",
    "balance_before": "20.00",
    "balance_after": "14.475",
    "split": [
        {"party": "provider", "account": "provider", "amount": "1.6575"},
        {"party": "client", "account": "acme", "amount": "3.8675"},
    ],
    "tariff": "standard",
    "tariff_version": 1,
    "started_at": "2026-03-04T12:00:00.000000+00:00",
    "answered_at": "2026-03-04T12:00:12.000000+00:00",
    "ended_at": "2026-03-04T12:01:14.400000+00:00",
    "end_reason": "agent_hung_up",
    "review": False,
}

_LISTED: Final = (
    Event(
        name="call.ended",
        says="A call ended and was settled. A client's server is told no balance of the caller, "
        "a caller's server no split.",
        owners=ALL,
        sample=_CALL,
    ),
    Event(
        name="balance.low",
        says="What an account can spend fell below the amount that the webhook names; "
        "once each time it falls.",
        owners=CALLERS,
        sample={
            "account": "alice",
            "currency": "USD",
            "spendable": "4.475",
            "below": "5.00",
            "balance": "4.475",
            "transfer_id": "0193a1b2-0000-7000-8000-000000000002",
            "at": "2026-03-04T12:01:14.400000+00:00",
        },
    ),
    Event(
        name="topup.received",
        says="Money came in: a top-up, a voucher or a payment.",
        owners=CALLERS,
        sample={
            "account": "alice",
            "kind": "top_up",
            "amount": "25.00",
            "currency": "USD",
            "balance": "29.475",
            "memo": "Bank transfer",
            "transfer_id": "0193a1b2-0000-7000-8000-000000000003",
            "at": "2026-03-04T12:30:00.000000+00:00",
        },
    ),
    Event(
        name="usage.threshold",
        says="So many percent of an allowance are used, by calls or by metering events; each "
        "percentage that the plan names once a cycle.",
        owners=CALLERS,
        sample={
            "account": "alice",
            "subscription": "0193a1b2-0000-7000-8000-000000000004",
            "plan": "starter",
            "meter": "minutes",
            "cycle": 3,
            "percent": 80,
            "at": "2026-03-20T09:00:00.000000+00:00",
        },
    ),
    Event(
        name="payout.due",
        says="A payout was approved: the bank is to pay it now.",
        owners=CLIENTS,
        sample={
            "payout_id": "0193a1b2-0000-7000-8000-000000000005",
            "party": "client",
            "account": "acme",
            "amount": "1250.00",
            "currency": "USD",
            "approved_at": "2026-04-01T08:00:00.000000+00:00",
        },
    ),
    Event(
        name="payment.failed",
        says="A card payment of a caller was refused.",
        owners=CALLERS,
        sample={
            "account": "alice",
            "amount": "25.00",
            "currency": "USD",
            "reason": "card_declined",
        },
    ),
    Event(
        name="alarm.raised",
        says="An alarm of the installation went on.",
        owners=OURS,
        sample={
            "alarm_id": "0193a1b2-0000-7000-8000-000000000006",
            "kind": "link_down",
            "subject": "node-1",
            "severity": "bad",
            "client": "acme",
            "facts": {"seconds": "120"},
            "at": "2026-03-04T12:01:14.400000+00:00",
        },
    ),
)
EVENTS: Final[Mapping[str, Event]] = {event.name: event for event in _LISTED}


def events_for(owner: Owner) -> tuple[Event, ...]:
    """List what may be told to somebody."""
    return tuple(event for event in _LISTED if owner in event.owners)


def seen_by(owner: Owner, event: str, facts: Facts) -> Facts:
    """Take out of the facts what is not the owner's business; the fields stay, as null."""
    hidden: tuple[str, ...] = ()
    if event == "call.ended" and owner is Owner.CLIENT:
        hidden = ("balance_before", "balance_after")
    elif event == "call.ended" and owner is Owner.ACCOUNT:
        hidden = ("split",)
    return {name: None if name in hidden else value for name, value in facts.items()}


def sample_of(owner: Owner, event: str) -> Facts:
    """Return what a test of an event tells."""
    known = EVENTS.get(event)
    return {"hello": "world"} if known is None else seen_by(owner, event, dict(known.sample))
