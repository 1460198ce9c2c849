"""The sheets that documents are printed on: heading, tables, sums, notes, page numbers.

The same document is the same bytes each time: it is dated by what it says, never by the moment
of printing. The fonts are those that every reader has; letters beyond Latin-1 lose their marks.

This is the only module that needs fpdf2.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from fpdf import FPDF
from fpdf.enums import Align, XPos, YPos

from billing.clock import moment_of
from billing.layout import Column, Issuer, money_text
from billing.money import Micros

MARGIN: Final = 20
FOOT: Final = 18
ROW: Final = 5
FONT: Final = "helvetica"
# So many rows of a table decide how wide its columns are.
FITTED_ROWS: Final = 500
# Dashes and quotes of typographers, and letters that are no base with marks.
_LETTERS: Final = str.maketrans(
    {
        "€": "EUR", "\u2013": "-", "\u2014": "-", "\u2018": "'", "\u2019": "'", "\u201a": ",",
        "\u201c": '"', "\u201d": '"',
        "\u201e": '"', "…": "...", "•": "-", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "\u0131": "i",
        "œ": "oe", "Œ": "OE", "™": "(TM)", "\u2009": " ", "\u202f": " ",
    }
)  # fmt: skip


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


class Paper(FPDF):
    """A4 pages with a heading, one table, sums, notes, and a foot with page numbers."""

    def __init__(self, issuer: Issuer, title: str, at_us: int, *, wide: bool = False) -> None:
        super().__init__("landscape" if wide else "portrait", format="A4", unit="mm")
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

    def listing(self, columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
        """Print a table; each page begins with the titles of the columns."""
        self._titles(columns)
        for number, row in enumerate(rows):
            self._row(columns, row, shaded=number % 2 == 1)
        self.line(MARGIN, self.get_y(), self.w - MARGIN, self.get_y())
        self.ln(3)

    def fitted(self, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[float, ...]:
        """Return widths in millimetres that fill the page, in proportion to what is written."""
        self.set_font(FONT, style="B", size=8.5)
        wanted = [self.get_string_width(latin(title)) for title in titles]
        for row in rows[:FITTED_ROWS]:
            for place, cell in enumerate(row):
                wanted[place] = max(wanted[place], self.get_string_width(latin(cell)))
        padded = [width + 3 for width in wanted]
        return tuple(width * self.epw / sum(padded) for width in padded)

    def sums(self, net: Micros, tax: Micros, total: Micros, currency: str) -> None:
        """Print net, tax and total, together on one page."""
        self._keep_together(3 * 6 + 4)
        for name, amount in (("Net", net), ("Tax", tax), ("Total", total)):
            self.set_font(FONT, style="B" if name == "Total" else "", size=10)
            self.set_x(108)
            self.cell(32, 6, name)
            self.cell(50, 6, money_text(amount, currency), align=Align.R, new_x=XPos.LMARGIN,
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

    def _titles(self, columns: Sequence[Column]) -> None:
        self.set_font(FONT, style="B", size=8.5)
        self.set_fill_color(230)
        for column in columns:
            align = Align.R if column.right else Align.L
            self.cell(column.width, ROW + 1, latin(column.title), align=align, fill=True)
        self.ln(ROW + 1)

    def _row(self, columns: Sequence[Column], row: Sequence[str], *, shaded: bool) -> None:
        self.set_font(FONT, size=8.5)
        cells = [self._wrapped(column, cell) for column, cell in zip(columns, row, strict=True)]
        height = max(len(lines) for lines in cells)
        if self._keep_together(ROW * height):
            self._titles(columns)
            self.set_font(FONT, size=8.5)
        self.set_fill_color(246)
        for number in range(height):
            for column, lines in zip(columns, cells, strict=True):
                align = Align.R if column.right else Align.L
                text = lines[number] if number < len(lines) else ""
                self.cell(column.width, ROW, text, align=align, fill=shaded)
            self.ln(ROW)

    def _wrapped(self, column: Column, text: str) -> list[str]:
        known = latin(text)
        if self.get_string_width(known) <= column.width - 2 * self.c_margin:
            return [known]
        lines: list[str] = self.multi_cell(
            column.width, ROW, known, dry_run=True, output="LINES", align=Align.L
        )  # type: ignore[assignment]  # the answer is of the kind that was asked for
        return lines

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
