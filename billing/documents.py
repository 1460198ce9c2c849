"""Documents for people: invoices, credit notes and receipts as PDF.

The same document is the same bytes each time: it is dated by what it says, never by the moment
of printing. The fonts are those that every reader has; letters beyond Latin-1 lose their marks.

This is the only module that needs fpdf2.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from fpdf import FPDF
from fpdf.enums import Align, XPos, YPos

from billing.clock import moment_of
from billing.domain.invoices import Line
from billing.domain.notation import format_percent
from billing.invoicing import CreditNote, Invoice
from billing.money import Micros, format_amount
from billing.receipts import Receipt
from billing.storage.invoice_rows import Header

MARGIN: Final = 20
FOOT: Final = 18
ROW: Final = 5
FONT: Final = "helvetica"
# Dashes and quotes of typographers, and letters that are no base with marks.
_LETTERS: Final = str.maketrans(
    {
        "€": "EUR", "\u2013": "-", "\u2014": "-", "\u2018": "'", "\u2019": "'", "\u201a": ",",
        "\u201c": '"', "\u201d": '"',
        "\u201e": '"', "…": "...", "•": "-", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "\u0131": "i",
        "œ": "oe", "Œ": "OE", "™": "(TM)", "\u2009": " ", "\u202f": " ",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Who sends the documents; `details` says where to pay to."""

    title: str
    address: str = ""
    details: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    title: str
    width: int
    align: Align


_COLUMNS: Final = (
    _Column(title="Description", width=68, align=Align.L),
    _Column(title="Count", width=14, align=Align.R),
    _Column(title="Time", width=20, align=Align.R),
    _Column(title="Net", width=24, align=Align.R),
    _Column(title="Tax", width=20, align=Align.R),
    _Column(title="Total", width=24, align=Align.R),
)


def invoice_pdf(invoice: Invoice, issuer: Issuer) -> bytes:
    """Print an invoice, with as many pages as its lines need."""
    header, terms = invoice.header, invoice.header.terms
    paper = _Paper(issuer, f"Invoice {header.number}", header.issued_us)
    facts = [
        ("Invoice number", header.number),
        ("Issued", _day(header.issued_us)),
        ("Month", header.month),
        ("Account", header.account),
        ("Due", _day(header.due_us)),
    ]
    paper.heading("Invoice", terms.title, terms.address, facts)
    paper.line_table(invoice.lines)
    paper.sums(header.net, header.tax, header.total, header.currency)
    due = f"Please pay {_money(header.total, header.currency)} until {_day(header.due_us)}"
    paper.note("Payment terms", f"{due} (net {terms.terms_days} days).")
    early_until_us = terms.early_until_us(header.issued_us)
    if early_until_us is not None:
        discount = terms.discount_of(header.total)
        paper.note(
            "",
            f"Paid in full until {_day(early_until_us)}: "
            f"{format_percent(terms.early_discount_bp)} discount, "
            f"{_money(header.total - discount, header.currency)} instead.",
        )
    if terms.late_fee or terms.late_fee_bp:
        parts = [_money(terms.late_fee, header.currency)] if terms.late_fee else []
        if terms.late_fee_bp:
            parts.append(f"{format_percent(terms.late_fee_bp)} of what is unpaid")
        paper.note("", f"After {_day(header.late_us)} a late fee is added: {' and '.join(parts)}.")
    return paper.finish()


def credit_note_pdf(note: CreditNote, invoice: Header, issuer: Issuer) -> bytes:
    """Print a credit note; it names the invoice that it belongs to."""
    paper = _Paper(issuer, f"Credit note {note.number}", note.issued_us)
    facts = [
        ("Credit note number", note.number),
        ("Issued", _day(note.issued_us)),
        ("For invoice", f"{invoice.number} of {_day(invoice.issued_us)}"),
        ("Account", invoice.account),
    ]
    paper.heading("Credit note", invoice.terms.title, invoice.terms.address, facts)
    paper.line_table([Line(kind="credit_note", text=note.reason, net=note.net, tax=note.tax)])
    paper.sums(note.net, note.tax, note.total, invoice.currency)
    paper.note("", "This amount was added to the balance of the account.")
    return paper.finish()


def receipt_pdf(receipt: Receipt, issuer: Issuer) -> bytes:
    """Print a receipt of money that an account was given."""
    paper = _Paper(issuer, "Receipt", receipt.at_us)
    facts = [
        ("Reference", receipt.transfer_id),
        ("Date", f"{_day(receipt.at_us)} (UTC)"),
        ("Account", receipt.account),
    ]
    paper.heading("Receipt", receipt.title, receipt.address, facts)
    text = receipt.kind.replace("_", " ").capitalize()
    text += f": {receipt.memo}" if receipt.memo else ""
    paper.line_table([Line(kind=receipt.kind, text=text, net=receipt.amount)])
    paper.sums(receipt.amount, 0, receipt.amount, receipt.currency)
    paper.note("", f"Balance afterwards: {_money(receipt.balance, receipt.currency)}.")
    return paper.finish()


def latin(text: str) -> str:
    """Write a text with the letters that the fonts have; what has none becomes a question mark."""
    found = []
    for letter in text.translate(_LETTERS):
        if ord(letter) > 255:
            # An accented letter is its base and its marks.
            base = unicodedata.normalize("NFKD", letter)
            letter = "".join(each for each in base if ord(each) < 256) or "?"  # noqa: PLW2901
        found.append(letter)
    return "".join(found)


