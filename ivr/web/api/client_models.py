"""What the API reads and writes of clients and what is agreed with them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ivr.directory.catalog_clients import TITLE_MAX
from ivr.directory.rules import CALLS_MAX
from ivr.web.api.line_models import Notation, Version
from ivr.web.api.models import Moment, Money, Output, Text
from ivr.web.api.paging import PageQuery
from ivr.web.fields import Code, CreditLimit, Day, Input, TopUpAmount

PARTIES_MAX = 20
COUNTRIES_MAX = 250
BasisPoints = Annotated[
    int, Field(ge=0, le=10_000, description="Hundredths of a percent.", examples=[7000])
]
Mark = Annotated[
    str,
    Field(
        pattern=r"^(?:[0-9a-f]{32})?$",
        description="Of what it was made from; empty for a new client.",
    ),
]
Title = Annotated[
    Text,
    Field(
        max_length=TITLE_MAX,
        examples=["Acme IT Support"],
        json_schema_extra={"maxLength": TITLE_MAX},
    ),
]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["USD"])]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$", examples=["DE"])]


class ClientsQuery(PageQuery):
    """Which clients; `q` is a part of a code or title."""

    q: Text | None = None
    state: Literal["active", "suspended", "held"] | None = None


class ClientItem(Output):
    """A client in the list; `gross` and `share` are of this month, UTC."""

    client: str
    title: str
    currency: str
    suspended: bool
    payouts_held: bool
    dids: int
    gross: Money
    share: Money
    pending: Money
    payable: Money


class Clients(Output):
    """A page of clients by code."""

    items: tuple[ClientItem, ...]
    next: str | None


class ShareTerms(Input):
    """A party's part of each call; all of them are 10,000 basis points.

    `fixed_fee` is the provider's alone, and comes before all parts.
    """

    party: Literal["provider", "client", "reseller", "referrer"]
    account: Code = Field(description="`provider`, the client itself, or the partner's code.")
    basis_points: BasisPoints
    fixed_fee: CreditLimit = 0


class ReferrerTerms(Input):
    """Who brought the client: a part of the provider's part, from a day until a day (UTC).

    Without days: from the client's start, for twelve months. The bonus is paid once.
    """

    account: Code
    basis_points: BasisPoints
    starts: Day | None = None
    until: Day | None = None
    bonus: CreditLimit = 0


class ClientDraft(Input):
    """All that is agreed with a client; what is left out is not there any more."""

    title: Title
    currency: Currency
    shares: Annotated[
        tuple[ShareTerms, ...],
        Field(
            min_length=1,
            max_length=PARTIES_MAX,
            examples=[
                [
                    {"party": "provider", "account": "provider", "basis_points": 3000},
                    {"party": "client", "account": "acme", "basis_points": 7000},
                ]
            ],
        ),
    ]
    referrers: Annotated[tuple[ReferrerTerms, ...], Field(max_length=PARTIES_MAX)] = ()
    calls_max: Annotated[int, Field(ge=1, le=CALLS_MAX)] | None = None
    countries: Annotated[tuple[Country, ...], Field(max_length=COUNTRIES_MAX)] = ()


class ClientEdit(ClientDraft):
    """A client as it shall be; its lines, queues and limits stay as they are."""

    version: Mark


class ClientPreview(ClientDraft):
    """A client as it might be, and an amount to be divided by it."""

    amount: TopUpAmount = 10_000_000


class Suspension(Input):
    """Whether the lines of a client take new calls, and why."""

    suspended: bool
    reason: Text | None = None


class ShareView(Output):
    """A party's part of each call."""

    party: str
    account: str
    basis_points: int
    fixed_fee: Money


class ReferrerView(Output):
    """Who brought the client, and what for."""

    account: str
    basis_points: int
    starts: Moment | None
    until: Moment | None
    bonus: Money


class ClientView(Output):
    """A client: what is agreed, its rules, and where it stands this month."""

    client: str
    title: str
    currency: str
    suspended: bool
    shares: tuple[ShareView, ...]
    referrers: tuple[ReferrerView, ...]
    calls_max: int | None
    countries: tuple[str, ...]
    version: str
    created_at: Moment
    calls: int
    gross: Money
    share: Money
    pending: Money
    payable: Money
    payouts_held: bool
    webhooks: int
    dids: tuple[str, ...]


class Agreement(Output):
    """A version of what was agreed; calls are divided by the one of their price's moment."""

    number: int
    in_force_from: Moment
    actor: str | None
    shares: tuple[ShareView, ...]
    referrers: tuple[ReferrerView, ...]
    changes: tuple[str, ...] = Field(description="What it changed, in words.")


class Agreements(Output):
    """A page of versions, newest first."""

    items: tuple[Agreement, ...]
    next: str | None


class PartPreview(Output):
    """What a party gets of the amount; null where it gets no part."""

    party: str
    account: str
    before: Money | None
    after: Money | None


class AgreementPreview(Output):
    """An amount divided by what is in force and by what was sent."""

    client: str
    currency: str
    amount: Money
    parts: tuple[PartPreview, ...]


class LimitsEdit(Input):
    """What a client's own logins may change."""

    notation: Notation
    version: Version


class LimitsView(Output):
    """What a client's own logins may change."""

    client: str
    version: str
    notation: Notation


class AgreementsQuery(PageQuery):
    """Paging, newest first."""
