"""What the API of webhooks reads and writes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from ivr.web.api.models import Moment, Money, Output
from ivr.web.api.paging import PageQuery
from ivr.web.fields import Code, Input, TopUpAmount
from ivr.web.webhooks.endpoints import LOW_BALANCE, URL_MAX

EventName = Literal[
    "call.ended",
    "balance.low",
    "topup.received",
    "usage.threshold",
    "payout.due",
    "payment.failed",
    "alarm.raised",
]
Url = Annotated[
    str,
    Field(
        max_length=URL_MAX,
        min_length=1,
        description="https, and reachable from the internet.",
        examples=["https://example.com/talkmeter"],
    ),
]
Events = Annotated[
    tuple[EventName, ...],
    Field(
        min_length=1,
        max_length=7,
        description="What is told. A client's webhook may be told of call.ended and payout.due, a "
        "caller's of all but payout.due and alarm.raised, the installation's of all.",
        examples=[["call.ended"]],
    ),
]
LowBalance = Annotated[
    TopUpAmount, Field(description="balance.low is told when less than this can be spent.")
]


class NewWebhook(Input):
    """A server to be told. An operator may name a client; else it is the installation's own."""

    url: Url
    events: Events = ("call.ended",)
    client: Code | None = None
    low_balance: LowBalance = Field(LOW_BALANCE, json_schema_extra={"default": "5.00"})


class WebhookChange(Input):
    """What changes; what is left out stays. Events that are new are told from now on."""

    url: Url | None = None
    events: Events | None = None
    low_balance: LowBalance | None = None
    enabled: bool | None = None


class WebhookTest(Input):
    """What is sent as a test: the sample of an event, or `test`."""

    event: EventName | Literal["test"] = "test"


class Webhook(Output):
    """A server that is told. `failing_since`: since when none of its tries succeeded."""

    id: str
    client: str | None
    account: str | None
    url: str
    events: tuple[str, ...]
    low_balance: Money
    enabled: bool
    off_reason: str | None
    failing_since: Moment | None
    old_secret_until: Moment | None
    created_at: Moment


class MadeWebhook(Webhook):
    """A webhook with its secret, which no later answer has; null where the key was used before."""

    secret: str | None
    replayed: bool


class Webhooks(Output):
    """All webhooks of the asker, oldest first."""

    items: tuple[Webhook, ...]


class DeletedWebhook(Output):
    """A webhook that is gone, with its deliveries."""

    id: str


class DeliveryQuery(PageQuery):
    """Which deliveries."""

    state: Literal["pending", "delivered", "failed"] | None = None


class Delivery(Output):
    """An event on its way to a webhook, or what became of it."""

    id: str
    event_id: str
    event: str
    state: Literal["pending", "delivered", "failed"]
    attempts: int
    reason: str | None
    status: int | None = Field(description="Of the last answer.")
    answer: str | None = Field(description="How the last answer began.")
    took_ms: int | None
    next_try_at: Moment | None
    tried_at: Moment | None
    created_at: Moment
    sent: dict[str, Any] = Field(description="The body, as it is sent.")  # Any: JSON values


class Deliveries(Output):
    """A page of deliveries, newest first; they are kept for 30 days."""

    items: tuple[Delivery, ...]
    next: str | None


class Asked(Output):
    """A delivery that is sent within moments; read its state in the list."""

    delivery: str
