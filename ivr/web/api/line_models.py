"""What the API reads and writes of lines, topics, queues and prices: the notation, as JSON.

`notation` is what the catalog writes (README, "Catalog"), values as strings. `version` names the
state that it was made from; "" is what is not there yet.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from ivr.web.api.models import Moment, Output
from ivr.web.api.paging import PageQuery
from ivr.web.fields import Code, Input, Line

Notation = Annotated[
    dict[str, Any],  # Any: what the notation's readers read, and name the mistakes of
    Field(description="As in the catalog.", examples=[{"name": "Billing"}]),
]
Version = Annotated[
    str,
    Field(
        pattern=r"^(?:[0-9a-f]{16})?$",
        description="Of what it was made from; empty for what is new.",
    ),
]


class LinesQuery(PageQuery):
    """Which lines, queues or tariffs."""

    client: Code | None = None


class Edit(Input):
    """A change of something."""

    notation: Notation
    version: Version


class LineEdit(Edit):
    """A change of a DID, or a new one, which needs its client."""

    client: Code | None = None


class TariffEdit(Edit):
    """A new version of a tariff; `in_force_from` plans it, `currency` is that of a new tariff."""

    currency: Line | None = None
    in_force_from: Line | None = Field(None, examples=["2027-01-01T00:00+01:00"])


class Retirement(Input):
    """The wish to retire a DID."""

    version: Version


class LineView(Output):
    """A DID."""

    number: str
    client: str
    open: bool
    version: Version
    notation: Notation


class Lines(Output):
    """A page of DIDs by number."""

    items: tuple[LineView, ...]
    next: str | None


class Retired(Output):
    """A DID that takes no calls any more."""

    number: str
    retired: bool = True


class HoursEdit(Input):
    """When a DID is open: `hours` and `holidays` as in the catalog; without them always."""

    notation: Annotated[
        dict[str, Any],  # Any: as above
        Field(
            description="`hours` and `holidays` as in the catalog.",
            examples=[{"hours": [{"days": "mon-fri", "from": "08:00", "to": "18:00"}]}],
        ),
    ]
    version: Version


class OrderEdit(Input):
    """The digits that the topics have now, in the order in which they shall be heard."""

    order: Annotated[
        tuple[Annotated[int, Field(ge=0, le=9)], ...],
        Field(min_length=1, max_length=10, examples=[[2, 1]]),
    ]
    version: Version


class StepsQuery(Input):
    """In which language; that of the line when none is named."""

    language: Literal["en", "de", "es", "ru"] | None = None


class Step(Output):
    """One thing that callers hear; `own` where a sound of the client's is in it."""

    step: str
    title: str
    text: str
    own: bool


class Steps(Output):
    """What callers hear, in its order, at this moment."""

    number: str
    language: str
    languages: tuple[str, ...]
    items: tuple[Step, ...]


class UsedSound(Input):
    """A sound to be said as the name of a topic, without a digit as the greeting.

    Without a prompt ours is said again.
    """

    digit: Annotated[int, Field(ge=0, le=9)] | None = None
    prompt: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$", examples=["welcome"])] | None = None


class LineSound(Output):
    """Something that a DID says; `digit` is null for its greeting, `prompt` where it is ours."""

    digit: int | None
    says: str
    prompt: str | None


class LineSounds(Output):
    """All that may be said by a sound of the client's own."""

    number: str
    items: tuple[LineSound, ...]


class QueueGone(Output):
    """A queue that is deleted."""

    name: str
    deleted: bool = True


class AgentPin(Output):
    """A new PIN of an agent; it is kept as a hash, so it is told this once."""

    queue: str
    agent: str
    pin: str


class TopicView(Output):
    """A topic; `version` is that of its line."""

    number: str
    digit: int
    open: bool
    version: Version
    notation: Notation


class QueueView(Output):
    """A queue with its agents; PINs are never shown."""

    name: str
    client: str
    version: Version
    notation: Notation


class Queues(Output):
    """A page of queues by name."""

    items: tuple[QueueView, ...]
    next: str | None


class TariffView(Output):
    """A tariff in force, and what is planned."""

    name: str
    number: int = Field(description="The number of the version in force.")
    currency: str
    version: Version
    notation: Notation
    planned_from: Moment | None
    planned: Notation | None


class Tariffs(Output):
    """A page of tariffs by name."""

    items: tuple[TariffView, ...]
    next: str | None
