"""One line of a usage file: its cells, its seconds, its moment; or why they cannot be read."""

from __future__ import annotations

import csv
import re
from datetime import datetime
from typing import Final

from billing.domain.rating import MICROSECONDS, seconds_of
from billing.domain.tariffs import SECONDS_MAX

ROW: Final = "row"
"""The column of a fault that is in no single column."""

_SECONDS = re.compile(r"(\d{1,8})(?:\.(\d{1,6}))?", re.ASCII)


class Refused(Exception):
    """A row cannot be rated: the column at fault, and why."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column = column
        self.reason = reason


def cells_of(line: str) -> list[str]:
    """Cut a line into its cells.

    Raises:
        Refused: the line is no row.

    """
    if "\0" in line:
        raise Refused(ROW, "a NUL byte")
    if "\r" in line:
        raise Refused(ROW, "a carriage return inside")
    if '"' not in line:
        return line.split(",")
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error:
        raise Refused(ROW, "a quote is not closed on its line, or not quoted itself") from None


def begun_seconds(text: str) -> int:
    """Read seconds of talk and count the begun ones.

    Raises:
        Refused: not a duration that can be rated.

    """
    match = _SECONDS.fullmatch(text)
    if match is not None:
        talk_us = int(match[1]) * MICROSECONDS + int((match[2] or "").ljust(6, "0"))
        if talk_us <= SECONDS_MAX * MICROSECONDS:
            return seconds_of(talk_us)
    raise Refused("seconds", f"write seconds such as 1530 or 4.25, at most {SECONDS_MAX}")


def moment_in(text: str) -> datetime | None:
    """Read the moment of a start; empty is none.

    Raises:
        Refused: not a moment with its offset.

    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Refused("started_at", "write 2026-01-31T18:30:00+02:00")
    return moment
