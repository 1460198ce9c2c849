"""Rows on stdout: a table for people, CSV for spreadsheets, JSON for programs."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Final

import typer

from billing.clock import SystemClock
from billing.reports import Span
from ivr.cli import context
from ivr.spreadsheet import harmless

FORMATS: Final = ("table", "json", "csv")
NUMBER: Final = re.compile(r"-?\d*(?:\.\d+)?", re.ASCII)

First = Annotated[
    datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day (UTC).")
]
Last = Annotated[
    datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day (UTC).")
]
Format = Annotated[str, typer.Option("--format", help="table, json or csv")]


def days(first: datetime | None, last: datetime | None) -> Span:
    """Read --from and --to; this month until today by default."""
    end = last.date() if last else SystemClock().now().date()
    start = first.date() if first else end.replace(day=1)
    if start > end:
        raise typer.BadParameter("the last day is before the first", param_hint="--to")
    return Span(first=start, last=end)


def chosen(output: str, *, json: bool) -> str:
    """Read --format and --json."""
    if output not in FORMATS:
        raise typer.BadParameter(f"write {', '.join(FORMATS)}", param_hint="--format")
    return "json" if json else output


def show(
    rows: Sequence[Mapping[str, object]], columns: Sequence[str], output: str, span: Span
) -> None:
    """Print rows in the chosen format; an empty report says so."""
    if output == "json":
        context.emit({"from": _day(span.first), "to": _day(span.last), "rows": list(rows)})
        return
    cells = [[_cell(row.get(column, "")) for column in columns] for row in rows]
    if output == "csv":
        writer = csv.writer(sys.stdout)
        writer.writerow(columns)
        writer.writerows(
            [cell if _is_number(cell) else harmless(cell) for cell in line] for line in cells
        )
        return
    if not rows:
        context.say("nothing in this time")
        return
    numbers = [all(_is_number(line[place]) for line in cells) for place in range(len(columns))]
    widths = [max(len(line[place]) for line in [columns, *cells]) for place in range(len(columns))]
    for line in [list(columns), *cells]:
        context.say(
            "  ".join(
                cell.rjust(width) if number else cell.ljust(width)
                for cell, width, number in zip(line, widths, numbers, strict=True)
            ).rstrip()
        )


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def _is_number(text: str) -> bool:
    return NUMBER.fullmatch(text) is not None


def _day(day: date) -> str:
    return day.isoformat()
