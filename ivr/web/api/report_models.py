"""What the API of reports reads and writes."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from ivr.web.api.models import Money, Output
from ivr.web.api.paging import PageQuery
from ivr.web.api.periods import PeriodQuery
from ivr.web.fields import Code


class Period(Output):
    """A report of some days, both included."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)

    first: date = Field(serialization_alias="from")
    last: date = Field(serialization_alias="to")


class RevenueQuery(PeriodQuery, PageQuery):
    """Revenue by what; of a client its own."""

    by: Literal["client", "did", "topic", "tariff", "day"] = "day"
    client: Code | None = None


class RevenueRow(Output):
    """What one group earned. `corrected`: what refunds of these days changed, not in the others."""

    key: dict[str, str]
    currency: str
    calls: int
    talk_seconds: float
    billed_seconds: int
    gross: Money
    corrected: Money
    shares: dict[str, Money]


class Revenue(Period):
    """A page of revenue, in the order of the key."""

    by: str
    rows: tuple[RevenueRow, ...]
    next: str | None


class CallersQuery(PeriodQuery):
    """Which callers: those who paid most."""

    client: Code | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 100


class CallerRow(Output):
    """What one caller bought."""

    account: str
    currency: str
    calls: int
    billed_seconds: int
    gross: Money


class Callers(Period):
    """Who paid most, in that order."""

    rows: tuple[CallerRow, ...]


class ClientPeriodQuery(PeriodQuery):
    """Which days, of all clients or one."""

    client: Code | None = None


class ArpuRow(Output):
    """Average revenue per caller in one currency."""

    currency: str
    callers: int
    calls: int
    gross: Money
    per_caller: Money


class Arpu(Period):
    """Average revenue per caller."""

    rows: tuple[ArpuRow, ...]


class MrrRow(Output):
    """Recurring revenue of a month in one currency, and what moved it."""

    currency: str
    opening: Money
    closing: Money
    moves: dict[str, Money]
    kept: Money
    subscriptions: int
    lost: int


class Mrr(Period):
    """Monthly recurring revenue."""

    rows: tuple[MrrRow, ...]


class UnansweredQuery(PeriodQuery):
    """Unanswered calls by what."""

    by: Literal["did", "topic", "hour", "reason"] = "did"
    client: Code | None = None


class UnansweredRow(Output):
    """Calls without a talk in one group; `seconds` from the first ring to the end, in all."""

    key: str
    calls: int
    seconds: int


class Unanswered(Period):
    """Where, when or why callers were lost."""

    by: str
    rows: tuple[UnansweredRow, ...]
