"""What the API reads and writes of what talks cost."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ivr.web.api.line_models import Notation
from ivr.web.api.models import ChargeLine, Moment, Money, Output, Share
from ivr.web.api.paging import PageQuery
from ivr.web.fields import Code, Input, Line

TALK_SECONDS_MAX = 24 * 3600
VERSION_MAX = 1_000_000


class VersionsQuery(PageQuery):
    """Paging, newest first."""


class TariffVersion(Output):
    """A version of a tariff; lines and topics may stay with it as `name@number`."""

    number: int
    in_force_from: Moment
    currency: str
    notation: Notation


class TariffVersions(Output):
    """A page of versions, newest first; the first may be planned."""

    items: tuple[TariffVersion, ...]
    next: str | None


class TalkQuery(Input):
    """A talk: how long, by which version (that in force), and whose agreement divides it."""

    seconds: Annotated[int, Field(ge=0, le=TALK_SECONDS_MAX)] = 600
    number: Annotated[int, Field(ge=1, le=VERSION_MAX)] | None = Field(
        None, description="The number of a version; that in force when none is named."
    )
    client: Code | None = None


class TalkQuote(Output):
    """What a talk would cost; `split` is null where no client's agreement divides it.

    Prices of the day and week count from their own hours on; here it is the plain price.
    """

    tariff: str
    number: int
    currency: str
    seconds: int
    billed_seconds: int
    cost: Money
    lines: tuple[ChargeLine, ...]
    split: tuple[Share, ...] | None


class TariffDraft(Input):
    """Prices that are not saved; `currency` is that of a new tariff."""

    notation: Notation
    currency: Line | None = None


class TalkExample(Output):
    """What a talk of some minutes costs now, and would cost."""

    minutes: int
    before: Money | None
    after: Money


class TariffPreview(Output):
    """What saving would change, as lines of the notation, and what talks would cost."""

    tariff: str
    currency: str
    removed: str
    added: str
    examples: tuple[TalkExample, ...]
    used_by: tuple[str, ...] = Field(description="DIDs that talks are rated by it on.")


class PlanEdit(Input):
    """A plan in the notation; `currency` is that of a new plan."""

    notation: Notation
    version: Annotated[
        str,
        Field(
            pattern=r"^(?:[0-9a-f]{16})?$",
            description="Of what it was made from; empty for a new plan.",
        ),
    ]
    currency: Line | None = None


class PlanDraft(Input):
    """A plan that is not saved."""

    notation: Notation
    currency: Line | None = None


class PlanTerms(Output):
    """A plan as it is sold now; who subscribed before keeps the version of then."""

    name: str
    number: int
    currency: str
    version: str
    notation: Notation
    subscribers: int


class PlanPreview(Output):
    """What saving would change, as lines of the notation."""

    plan: str
    currency: str
    removed: str
    added: str
    subscribers: int
