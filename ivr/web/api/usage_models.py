"""What the usage API reads and writes. Units are decimal strings of the meter's own unit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from billing.domain.plans import scale_of
from billing.domain.usage import EVENTS_MAX
from billing.money import format_amount
from ivr.web.api.models import Moment, Money, Output
from ivr.web.api.paging import PageQuery
from ivr.web.api.periods import PeriodQuery
from ivr.web.fields import POSITIVE, Amount, Code, Input, Line, Word

KEY_MAX: Final = 200


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("write the moment with its offset, such as 2026-11-20T09:30:00Z")
    return moment.astimezone(UTC)


def _positive(units: int) -> int:
    if units <= 0:
        raise ValueError("write more than zero")
    return units


Units = Annotated[
    Amount,
    AfterValidator(_positive),
    Field(json_schema_extra={"pattern": POSITIVE, "examples": ["2", "0.5"]}),
]
Key = Annotated[Line, Field(min_length=1, max_length=KEY_MAX)]


class NewUsage(Input):
    """A metering event. The same `key` again changes nothing and gets the same answer."""

    key: Key = Field(description="Made by you, unique for the account.")
    account: Code | None = Field(None, description="Your own account by default.")
    type: Word = Field(description="An operation of the plan such as `chat`, or a unit.")
    units: Units | None = Field(None, description="Of a unit: how many. Of an operation: times.")
    at: Annotated[datetime, AfterValidator(_aware)] | None = Field(
        None, description="Now, if not told."
    )
    project: Word | None = None
    request_id: Word | None = None
    segment: Word | None = None
    key_type: Word | None = Field(None, description="`byok` for the customer's own key.")
    status: Word | None = None


class UsageBatch(Input):
    """One to 10,000 metering events; a single event may be sent without the list."""

    takes_apart: ClassVar[bool] = True
    alone: ClassVar[type[Input]] = NewUsage
    events: Annotated[tuple[NewUsage, ...], Field(min_length=1, max_length=EVENTS_MAX)]

    @model_validator(mode="before")
    @classmethod
    def _alone(cls, data: Any) -> Any:  # Any: JSON as it came
        return {"events": [data]} if isinstance(data, dict) and "events" not in data else data


class UsageAnswer(Output):
    """What became of one event."""

    key: str
    account: str
    outcome: Literal["accepted", "replayed", "conflict", "refused"]
    code: str | None
    reason: str | None
    meter: str | None
    units: Money
    overage_units: Money
    overage: Money
    remaining: Money
    warning: str | None


class UsageAnswers(Output):
    """What became of each event, in order."""

    accepted: int
    replayed: int
    refused: int
    conflicts: int
    events: tuple[UsageAnswer, ...]


class UsageQuoteQuery(Input):
    """What is about to be used."""

    account: Code | None = None
    type: Word
    units: Units | None = None
    segment: Word | None = None
    key_type: Word | None = None


class UsageQuote(Output):
    """What it would take; `says` is one sentence for people."""

    account: str
    plan: str
    meter: str
    units: Money
    covered: Money
    overage_units: Money
    overage: Money
    currency: str
    remaining: Money
    warning: str | None
    says: str


class UsageQuery(PeriodQuery, PageQuery):
    """Which usage."""

    account: Code | None = None


class UsageRow(Output):
    """What an account used of one type."""

    account: str
    meter: str
    type: str
    events: int
    units: Money
    overage_units: Money
    overage: Money


class UsageReport(Output):
    """A page of usage by account, meter and type; `next` is null on the last one."""

    rows: tuple[UsageRow, ...]
    next: str | None


class Allowance(Output):
    """What a subscription still has of one meter."""

    meter: str
    bucket: str
    granted: Money
    remaining: Money
    expires_at: Moment | None


class SubscriptionView(Output):
    """A subscription with its allowances, in burning order."""

    id: str
    account: Code
    plan: str
    version: int
    state: Literal["active", "past_due", "cancelled"]
    cycle_start: Moment
    cycle_end: Moment
    ends: bool
    allowances: tuple[Allowance, ...]


def units_text(base: int, unit: str) -> str:
    """Write base units of a meter as a decimal string of its own unit."""
    return format_amount(base // scale_of(unit), decimals_min=0)
