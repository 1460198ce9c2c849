"""A table as values: pages write it with the macro `ui.grid`, downloads as CSV, both the same."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from billing.money import Micros, format_amount
from ivr.spreadsheet import harmless

Kind = Literal["text", "badge", "count", "money", "duration", "percent", "moment", "word", "day"]
NUMERIC = frozenset({"count", "money", "duration", "percent"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One value and how it is written; `small` stands below it, `link` is where it leads."""

    kind: Kind
    value: str | int | None
    currency: str = ""
    link: str = ""
    small: str = ""

    @property
    def numeric(self) -> bool:
        """Numbers stand at the right."""
        return self.kind in NUMERIC

    def plain(self) -> str | int:
        """Write it for a spreadsheet."""
        if self.value is None:
            return ""
        if self.kind == "money":
            assert isinstance(self.value, int)
            return format_amount(self.value)
        return harmless(self.value) if isinstance(self.value, str) else self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table: the titles of its columns, and rows of as many cells."""

    caption: str
    titles: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str = "There is nothing yet."

    def csv(self) -> str:
        """Write it for a spreadsheet; the currency of a row is its last column."""
        text = io.StringIO()
        writer = csv.writer(text)
        names = (title.lower().replace(" ", "_") for title in self.titles)
        writer.writerow([*names, "currency"])
        for row in self.rows:
            currency = next((cell.currency for cell in row if cell.currency), "")
            writer.writerow([*(cell.plain() for cell in row), currency])
        return text.getvalue()


def text(value: str, *, link: str = "", small: str = "") -> Cell:
    """Words."""
    return Cell(kind="text", value=value, link=link, small=small)


def word(value: str, *, small: str = "") -> Cell:
    """Words of our own: pages say them in the visitor's language, files in English."""
    return Cell(kind="word", value=value, small=small)


def day(value: date) -> Cell:
    """A day, written as the visitor writes it; in files as 2026-03-31."""
    return Cell(kind="day", value=value.isoformat())


def badge(value: str) -> Cell:
    """A state."""
    return Cell(kind="badge", value=value)


def count(value: int) -> Cell:
    """How many."""
    return Cell(kind="count", value=value)


def money(amount: Micros | None, currency: str) -> Cell:
    """An exact amount."""
    return Cell(kind="money", value=amount, currency=currency)


def seconds(value: int) -> Cell:
    """A duration in seconds."""
    return Cell(kind="duration", value=value)


def percent(basis_points: int | None) -> Cell:
    """Parts of ten thousand, written as a percentage."""
    return Cell(kind="percent", value=basis_points)


def moment(at_us: int | None) -> Cell:
    """A moment."""
    return Cell(kind="moment", value=at_us)


def shares(amounts: dict[str, Micros], kinds: Sequence[str], currency: str) -> tuple[Cell, ...]:
    """What each kind of party got, one cell each."""
    return tuple(money(amounts.get(kind, 0), currency) for kind in kinds)
