"""What the API reads and writes of operations: live calls, queues, limits, alarms."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, create_model

from ivr.directory.fraud_limits import BOUNDS
from ivr.web.api.models import Moment, Money, Output
from ivr.web.api.paging import PageQuery
from ivr.web.fields import Input, Line


class NewExtension(Input):
    """More talk for a live call. The header Idempotency-Key makes it safe to send again."""

    minutes: Annotated[int, Field(ge=1, le=60)]
    reason: Annotated[Line, Field(min_length=1)]


class Extended(Output):
    """The call ends after so much talk now; `amount` is what the provider gave for that."""

    call_id: str
    minutes: int
    ends_after_seconds: int
    amount: Money
    currency: str


class NewListening(Input):
    """Listening to a talk whose caller was told; `phone` is `own`, or `agent:` and its code."""

    phone: Annotated[Line, Field(max_length=80, json_schema_extra={"maxLength": 80})] = "own"
    # Needed; whose call it is comes first.
    reason: Line = ""


class ListeningAsked(Output):
    """The phone rings; it is written down under this id."""

    id: str
    call_id: str


class WaitingCaller(Output):
    """Somebody who waits; `call_id` is null where it is not known here."""

    position: int
    waits_seconds: int
    call_id: str | None


class QueueAgent(Output):
    """An agent: free, ringing, talking, wrap_up, paused, logged_out, or unreachable."""

    code: str
    state: str
    calls: int


class QueueNow(Output):
    """A queue at this moment, and its day in UTC; the level is the share answered within 20 s."""

    name: str
    client: str
    waiting: tuple[WaitingCaller, ...]
    agents: tuple[QueueAgent, ...]
    answered_today: int
    abandoned_today: int
    unanswered_today: int
    average_wait_seconds: float | None
    longest_wait_seconds: int
    service_level_percent: float | None


class QueueBoard(Output):
    """All queues that may be seen; `linked` is false while Asterisk does not answer."""

    linked: bool
    items: tuple[QueueNow, ...]


class AlarmsQuery(PageQuery):
    """Which alarms."""

    state: Literal["open", "acknowledged", "over"] | None = None


class Alarm(Output):
    """Something that somebody should look at. `facts` are names and values, by kind."""

    id: str
    kind: str
    subject: str
    severity: str
    state: str
    title: str
    seen: str
    advice: str
    client: str | None
    facts: dict[str, str]
    opened_at: Moment
    seen_at: Moment
    acknowledged_at: Moment | None
    acknowledged_by: str | None
    note: str | None
    over_at: Moment | None


class Alarms(Output):
    """A page of alarms, newest first."""

    items: tuple[Alarm, ...]
    next: str | None


class Acknowledgement(Input):
    """Somebody looks after an alarm."""

    note: Annotated[Line, Field(max_length=200)] = ""


# Each limit is a whole number within its bounds, or null for none; money is in millionths.
_FIELDS = {
    name: (Annotated[int, Field(ge=bounds.low, le=bounds.high)] | None, ...)
    for name, bounds in BOUNDS.items()
}
Limits = create_model(  # type: ignore[call-overload]  # its fields come from the table of limits
    "Limits",
    __base__=Input,
    __doc__="All limits against fraud; money in millionths of the currency, times in seconds.",
    **_FIELDS,
)


class HealthPart(Output):
    """A part of the system: good, warn or bad."""

    name: str
    state: Annotated[str, Field(pattern="^(good|warn|bad)$")]
    says: str
    figures: dict[str, str]


class Health(Output):
    """How the system is."""

    state: Annotated[str, Field(pattern="^(good|warn|bad)$")]
    parts: tuple[HealthPart, ...]


class Setting(Output):
    """A setting in force; of a secret only whether it is set."""

    group: str
    name: str
    value: str
    source: str
    meaning: str


class Settings(Output):
    """All settings, by group."""

    items: tuple[Setting, ...]
