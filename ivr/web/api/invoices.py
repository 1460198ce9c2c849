"""Operations on invoices: list, show, PDF; make those of a month, pay, credit."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from billing import invoicing
from billing.documents import invoice_pdf
from billing.domain.invoices import Month
from billing.errors import UnknownInvoice
from billing.invoicing import Invoicing
from billing.money import Micros, format_amount
from billing.receivables import Receivables
from billing.storage.invoice_rows import Header
from ivr.calls.history import moment
from ivr.web.api import invoice_models as models
from ivr.web.api.gate import Answer, Ask, FileAnswer, Operation, idempotency_key
from ivr.web.api.places import INVOICE
from ivr.web.scope import CALLERS, OPERATORS, NotYours, Right, Role


async def list_invoices(ask: Ask) -> Answer:
    """List invoices."""
    assert isinstance(ask.query, models.InvoicesQuery)
    account = ask.query.account
    if ask.who.role is Role.CALLER:
        if account not in {None, ask.who.scope.subject}:
            raise NotYours
        account = ask.who.scope.subject
    found = await _invoicing(ask).list_invoices(
        account=account,
        unpaid=ask.query.state == "unpaid",
        after=ask.query.place(int, str),
        limit=ask.query.reach,
    )
    items, after = ask.query.cut(found, lambda one: (one.issued_us, one.number))
    return Answer(
        model=models.Invoices(
            items=tuple(models.Invoice(**_facts(ask, one)) for one in items),
            next=after,
        )
    )


async def show_invoice(ask: Ask) -> Answer:
    """Show one invoice."""
    found = await _mine(ask)
    return Answer(
        model=models.InvoiceDetail(
            **_facts(ask, found.header),
            lines=tuple(
                models.InvoiceLine(
                    kind=line.kind,
                    text=line.text,
                    quantity=line.quantity,
                    billed_seconds=line.billed_seconds,
                    **_sums(line.net, line.tax, line.total),
                )
                for line in found.lines
            ),
            payments=tuple(
                models.Paid(
                    transfer_id=one.transfer_id,
                    kind=one.kind,
                    amount=format_amount(one.amount),
                    at=moment(one.at_us) or "",
                )
                for one in found.allocations
            ),
            credit_notes=tuple(_note(note) for note in found.credit_notes),
        )
    )


async def invoice_file(ask: Ask) -> FileAnswer:
    """Answer the invoice as PDF."""
    found = await _mine(ask)
    body = await asyncio.to_thread(invoice_pdf, found, ask.web.deps.issuer)
    return FileAnswer(body=body, media="application/pdf", name=f"invoice-{found.header.number}.pdf")


async def run(ask: Ask) -> Answer:
    """Bill a month; again it finds nothing to do."""
    assert isinstance(ask.body, models.NewRun)
    done = await _invoicing(ask).run(Month.parse(ask.body.month), account=ask.body.account)
    if done.created:
        await ask.web.note(
            ask.who, "run invoices", ask.body.month, after=f"{len(done.created)} made"
        )
    return Answer(
        model=models.Run(
            created=done.created,
            billed_before=done.billed_before,
            nothing_to_bill=done.nothing_to_bill,
        )
    )


async def pay(ask: Ask) -> Answer:
    """Book a payment, once per key."""
    assert isinstance(ask.body, models.NewPayment)
    header = (await _mine(ask)).header
    done = await _receivables(ask).pay(
        header.account,
        ask.body.amount,
        key=idempotency_key(ask),
        actor=ask.who.login,
        invoice=header.number,
    )
    if not done.replayed:
        facts = f"{format_amount(done.amount)} {done.currency}"
        await ask.web.note(ask.who, "pay invoice", header.number, after=facts)
    model = models.Payment(
        transfer_id=done.transfer_id,
        account=done.account,
        amount=format_amount(done.amount),
        currency=done.currency,
        balance=format_amount(done.balance),
        credit=format_amount(done.credit),
        allocations=_parts(done.allocations),
        discounts=_parts(done.discounts),
        replayed=done.replayed,
    )
    return Answer(model=model, status=200 if done.replayed else 201)


async def credit(ask: Ask) -> Answer:
    """Take back an invoice or a part of it, once per key."""
    assert isinstance(ask.body, models.NewCredit)
    number = (await _mine(ask)).header.number
    note = await _receivables(ask).credit(
        number,
        reason=ask.body.reason,
        actor=ask.who.login,
        amount=ask.body.amount,
        key=idempotency_key(ask),
    )
    await ask.web.note(ask.who, "credit invoice", number, after=f"{note.number} {note.reason}")
    return Answer(model=_note(note))


async def _mine(ask: Ask) -> invoicing.Invoice:
    try:
        found = await _invoicing(ask).invoice(ask.named("invoice"))
    except UnknownInvoice:
        raise NotYours from None
    if ask.who.role is Role.CALLER and found.header.account != ask.who.scope.subject:
        raise NotYours
    return found


def _invoicing(ask: Ask) -> Invoicing:
    return Invoicing(engine=ask.web.deps.engine, clock=ask.web.deps.clock)


def _receivables(ask: Ask) -> Receivables:
    return Receivables(engine=ask.web.deps.engine, clock=ask.web.deps.clock)


def _facts(ask: Ask, one: Header) -> dict[str, Any]:  # Any: values of many types
    return {
        "number": one.number,
        "account": one.account,
        "currency": one.currency,
        "month": one.month,
        "state": one.status(ask.web.now_us()),
        "issued_at": moment(one.issued_us),
        "due_at": moment(one.due_us),
        "unpaid": format_amount(one.unpaid),
        **_sums(one.net, one.tax, one.total),
    }


def _sums(net: Micros, tax: Micros, total: Micros) -> dict[str, str]:
    return {
        "net": format_amount(net),
        "tax": format_amount(tax),
        "total": format_amount(total),
    }


def _note(note: invoicing.CreditNote) -> models.CreditNote:
    return models.CreditNote(
        number=note.number,
        invoice=note.invoice,
        reason=note.reason,
        issued_at=moment(note.issued_us) or "",
        **_sums(note.net, note.tax, note.total),
    )


def _parts(parts: tuple[tuple[str, Micros], ...]) -> tuple[models.Allocation, ...]:
    return tuple(
        models.Allocation(invoice=number, amount=format_amount(amount)) for number, amount in parts
    )


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/invoices",
        name="listInvoices",
        summary="List invoices, oldest first",
        roles=OPERATORS | CALLERS,
        handler=list_invoices,
        query=models.InvoicesQuery,
        answer=models.Invoices,
        problems=("not_found",),
    ),
    Operation(
        method="POST",
        path="/invoices",
        name="runInvoices",
        summary="Make the invoices of a month that is over; again finds nothing to do",
        roles=OPERATORS,
        right=Right.MONEY,
        handler=run,
        body=models.NewRun,
        answer=models.Run,
        problems=("invalid_input", "unknown_account"),
    ),
    Operation(
        method="GET",
        path=f"/invoices/{INVOICE}",
        name="showInvoice",
        summary="Show one invoice with its lines, payments and credit notes",
        roles=OPERATORS | CALLERS,
        handler=show_invoice,
        answer=models.InvoiceDetail,
    ),
    Operation(
        method="GET",
        path=f"/invoices/{INVOICE}/pdf",
        name="downloadInvoice",
        summary="Download an invoice as PDF",
        roles=OPERATORS | CALLERS,
        handler=invoice_file,
        answer=None,
        media="application/pdf",
    ),
    Operation(
        method="POST",
        path=f"/invoices/{INVOICE}/payments",
        name="payInvoice",
        summary="Book a payment for an invoice, once per key",
        roles=OPERATORS,
        right=Right.MONEY,
        handler=pay,
        body=models.NewPayment,
        answer=models.Payment,
        statuses=(201, 200),
        needs_key=True,
        problems=("invalid_input",),
    ),
    Operation(
        method="POST",
        path=f"/invoices/{INVOICE}/credits",
        name="creditInvoice",
        summary="Take back an invoice or a part of it, once per key",
        roles=OPERATORS,
        right=Right.MONEY,
        handler=credit,
        body=models.NewCredit,
        answer=models.CreditNote,
        needs_key=True,
        problems=("invalid_input", "credit_exceeds_invoice"),
    ),
)
