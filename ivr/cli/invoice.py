"""`talkmeter invoice`: run, show, list, pdf, pay, credit, late-fees."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from billing.clock import SystemClock, microseconds_of, moment_of
from billing.money import format_amount, parse_amount
from ivr.cli import context
from ivr.cli.files import write_document

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from billing.domain.invoices import Line
    from billing.invoicing import CreditNote, Invoice, RunResult
    from billing.receivables import LateFee, Paid
    from billing.storage.invoice_rows import Header
    from ivr.settings import Settings

app = typer.Typer(
    help="Invoices of postpaid accounts: run, show, list, pdf, pay, credit, late-fees.",
    no_args_is_help=True,
)
Key = Annotated[str, typer.Option(help="The same key never counts twice.")]


@app.command()
def run(
    month: Annotated[str, typer.Option(help="A month that is over: 2026-10.")],
    account: Annotated[str | None, typer.Option(help="Only this account.")] = None,
    json: context.JsonFlag = False,
) -> None:
    """Bill a month: one invoice for each postpaid account; running it again changes nothing."""
    result, made = context.run(_run(context.settings(), month, account))
    if json:
        context.emit(
            {
                "month": month,
                "created": [_summary(header) for header in made],
                "billed_before": result.billed_before,
                "nothing_to_bill": result.nothing_to_bill,
            }
        )
        return
    for header in made:
        context.say(_sentence(header))
    context.say(
        f"{len(made)} made, {result.billed_before} made before, "
        f"{result.nothing_to_bill} accounts with nothing to bill"
    )


@app.command()
def show(number: str, json: context.JsonFlag = False) -> None:
    """Show an invoice, and what has paid it."""
    invoice = context.run(_show(context.settings(), number))
    header = invoice.header
    if json:
        context.emit(
            {
                **_summary(header),
                "title": header.terms.title,
                "lines": [_line(line) for line in invoice.lines],
                "allocations": [
                    {
                        "kind": each.kind,
                        "transfer_id": each.transfer_id,
                        "amount": format_amount(each.amount),
                        "at": moment_of(each.at_us).isoformat(),
                    }
                    for each in invoice.allocations
                ],
                "credit_notes": [_credit_note(note) for note in invoice.credit_notes],
            }
        )
        return
    context.say(_sentence(header))
    for line in invoice.lines:
        calls = f"{line.quantity} calls, {line.billed_seconds} s" if line.service else ""
        context.say(
            f"  {line.text:<48} {calls:<22} {format_amount(line.net):>14} "
            f"{format_amount(line.tax):>12}"
        )
    context.say(f"  net {format_amount(header.net)}, tax {format_amount(header.tax)}")
    for each in invoice.allocations:
        context.say(f"  {each.kind.replace('_', ' ')} {format_amount(each.amount)}")


@app.command("list")
def list_invoices(
    account: Annotated[str | None, typer.Option(help="Only of this account.")] = None,
    unpaid: Annotated[bool, typer.Option("--unpaid", help="Only what is not paid.")] = False,
    json: context.JsonFlag = False,
) -> None:
    """List invoices, oldest first."""
    found = context.run(_list(context.settings(), account, unpaid=unpaid))
    if json:
        context.emit([_summary(header) for header in found])
        return
    for header in found:
        context.say(_sentence(header))
    if not found:
        context.say("there are no such invoices")


@app.command()
def pdf(
    number: Annotated[str, typer.Argument(help="Of an invoice or a credit note.")],
    out: Annotated[Path, typer.Option(help="Write the document to this file.")],
) -> None:
    """Write an invoice or a credit note as PDF."""
    write_document(out, context.run(_pdf(context.settings(), number)))
    context.say(f"{number} written to {out}")


@app.command()
def pay(
    number: str,
    amount: str,
    key: Key,
    oldest_first: Annotated[
        bool, typer.Option("--oldest-first", help="Pay all invoices of its account, oldest first.")
    ] = False,
    json: context.JsonFlag = False,
) -> None:
    """Book a payment for an invoice; what is too much stays as credit."""
    paid = context.run(_pay(context.settings(), number, amount, key, named=not oldest_first))
    if json:
        context.emit(
            {
                "account": paid.account,
                "amount": format_amount(paid.amount),
                "currency": paid.currency,
                "transfer_id": paid.transfer_id,
                "allocations": {name: format_amount(part) for name, part in paid.allocations},
                "discounts": {name: format_amount(part) for name, part in paid.discounts},
                "credit": format_amount(paid.credit),
                "balance": format_amount(paid.balance),
                "replayed": paid.replayed,
            }
        )
        return
    parts = [f"{format_amount(part)} for {name}" for name, part in paid.allocations]
    parts += [f"{format_amount(part)} discount on {name}" for name, part in paid.discounts]
    if paid.credit:
        parts.append(f"{format_amount(paid.credit)} stays as credit")
    context.say(
        f"{paid.account}: {format_amount(paid.amount)} {paid.currency} "
        f"{'was paid before' if paid.replayed else 'paid'}: {', '.join(parts)}; "
        f"balance {format_amount(paid.balance)} {paid.currency}"
    )


@app.command()
def credit(
    number: str,
    reason: Annotated[str, typer.Option(help="Shown on the credit note.")],
    amount: Annotated[str | None, typer.Option(help="A part; all that is left without it.")] = None,
    key: Annotated[
        str | None, typer.Option(help="Tells apart two notes of one amount and reason.")
    ] = None,
    json: context.JsonFlag = False,
) -> None:
    """Take back an invoice, or a part of it, with a credit note."""
    note = context.run(_credit(context.settings(), number, amount, reason, key))
    if json:
        context.emit(_credit_note(note))
    else:
        context.say(f"{note.number}: {format_amount(note.total)} of invoice {note.invoice}")


@app.command("late-fees")
def late_fees(
    at: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Beginning of this day (UTC); now without it."),
    ] = None,
    account: Annotated[str | None, typer.Option(help="Only this account.")] = None,
    json: context.JsonFlag = False,
) -> None:
    """Charge each overdue invoice its late fee, once; exit 1 when a limit refused one."""
    moment = at.replace(tzinfo=UTC) if at else SystemClock().now()
    fees = context.run(_late_fees(context.settings(), microseconds_of(moment), account))
    if json:
        context.emit([_late_fee(fee) for fee in fees])
    else:
        for fee in fees:
            context.say(
                f"{fee.invoice}: {format_amount(fee.amount)} {fee.currency} of {fee.account} "
                f"{f'refused: {fee.refused}' if fee.refused else 'charged'}"
            )
        if not fees:
            context.say("no invoice is overdue without its late fee")
    if any(fee.refused for fee in fees):
        raise typer.Exit(1)


def _summary(header: Header) -> dict[str, object]:
    early_until_us = header.terms.early_until_us(header.issued_us)
    return {
        "number": header.number,
        "account": header.account,
        "currency": header.currency,
        "month": header.month,
        "issued": moment_of(header.issued_us).isoformat(),
        "due": moment_of(header.due_us).isoformat(),
        "discount_until": moment_of(early_until_us).isoformat() if early_until_us else None,
        "net": format_amount(header.net),
        "tax": format_amount(header.tax),
        "total": format_amount(header.total),
        "unpaid": format_amount(header.unpaid),
        "status": header.status(microseconds_of(SystemClock().now())),
    }


def _sentence(header: Header) -> str:
    due = moment_of(header.due_us).date().isoformat()
    return (
        f"{header.number}  {header.account:<20} {header.month}  "
        f"{format_amount(header.total):>14} {header.currency}  due {due}  "
        f"{header.status(microseconds_of(SystemClock().now()))}"
        f"{f', {format_amount(header.unpaid)} unpaid' if header.allocated else ''}"
    )


def _line(line: Line) -> dict[str, object]:
    return {
        "kind": line.kind,
        "text": line.text,
        "did": line.service,
        "topic": line.detail,
        "tariff": line.tariff,
        "quantity": line.quantity,
        "billed_seconds": line.billed_seconds,
        "net": format_amount(line.net),
        "tax": format_amount(line.tax),
        "total": format_amount(line.total),
    }


def _credit_note(note: CreditNote) -> dict[str, object]:
    return {
        "number": note.number,
        "invoice": note.invoice,
        "issued": moment_of(note.issued_us).isoformat(),
        "reason": note.reason,
        "net": format_amount(note.net),
        "tax": format_amount(note.tax),
        "total": format_amount(note.total),
        "transfer_id": note.transfer_id,
    }


def _late_fee(fee: LateFee) -> dict[str, object]:
    return {
        "invoice": fee.invoice,
        "account": fee.account,
        "amount": format_amount(fee.amount),
        "currency": fee.currency,
        "refused": fee.refused,
    }


@asynccontextmanager
async def _engine(settings: Settings) -> AsyncIterator[AsyncEngine]:
    from ivr.cli.database import PATIENT_SECONDS, database

    async with database(settings, statement_seconds=PATIENT_SECONDS) as engine:
        yield engine


async def _run(
    settings: Settings, month: str, account: str | None
) -> tuple[RunResult, list[Header]]:
    from billing.domain.invoices import Month
    from billing.invoicing import Invoicing

    wanted = Month.parse(month)
    async with _engine(settings) as engine:
        invoicing = Invoicing(engine=engine, clock=SystemClock())
        result = await invoicing.run(wanted, account=account)
        return result, [(await invoicing.invoice(number)).header for number in result.created]


async def _show(settings: Settings, number: str) -> Invoice:
    from billing.invoicing import Invoicing

    async with _engine(settings) as engine:
        return await Invoicing(engine=engine, clock=SystemClock()).invoice(number)


async def _list(settings: Settings, account: str | None, *, unpaid: bool) -> list[Header]:
    from billing.invoicing import Invoicing

    async with _engine(settings) as engine:
        invoicing = Invoicing(engine=engine, clock=SystemClock())
        return await invoicing.list_invoices(account=account, unpaid=unpaid)


async def _pdf(settings: Settings, number: str) -> bytes:
    from billing.documents import credit_note_pdf, invoice_pdf
    from billing.domain.invoices import CREDIT_SERIES
    from billing.invoicing import Invoicing
    from ivr.issuer import issuer_of

    issuer = issuer_of(settings)
    async with _engine(settings) as engine:
        invoicing = Invoicing(engine=engine, clock=SystemClock())
        if number.startswith(f"{CREDIT_SERIES}-"):
            return credit_note_pdf(*await invoicing.credit_note(number), issuer)
        return invoice_pdf(await invoicing.invoice(number), issuer)


async def _pay(settings: Settings, number: str, amount: str, key: str, *, named: bool) -> Paid:
    from billing.invoicing import Invoicing
    from billing.receivables import Receivables

    clock = SystemClock()
    async with _engine(settings) as engine:
        header = (await Invoicing(engine=engine, clock=clock).invoice(number)).header
        return await Receivables(engine=engine, clock=clock).pay(
            header.account,
            parse_amount(amount),
            key=key,
            actor="cli",
            invoice=number if named else None,
        )


async def _credit(
    settings: Settings, number: str, amount: str | None, reason: str, key: str | None
) -> CreditNote:
    from billing.receivables import Receivables

    micros = None if amount is None else parse_amount(amount)
    async with _engine(settings) as engine:
        return await Receivables(engine=engine, clock=SystemClock()).credit(
            number, amount=micros, reason=reason, actor="cli", key=key
        )


async def _late_fees(settings: Settings, at_us: int, account: str | None) -> list[LateFee]:
    from billing.receivables import Receivables

    async with _engine(settings) as engine:
        return await Receivables(engine=engine, clock=SystemClock()).late_fees(
            at_us=at_us, account=account
        )
