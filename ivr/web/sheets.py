"""Tables as files that people open: CSV, a sheet for spreadsheets (XLSX), and PDF.

All three hold the same rows as the page. Texts never become formulas or links; amounts in a sheet
are numbers, in CSV and PDF exact decimals. This is the only module that needs xlsxwriter.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from aiohttp import web

from billing.clock import microseconds_of, moment_of
from billing.documents import Issuer, table_pdf
from billing.domain.notation import format_percent
from billing.money import MICROS_PER_UNIT, format_amount
from ivr.web.grid import NUMERIC, Cell, Grid
from ivr.web.words import duration

KINDS: Final = "csv|xlsx|pdf"
# A longer list is no document for people: the file says so, and that CSV has all of them.
PDF_ROWS_MAX: Final = 2_000
WIDTH_MIN: Final = 8
WIDTH_MAX: Final = 48
TYPES: Final = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pdf": "application/pdf",
}
_FORMATS: Final[Mapping[str, str]] = {
    "money": "#,##0.00####",
    "count": "#,##0",
    "percent": "0.00%",
    "duration": "[h]:mm:ss",
    "moment": "yyyy-mm-dd hh:mm:ss",
}
_SECONDS_PER_DAY: Final = 86_400
_BASIS_POINTS: Final = 10_000


async def body_of(
    grid: Grid, kind: str, *, facts: Sequence[tuple[str, str]], issuer: Issuer, now: datetime
) -> bytes:
    """Write a table as a file: see `file_of`."""
    if kind == "csv":
        return grid.csv().encode()
    if kind == "xlsx":
        return await asyncio.to_thread(workbook, grid, now)
    return await asyncio.to_thread(_document, grid, facts, issuer, now)


async def file_of(
    grid: Grid,
    kind: str,
    *,
    name: str,
    facts: Sequence[tuple[str, str]],
    issuer: Issuer,
    now: datetime,
) -> web.Response:
    """Answer a table as a file to be kept.

    Args:
        grid: The table.
        kind: csv, xlsx or pdf.
        name: Of the file, without its ending: letters, digits, dots, dashes.
        facts: What stands above a PDF, such as the period.
        issuer: Who made it.
        now: When.

    """
    body = await body_of(grid, kind, facts=facts, issuer=issuer, now=now)
    return web.Response(
        body=body,
        content_type=TYPES[kind],
        charset="utf-8" if kind == "csv" else None,
        headers={"Content-Disposition": f'attachment; filename="{name}.{kind}"'},
    )


def workbook(grid: Grid, now: datetime) -> bytes:
    """Write a table as a workbook of one sheet, with a row of titles that stays in sight."""
    import xlsxwriter  # noqa: PLC0415 - nobody who calls waits for it

    file = io.BytesIO()
    options = {
        "in_memory": True, "strings_to_formulas": False, "strings_to_urls": False,
        "strings_to_numbers": False,
    }  # fmt: skip
    with xlsxwriter.Workbook(file, options) as book:
        book.set_properties({"title": grid.caption, "created": now.replace(tzinfo=None)})
        bold = book.add_format({"bold": True, "bottom": 1})
        looks = {kind: book.add_format({"num_format": each}) for kind, each in _FORMATS.items()}
        sheet = book.add_worksheet()
        titles = (*grid.titles, "Currency")
        widths = [len(title) for title in titles]
        for place, title in enumerate(titles):
            sheet.write_string(0, place, title, bold)
        for number, row in enumerate(grid.rows, start=1):
            currency = next((cell.currency for cell in row if cell.currency), "")
            for place, cell in enumerate((*row, Cell(kind="text", value=currency))):
                value = _value(cell)
                if value is not None:
                    sheet.write(number, place, value, looks.get(cell.kind))
                widths[place] = max(widths[place], len(str(value or "")))
        for place, width in enumerate(widths):
            sheet.set_column(place, place, min(max(width + 2, WIDTH_MIN), WIDTH_MAX))
        sheet.freeze_panes(1, 0)
        sheet.autofilter(0, 0, max(len(grid.rows), 1), len(titles) - 1)
    return file.getvalue()


def _value(cell: Cell) -> str | int | Decimal | float | datetime | None:
    if cell.value is None or isinstance(cell.value, str):
        return cell.value
    match cell.kind:
        case "money":
            return Decimal(cell.value) / MICROS_PER_UNIT
        case "percent":
            return Decimal(cell.value) / _BASIS_POINTS
        case "duration":
            return cell.value / _SECONDS_PER_DAY
        case "moment":
            return moment_of(cell.value).replace(tzinfo=None)
        case _:
            return cell.value


def _document(grid: Grid, facts: Sequence[tuple[str, str]], issuer: Issuer, now: datetime) -> bytes:
    rows = [tuple(_written(cell) for cell in row) for row in grid.rows[:PDF_ROWS_MAX]]
    known = [*facts, ("Made", f"{now:%Y-%m-%d %H:%M} UTC")]
    if len(grid.rows) > PDF_ROWS_MAX:
        known.append(("Rows", f"the first {PDF_ROWS_MAX:,} of {len(grid.rows):,}; CSV has all"))
    kinds = [cell.kind for cell in grid.rows[0]] if grid.rows else []
    return table_pdf(
        grid.caption,
        known,
        grid.titles,
        rows,
        issuer,
        at_us=microseconds_of(now),
        right=frozenset(place for place, kind in enumerate(kinds) if kind in NUMERIC),
    )


def _written(cell: Cell) -> str:
    if cell.value is None:
        return ""
    if isinstance(cell.value, str):
        return cell.value
    match cell.kind:
        case "money":
            return f"{format_amount(cell.value)} {cell.currency}"
        case "percent":
            return format_percent(cell.value)
        case "duration":
            return duration(cell.value)
        case "moment":
            return f"{moment_of(cell.value):%Y-%m-%d %H:%M:%S}"
        case _:
            return f"{cell.value:,}"
