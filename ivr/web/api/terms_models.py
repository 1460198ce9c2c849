"""What the API reads and writes of an account's billing, language and notes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from billing.domain.invoices import DAYS_MAX
from ivr.directory.care import NOTE_MAX
from ivr.directory.catalog_billing import ADDRESS_MAX, TITLE_MAX
from ivr.web.api.models import Moment, Money, Output
from ivr.web.fields import Input, Line


class BillingEdit(Input):
    """How a postpaid account is billed; lines of the address are separated by line breaks."""

    cycle: Literal["beginning", "end"]
    terms_days: Annotated[int, Field(ge=0, le=DAYS_MAX)]
    title: Annotated[
        Line, Field(max_length=TITLE_MAX, json_schema_extra={"maxLength": TITLE_MAX})
    ] = ""
    address: Annotated[
        str, Field(max_length=ADDRESS_MAX, examples=["1 Main Street\n12345 Springfield"])
    ] = ""


class Billing(Output):
    """How an account is billed."""

    account: str
    cycle: str
    terms_days: int
    title: str
    address: str
    late_fee: Money
    late_fee_basis_points: int
    grace_days: int
    early_discount_basis_points: int
    early_days: int


class NewLanguage(Input):
    """In which language the caller is spoken to; null: in that of the line."""

    language: Literal["en", "de", "es", "ru"] | None = None


class NewNote(Input):
    """Something to remember."""

    text: Annotated[
        str, Field(min_length=1, max_length=NOTE_MAX, examples=["Calls back on Mondays."])
    ]


class NoteView(Output):
    """A note, who kept it and when."""

    text: str
    by: str
    at: Moment


class Notes(Output):
    """The newest of what is remembered of an account."""

    items: tuple[NoteView, ...]