class _Paper(FPDF):
    """A4 pages with a heading, one table, sums, notes, and a foot with page numbers."""

    def __init__(self, issuer: Issuer, title: str, at_us: int) -> None:
        super().__init__(format="A4", unit="mm")
        self._issuer = issuer
        self._title = title
        self.set_creation_date(moment_of(at_us))
        self.set_title(latin(title))
        self.set_author(latin(issuer.title))
        self.set_margins(MARGIN, MARGIN, MARGIN)
        self.set_auto_page_break(auto=True, margin=FOOT + 4)
        self.add_page()

    def footer(self) -> None:
        """Number the pages."""
        self.set_y(-FOOT)
        self.set_font(FONT, size=8)
        self.set_text_color(110)
        self.cell(0, 4, latin(f"{self._issuer.title}  |  {self._title}"))
        self.set_x(MARGIN)
        self.cell(0, 4, f"Page {self.page_no()} of {{nb}}", align=Align.R)
        self.set_text_color(0)

    def heading(
        self, word: str, title: str, address: str, facts: Sequence[tuple[str, str]]
    ) -> None:
        """Print who, to whom, and the numbers and dates."""
        self._line(self._issuer.title, size=11, style="B")
        for line in (*_lines(self._issuer.address), *_lines(self._issuer.details)):
            self._line(line, size=9)
        self.ln(8)
        top = self.get_y()
        self._line(title, size=10, style="B", width=80)
        for line in _lines(address):
            self._line(line, size=10, width=80)
        bottom = self.get_y()
        self.set_y(top)
        for name, value in facts:
            self.set_x(108)
            self.set_font(FONT, size=9)
            self.cell(32, ROW, latin(name))
            self.set_font(FONT, style="B", size=9)
            self.multi_cell(50, ROW, latin(value), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.set_y(max(bottom, self.get_y()) + 8)
        self._line(word, size=18, style="B", height=10)
        self.ln(2)

    def line_table(self, lines: Iterable[Line]) -> None:
        """Print the lines; each page begins with the titles of the columns."""
        self._titles()
        for number, line in enumerate(lines):
            self._row(line, shaded=number % 2 == 1)
        self.line(MARGIN, self.get_y(), self.w - MARGIN, self.get_y())
        self.ln(3)

    def sums(self, net: Micros, tax: Micros, total: Micros, currency: str) -> None:
        """Print net, tax and total, together on one page."""
        self._keep_together(3 * 6 + 4)
        for name, amount in (("Net", net), ("Tax", tax), ("Total", total)):
            self.set_font(FONT, style="B" if name == "Total" else "", size=10)
            self.set_x(108)
            self.cell(32, 6, name)
            self.cell(50, 6, _money(amount, currency), align=Align.R, new_x=XPos.LMARGIN,
                      new_y=YPos.NEXT)  # fmt: skip
        self.ln(6)

    def note(self, title: str, text: str) -> None:
        """Print a sentence, with a title above."""
        if title:
            self._keep_together(20)
            self._line(title, size=9, style="B")
        self.set_font(FONT, size=9)
        self.multi_cell(0, ROW, latin(text), new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def finish(self) -> bytes:
        """Return the document."""
        return bytes(self.output())

    def _titles(self) -> None:
        self.set_font(FONT, style="B", size=8.5)
        self.set_fill_color(230)
        for column in _COLUMNS:
            self.cell(column.width, ROW + 1, column.title, align=column.align, fill=True)
        self.ln(ROW + 1)

    def _row(self, line: Line, *, shaded: bool) -> None:
        self.set_font(FONT, size=8.5)
        text = line.text + (f" ({line.tariff})" if line.tariff else "")
        wrapped: list[str] = self.multi_cell(
            _COLUMNS[0].width, ROW, latin(text), dry_run=True, output="LINES", align=Align.L
        )  # type: ignore[assignment]  # the answer is of the kind that was asked for
        if self._keep_together(ROW * len(wrapped)):
            self._titles()
            self.set_font(FONT, size=8.5)
        self.set_fill_color(246)
        sold = line.service is not None
        cells = (
            str(line.quantity) if sold or line.quantity > 1 else "",
            _time(line.billed_seconds) if sold else "",
            format_amount(line.net),
            format_amount(line.tax),
            format_amount(line.total),
        )
        for number, part in enumerate(wrapped):
            texts = (part, *(cells if number == 0 else ("",) * len(cells)))
            for column, value in zip(_COLUMNS, texts, strict=True):
                self.cell(column.width, ROW, value, align=column.align, fill=shaded)
            self.ln(ROW)

    def _line(
        self, text: str, *, size: int, style: str = "", width: int = 0, height: int = ROW
    ) -> None:
        self.set_font(FONT, style=style, size=size)
        self.multi_cell(width, height, latin(text), new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _keep_together(self, height: int) -> bool:
        """Begin a page when so much does not fit any more."""
        if not self.will_page_break(height):
            return False
        self.add_page()
        return True


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _day(at_us: int) -> str:
    return moment_of(at_us).date().isoformat()


def _money(amount: Micros, currency: str) -> str:
    return f"{format_amount(amount)} {currency}"


def _time(seconds: int) -> str:
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
