"""Documents for people: invoices, credit notes, receipts, statements, and any table as PDF."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from billing.clock import moment_of
from billing.domain.invoices import Line
from billing.domain.notation import format_percent
from billing.invoicing import CreditNote, Invoice
from billing.layout import Column, Issuer, money_text
from billing.money import format_amount
from billing.receipts import AccountStatement, Receipt
from billing.reports import StatementLine
from billing.storage.invoice_rows import Header

if TYPE_CHECKING:
    from billing.paper import Paper

__all__ = [
    "Column", "Issuer", "credit_note_pdf", "invoice_pdf", "receipt_pdf",
    "statement_pdf", "table_pdf",
]  # fmt: skip

COLUMNS_UPRIGHT_MAX: Final = 6
_LINE: Final = (
    Column(title="Description", width=68),
    Column(title="Count", width=14, right=True),
    Column(title="Time", width=20, right=True),
    Column(title="Net", width=24, right=True),
    Column(title="Tax", width=20, right=True),
    Column(title="Total", width=24, right=True),
)

_MOVE: Final = (
    Column(title="Date (UTC)", width=32),
    Column(title="What", width=82),
    Column(title="Amount", width=28, right=True),
    Column(title="Balance", width=28, right=True),
)


def invoice_pdf(invoice: Invoice, issuer: Issuer) -> bytes:
    """Print an invoice, with as many pages as its lines need."""
    header, terms = invoice.header, invoice.header.terms
    paper = _paper(issuer, f"Invoice {header.number}", header.issued_us)
    facts = [
        ("Invoice number", header.number),
        ("Issued", _day(header.issued_us)),
        ("Month", header.month),
        ("Account", header.account),
        ("Due", _day(header.due_us)),
    ]
    paper.heading("Invoice", terms.title, terms.address, facts)
    paper.listing(_LINE, map(_cells, invoice.lines))
    paper.sums(header.net, header.tax, header.total, header.currency)
    due = f"Please pay {money_text(header.total, header.currency)} until {_day(header.due_us)}"
    paper.note("Payment terms", f"{due} (net {terms.terms_days} days).")
    early_until_us = terms.early_until_us(header.issued_us)
    if early_until_us is not None:
        discount = terms.discount_of(header.total)
        paper.note(
            "",
            f"Paid in full until {_day(early_until_us)}: "
            f"{format_percent(terms.early_discount_bp)} discount, "
            f"{money_text(header.total - discount, header.currency)} instead.",
        )
    if terms.late_fee or terms.late_fee_bp:
        parts = [money_text(terms.late_fee, header.currency)] if terms.late_fee else []
        if terms.late_fee_bp:
            parts.append(f"{format_percent(terms.late_fee_bp)} of what is unpaid")
        paper.note("", f"After {_day(header.late_us)} a late fee is added: {' and '.join(parts)}.")
    return paper.finish()


def credit_note_pdf(note: CreditNote, invoice: Header, issuer: Issuer) -> bytes:
    """Print a credit note; it names the invoice that it belongs to."""
    paper = _paper(issuer, f"Credit note {note.number}", note.issued_us)
    facts = [
        ("Credit note number", note.number),
        ("Issued", _day(note.issued_us)),
        ("For invoice", f"{invoice.number} of {_day(invoice.issued_us)}"),
        ("Account", invoice.account),
    ]
    paper.heading("Credit note", invoice.terms.title, invoice.terms.address, facts)
    paper.listing(
        _LINE, map(_cells, [Line(kind="credit_note", text=note.reason, net=note.net, tax=note.tax)])
    )
    paper.sums(note.net, note.tax, note.total, invoice.currency)
    paper.note("", "This amount was added to the balance of the account.")
    return paper.finish()


def receipt_pdf(receipt: Receipt, issuer: Issuer) -> bytes:
    """Print a receipt of money that an account was given."""
    paper = _paper(issuer, "Receipt", receipt.at_us)
    facts = [
        ("Reference", receipt.transfer_id),
        ("Date", f"{_day(receipt.at_us)} (UTC)"),
        ("Account", receipt.account),
    ]
    paper.heading("Receipt", receipt.title, receipt.address, facts)
    text = receipt.kind.replace("_", " ").capitalize()
    text += f": {receipt.memo}" if receipt.memo else ""
    paper.listing(_LINE, map(_cells, [Line(kind=receipt.kind, text=text, net=receipt.amount)]))
    paper.sums(receipt.amount, 0, receipt.amount, receipt.currency)
    paper.note("", f"Balance afterwards: {money_text(receipt.balance, receipt.currency)}.")
    return paper.finish()


def statement_pdf(statement: AccountStatement, issuer: Issuer) -> bytes:
    """Print what moved on an account in some days, between its balance before and after."""
    span, currency = statement.span, statement.currency
    paper = _paper(issuer, f"Statement {span.first} to {span.last}", span.until_us)
    facts = [
        ("Account", statement.account),
        ("Account number", statement.number),
        ("From", f"{span.first} (UTC)"),
        ("To", f"{span.last} (UTC)"),
    ]
    paper.heading("Statement", statement.title, statement.address, facts)
    paper.note("", f"Balance before: {money_text(statement.opening, currency)}.")
    paper.ln(2)
    paper.listing(_MOVE, map(_move, statement.lines))
    paper.note("", f"Balance afterwards: {money_text(statement.closing, currency)}.")
    return paper.finish()


def table_pdf(
    title: str,
    facts: Sequence[tuple[str, str]],
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    issuer: Issuer,
    *,
    at_us: int,
    right: frozenset[int] = frozenset(),
    whom: tuple[str, str] = ("", ""),
) -> bytes:
    """Print any table, on wide pages when it has many columns.

    Args:
        title: What it is.
        facts: Names and values that stand above it, such as the period.
        titles: Those of the columns.
        rows: As many texts a row as there are titles.
        issuer: Who sends it.
        at_us: The moment that it is dated by, in microseconds since 1970.
        right: Columns of numbers, by place.
        whom: Name and address of who gets it.

    """
    paper = _paper(issuer, title, at_us, wide=len(titles) > COLUMNS_UPRIGHT_MAX)
    paper.heading(title, *whom, facts)
    widths = paper.fitted(titles, rows)
    columns = [
        Column(title=name, width=width, right=place in right)
        for place, (name, width) in enumerate(zip(titles, widths, strict=True))
    ]
    paper.listing(columns, rows)
    return paper.finish()


def _paper(issuer: Issuer, title: str, at_us: int, *, wide: bool = False) -> Paper:
    """Take a sheet. What prints it loads now: callers wait for the service, nobody for a PDF."""
    from billing.paper import Paper  # noqa: PLC0415 - see above

    return Paper(issuer, title, at_us, wide=wide)


def _cells(line: Line) -> tuple[str, ...]:
    sold = line.service is not None
    return (
        line.text + (f" ({line.tariff})" if line.tariff else ""),
        str(line.quantity) if sold or line.quantity > 1 else "",
        _time(line.billed_seconds) if sold else "",
        format_amount(line.net),
        format_amount(line.tax),
        format_amount(line.total),
    )


def _move(line: StatementLine) -> tuple[str, ...]:
    what = line.kind.replace("_", " ").capitalize()
    return (
        f"{moment_of(line.at_us):%Y-%m-%d %H:%M}",
        what + (f": {line.memo}" if line.memo else ""),
        format_amount(line.amount),
        format_amount(line.balance_after),
    )


def _day(at_us: int) -> str:
    return moment_of(at_us).date().isoformat()


def _time(seconds: int) -> str:
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
