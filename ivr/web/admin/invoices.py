"""Invoices for operators: the list, one of them, its PDF, paying and crediting it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import BeforeValidator, Field

from billing.documents import invoice_pdf
from billing.invoicing import Invoice, Invoicing
from billing.money import format_amount
from billing.receivables import Receivables
from ivr.web import grid
from ivr.web.fields import (
    PAGE_SIZE,
    Line,
    OptionalCode,
    PageInput,
    TopUpAmount,
    read_cursor,
    write_cursor,
)
from ivr.web.forms import FormKey, attempt, new_key, read_sent
from ivr.web.grid import Grid
from ivr.web.guard import Page, read_query, render
from ivr.web.language import gettext as _
from ivr.web.lists import first_link, next_link, read_filter
from ivr.web.problems import Refusal
from ivr.web.scope import OPERATORS, Right, Who
from ivr.web.state import Web, web_of
from ivr.web.words import word

Number = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,40}$")]


OptionalMonth = Annotated[
    Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")] | None,
    BeforeValidator(lambda value: value or None),
]


class InvoiceFilter(PageInput):
    """Which invoices are listed."""

    account: OptionalCode = None
    state: Literal["", "unpaid", "overdue", "paid"] = ""
    month: OptionalMonth = None


class PayForm(PageInput):
    """A payment for one invoice, once per form."""

    number: Number
    amount: TopUpAmount
    key: FormKey


class CreditForm(PageInput):
    """A credit note; without an amount it takes back all that is left of the invoice."""

    number: Number
    credit: TopUpAmount | None = None
    reason: Annotated[Line, Field(min_length=1)]
    key: FormKey


def _invoicing(running: Web) -> Invoicing:
    return Invoicing(engine=running.deps.engine, clock=running.deps.clock)


def _receivables(running: Web) -> Receivables:
    return Receivables(engine=running.deps.engine, clock=running.deps.clock)


async def show(request: web.Request, who: Who) -> web.Response:
    """List invoices, newest first."""
    running = web_of(request)
    form = read_filter(request, InvoiceFilter)
    place = read_cursor(request.query.get("after", ""), str)
    newest = await _invoicing(running).page_of_invoices(
        account=form.value.account,
        month=form.value.month,
        state=form.value.state,
        before=place[0] if place else "",
        limit=PAGE_SIZE + 1,
    )
    cursor = write_cursor(newest[PAGE_SIZE - 1].number) if len(newest) > PAGE_SIZE else None
    table = Grid(
        caption="Invoices, newest first",
        titles=("Number", "Account", "Month", "State", "Due", "Total", "Unpaid"),
        rows=tuple(
            (
                grid.text(one.number, link=f"/admin/invoice?number={one.number}"),
                grid.text(one.account, link=f"/admin/accounts/{one.account}"),
                grid.text(one.month),
                grid.badge(one.status(running.now_us())),
                grid.moment(one.due_us),
                grid.money(one.total, one.currency),
                grid.money(one.unpaid, one.currency),
            )
            for one in newest[:PAGE_SIZE]
        ),
        empty=_("There are no such invoices."),
    )
    values = {
        "invoices": table,
        "form": form,
        "last_month": _last_month(running.now().date()),
        "next": next_link(request, cursor),
        "first": first_link(request),
    }
    return render(request, "admin/invoices.html", who, values)


def _last_month(today: date) -> str:
    return f"{today.replace(day=1) - timedelta(days=1):%Y-%m}"


async def show_one(request: web.Request, who: Who) -> web.Response:
    """Show an invoice."""
    return await _page(request, who, _number(request), typed={}, errors={})


def _number(request: web.Request) -> str:
    """Read which invoice is meant; without any word of it, all are shown."""
    if "number" not in request.query:
        raise web.HTTPSeeOther("/admin/invoices")
    number = read_query(request).get("number", "")
    if not number:
        raise Refusal("invalid", "Say which invoice.", fields={"number": "Please fill this in."})
    return number


async def _page(
    request: web.Request,
    who: Who,
    number: str,
    *,
    typed: Mapping[str, str],
    errors: Mapping[str, str],
) -> web.Response:
    running = web_of(request)
    invoice = await _invoicing(running).invoice(number)
    values = {
        "invoice": invoice,
        "head": invoice.header,
        "state": invoice.header.status(running.now_us()),
        "lines": _lines(invoice),
        "moves": _moves(invoice),
        "typed": typed,
        "errors": errors,
        "key": new_key(),
    }
    return render(request, "admin/invoice.html", who, values, status=422 if errors else 200)


def _lines(invoice: Invoice) -> Grid:
    currency = invoice.header.currency
    return Grid(
        caption="Lines",
        titles=("What", "Count", "Billed", "Net", "Tax", "Total"),
        rows=tuple(
            (
                grid.text(line.text),
                grid.count(line.quantity),
                grid.seconds(line.billed_seconds),
                grid.money(line.net, currency),
                grid.money(line.tax, currency),
                grid.money(line.total, currency),
            )
            for line in invoice.lines
        ),
    )


def _moves(invoice: Invoice) -> Grid:
    """List what paid the invoice, then its credit notes."""
    currency = invoice.header.currency
    paid = [
        (
            grid.moment(one.at_us),
            grid.text(word(one.kind)),
            grid.money(one.amount, currency),
        )
        for one in invoice.allocations
    ]
    noted = [
        (
            grid.moment(note.issued_us),
            grid.text(_("Credit note %(number)s", number=note.number), small=note.reason),
            grid.money(note.total, currency),
        )
        for note in invoice.credit_notes
    ]
    return Grid(
        caption="Payments and credit notes",
        titles=("When", "What", "Amount"),
        rows=(*paid, *noted),
        empty="Nothing was paid yet.",
    )


async def pdf(request: web.Request, who: Who) -> web.Response:
    """Answer the invoice as PDF."""
    del who  # every operator may have it
    running = web_of(request)
    invoice = await _invoicing(running).invoice(_number(request))
    body = await asyncio.to_thread(invoice_pdf, invoice, running.deps.issuer)
    name = f"invoice-{invoice.header.number}.pdf"
    return web.Response(
        body=body,
        content_type="application/pdf",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def pay(request: web.Request, who: Who) -> web.StreamResponse:
    """Book a payment for an invoice, once per form."""
    running = web_of(request)
    sent = await read_sent(request, PayForm)
    form = sent.value
    if form is None:
        return await _wrong(request, who, sent.typed, sent.errors)
    header = (await _invoicing(running).invoice(form.number)).header
    done, refused = await attempt(
        _receivables(running).pay(
            header.account, form.amount, key=form.key, actor=who.login, invoice=form.number
        )
    )
    if done is None:
        return await _wrong(request, who, sent.typed, {"amount": refused})
    if not done.replayed:
        facts = f"{format_amount(done.amount)} {done.currency}"
        await running.note(who, "pay invoice", form.number, after=facts)
    raise web.HTTPSeeOther(f"/admin/invoice?number={form.number}")


async def credit(request: web.Request, who: Who) -> web.StreamResponse:
    """Take back an invoice or a part of it, once per form."""
    running = web_of(request)
    sent = await read_sent(request, CreditForm)
    form = sent.value
    if form is None:
        return await _wrong(request, who, sent.typed, sent.errors)
    done, refused = await attempt(
        _receivables(running).credit(
            form.number, reason=form.reason, actor=who.login, amount=form.credit, key=form.key
        )
    )
    if done is None:
        return await _wrong(request, who, sent.typed, {"credit": refused})
    await running.note(who, "credit invoice", form.number, after=f"{done.number} {done.reason}")
    raise web.HTTPSeeOther(f"/admin/invoice?number={form.number}")


async def _wrong(
    request: web.Request, who: Who, typed: Mapping[str, str], errors: Mapping[str, str]
) -> web.Response:
    number = typed.get("number", "")
    if not number or "number" in errors:
        raise Refusal("invalid", "Say which invoice.", fields={"number": "Please fill this in."})
    return await _page(request, who, number, typed=typed, errors=errors)


PAGES: Final = (
    Page(method="GET", path="/admin/invoices", roles=OPERATORS, handler=show),
    Page(method="GET", path="/admin/invoice", roles=OPERATORS, handler=show_one),
    Page(method="GET", path="/admin/invoice.pdf", roles=OPERATORS, handler=pdf),
    Page(
        method="POST",
        path="/admin/invoice/payments",
        roles=OPERATORS,
        handler=pay,
        right=Right.MONEY,
    ),
    Page(
        method="POST",
        path="/admin/invoice/credits",
        roles=OPERATORS,
        handler=credit,
        right=Right.MONEY,
    ),
)
