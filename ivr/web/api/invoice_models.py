"""What the API reads and writes of invoices."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ivr.web.api.models import Moment, Money, Output, Text
from ivr.web.api.paging import PageQuery
from ivr.web.fields import Code, Input, TopUpAmount

MonthText = Annotated[
    str, Field(pattern=r"^(19[7-9][0-9]|2[0-9]{3})-(0[1-9]|1[0-2])$", examples=["2026-10"])
]


class InvoicesQuery(PageQuery):
    """Which invoices."""

    account: Code | None = None
    state: Literal["unpaid"] | None = None


class NewRun(Input):
    """A month that is over, for all postpaid accounts or one."""

    month: MonthText
    account: Code | None = None


class Run(Output):
    """What a run did: the invoices it made, and how many accounts needed none."""

    created: tuple[str, ...]
    billed_before: int
    nothing_to_bill: int


class NewPayment(Input):
    """A payment for an invoice; what is too much becomes credit."""

    amount: TopUpAmount


class NewCredit(Input):
    """A credit note; without an amount it takes back all that is left of the invoice."""

    amount: TopUpAmount | None = None
    reason: Text


class Invoice(Output):
    """An invoice without its lines."""

    number: str
    account: str
    currency: str
    month: str
    state: str
    issued_at: Moment
    due_at: Moment
    net: Money
    tax: Money
    total: Money
    unpaid: Money


class InvoiceLine(Output):
    """One line of an invoice."""

    kind: str
    text: str
    quantity: int
    billed_seconds: int
    net: Money
    tax: Money
    total: Money


class Paid(Output):
    """What paid an invoice, or a part of it."""

    transfer_id: str
    kind: str
    amount: Money
    at: Moment


class CreditNote(Output):
    """What was taken back of an invoice."""

    number: str
    invoice: str
    reason: str
    net: Money
    tax: Money
    total: Money
    issued_at: Moment


class InvoiceDetail(Invoice):
    """An invoice with its lines and what became of it."""

    lines: tuple[InvoiceLine, ...]
    payments: tuple[Paid, ...]
    credit_notes: tuple[CreditNote, ...]


class Invoices(Output):
    """A page of invoices, oldest first."""

    items: tuple[Invoice, ...]
    next: str | None


class Allocation(Output):
    """What a payment paid of an invoice."""

    invoice: str
    amount: Money


class Payment(Output):
    """A payment as booked; `credit` pays the next invoice."""

    transfer_id: str
    account: str
    amount: Money
    currency: str
    balance: Money
    credit: Money
    allocations: tuple[Allocation, ...]
    discounts: tuple[Allocation, ...]
    replayed: bool
