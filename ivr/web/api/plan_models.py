"""What the API reads and writes of plans and subscriptions."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ivr.web.api.models import Money, Output
from ivr.web.api.paging import PageQuery
from ivr.web.api.usage_models import SubscriptionView, Units
from ivr.web.fields import Code, Input, Word

AddOns = Annotated[
    dict[Word, Annotated[int, Field(ge=1, le=100_000)]],
    Field(
        max_length=50,
        description="How many of each add-on of the plan.",
        json_schema_extra={"additionalProperties": False},
    ),
]


class PlanMeter(Output):
    """What a plan counts, and how much of it a month includes."""

    unit: str
    included: str
    alerts: tuple[int, ...]
    bundles: tuple[str, ...]
    has_overage: bool


class Plan(Output):
    """A plan as it is sold now."""

    name: str
    version: int
    currency: str
    price: Money
    meters: tuple[PlanMeter, ...]
    addons: dict[str, Money]


class Plans(Output):
    """All plans that are sold, by name."""

    items: tuple[Plan, ...]


class SubscriptionsQuery(PageQuery):
    """Which subscriptions."""

    plan: Word | None = None


class Subscriptions(Output):
    """A page of live subscriptions, by account."""

    items: tuple[SubscriptionView, ...]
    next: str | None


class NewSubscription(Input):
    """A plan for an account; its first fee is taken now. A caller subscribes its own account."""

    account: Code | None = None
    plan: Word
    payment: Literal["monthly", "quarterly", "annual"] | None = None
    addons: AddOns = Field(default_factory=dict)


class SubscriptionChange(Input):
    """Another plan from now on: price and allowance by the days that are left."""

    plan: Word


class Cancellation(Input):
    """The end of a subscription: with what is paid for, or at once without a refund."""

    at_once: bool = False


class Purchase(Input):
    """Units bought ahead: a bundle by its name, or so many units at the unit price."""

    meter: Word
    bundle: Word | None = None
    units: Units | None = None


class Bought(Output):
    """What was bought, and what is left of it now."""

    bucket: str
    meter: str
    granted: Money
    remaining: Money
