"""A table that strangers send as CSV: found out by its content, never believed to be what it says.

UTF-8 (with or without a mark) or Windows-1252      comma, semicolon or tab
one line of titles, then rows                       limits for bytes, rows, columns and cells
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ivr.spreadsheet import harmless, plain

BYTES_MAX: Final = 4_000_000
ROWS_MAX: Final = 10_000
COLUMNS_MAX: Final = 40
CELL_MAX: Final = 1_000
DELIMITERS: Final = (",", ";", "\t")
# No text has them; a file that does is a sheet of another kind, a picture, a program.
BINARY: Final = (b"\x00", b"PK\x03\x04", b"%PDF-", b"\xd0\xcf\x11\xe0", b"\x7fELF", b"\x89PNG")


class SheetRefused(Exception):
    """The file is not a table that can be read; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A table: its titles, and rows with the lines that they begin on."""

    titles: tuple[str, ...]
    rows: tuple[tuple[int, Mapping[str, str]], ...]


def read_sheet(
    body: bytes, *, known: Collection[str], needed: Collection[str], ignored: Collection[str] = ()
) -> Sheet:
    """Read a table. `ignored` titles may be there and mean nothing.

    Raises:
        SheetRefused: it is none, or too large, or has other titles.

    """
    text = decode(body)
    delimiter = _delimiter(text)
    # What has no line of titles has no rows either.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[tuple[int, Mapping[str, str]]] = []
    titles: tuple[str, ...] = ()
    line = 1
    try:
        for cells in reader:
            begins, line = line, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not titles:
                titles = _titles(cells, known=known, needed=needed, ignored=ignored)
                continue
            if len(rows) >= ROWS_MAX:
                raise SheetRefused(f"The file has more than {ROWS_MAX:,} rows. Cut it in pieces.")
            rows.append((begins, _row(begins, titles, cells)))
    except csv.Error as error:
        raise SheetRefused(f"Line {reader.line_num} is not CSV: {error}.") from None
    if not rows:
        raise SheetRefused("The file has no rows below its line of titles.")
    return Sheet(titles=titles, rows=tuple(rows))


def decode(body: bytes) -> str:
    """Turn bytes into text.

    Raises:
        SheetRefused: they are none.

    """
    if not body.strip():
        raise SheetRefused("The file is empty. Choose one.")
    if len(body) > BYTES_MAX:
        raise SheetRefused(f"The file has more than {BYTES_MAX // 1_000_000} MB.")
    if any(body.startswith(mark) for mark in BINARY) or b"\x00" in body:
        raise SheetRefused("This is not a text file. Save the sheet as CSV (UTF-8).")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        return body.decode("cp1252")
    except UnicodeDecodeError:
        raise SheetRefused("The letters of the file are neither UTF-8 nor Windows-1252.") from None


def write_sheet(rows: Iterable[Sequence[str]]) -> bytes:
    """Write rows so that no program computes a cell."""
    text = io.StringIO()
    csv.writer(text).writerows([harmless(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


def _delimiter(text: str) -> str:
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(DELIMITERS, key=first.count)


def _titles(
    cells: Sequence[str],
    *,
    known: Collection[str],
    needed: Collection[str],
    ignored: Collection[str],
) -> tuple[str, ...]:
    if len(cells) > COLUMNS_MAX:
        raise SheetRefused(f"The file has more than {COLUMNS_MAX} columns.")
    titles = tuple(plain(cell.strip()).lower().replace(" ", "_") for cell in cells)
    allowed = {*known, *ignored}
    strange = [title for title in titles if title and title not in allowed]
    if strange:
        shown = "".join(each if each.isprintable() else "?" for each in strange[0][:40])
        raise SheetRefused(f"There is no column {shown!r}. Known here: {', '.join(sorted(known))}.")
    twice = [title for title in titles if title and titles.count(title) > 1]
    if twice:
        raise SheetRefused(f"The column {twice[0]!r} is there twice.")
    missing = [title for title in needed if title not in titles]
    if missing:
        raise SheetRefused(f"The column {missing[0]!r} is missing.")
    return titles


def _row(line: int, titles: Sequence[str], cells: Sequence[str]) -> Mapping[str, str]:
    if len(cells) > len(titles) and any(cell.strip() for cell in cells[len(titles) :]):
        raise SheetRefused(f"Line {line} has more cells than there are titles.")
    if any(len(cell) > CELL_MAX for cell in cells):
        raise SheetRefused(f"Line {line} has a cell of more than {CELL_MAX:,} characters.")
    return {title: plain(cell.strip()) for title, cell in zip(titles, cells, strict=False) if title}
