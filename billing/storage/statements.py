"""Statements without a dialect: what the ledger asks of a database, said by table and columns.

    Find     rows by key, for many keys at once
    Insert   many rows
    Update   many rows by id, each only where a guard still holds
    Add      amounts to sums, each made when first added to
    Adds     several of these at once, for one round trip

A unit of work is a generator of steps: it yields a statement with its rows and is sent what was
found. `drivers` runs it, in one thread hop on SQLite, or with one round trip a step on PostgreSQL.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeAlias, TypeVar

from sqlalchemy import BigInteger, Boolean, Column, Executable, Integer, Table

Values: TypeAlias = Sequence[Any]  # Any: values of many column types
Rows: TypeAlias = Sequence[Values]
Found: TypeAlias = list[Values]

T = TypeVar("T")


def array_type(column: Column[Any]) -> str:  # Any: a column of any type
    """Name PostgreSQL's type of an array of this column's values."""
    for kind, name in ((Boolean, "boolean"), (BigInteger, "bigint"), (Integer, "integer")):
        if isinstance(column.type, kind):
            return f"{name}[]"
    return "text[]"


@dataclass(frozen=True)
class Find:
    """Select `columns` of `source` by `keys`; `lock` makes found rows stand still."""

    source: str
    columns: tuple[str, ...]
    keys: tuple[str, ...]
    lock: bool = False

    @cached_property
    def sqlite(self) -> str:
        """For one key; its one writer needs no locks."""
        matches = " AND ".join(f"{key} = ?" for key in self.keys)
        return f"SELECT {', '.join(self.columns)} FROM {self.source} WHERE {matches}"  # noqa: S608 - names of our tables

    @cached_property
    def postgresql(self) -> str:
        """For all keys, locked in the order of ids so that two writers never deadlock."""
        arrays = ", ".join(f"${number + 1}::text[]" for number in range(len(self.keys)))
        tail = " ORDER BY id FOR NO KEY UPDATE" if self.lock else ""
        # `= ANY` takes the index whatever the planner thinks of the size of an array.
        matches = (
            f"{self.keys[0]} = ANY({arrays})"
            if len(self.keys) == 1
            else f"({', '.join(self.keys)}) IN (SELECT * FROM unnest({arrays}))"  # noqa: S608 - as above
        )
        return f"SELECT {', '.join(self.columns)} FROM {self.source} WHERE {matches}{tail}"  # noqa: S608 - as above


@dataclass(frozen=True)
class Insert:
    """Insert rows of `columns`; `ignore` leaves out those that exist."""

    table: Table
    columns: tuple[str, ...]
    ignore: bool = False

    @cached_property
    def sqlite(self) -> str:
        """For one row."""
        marks = ", ".join("?" * len(self.columns))
        return f"{self._into} VALUES ({marks}){self._tail}"

    @cached_property
    def postgresql(self) -> str:
        """For all rows, as one array a column."""
        arrays = _arrays(self.table, self.columns)
        return f"{self._into} SELECT * FROM unnest({arrays}){self._tail}"  # noqa: S608 - as above

    @property
    def _into(self) -> str:
        return f"INSERT INTO {self.table.name} ({', '.join(self.columns)})"

    @property
    def _tail(self) -> str:
        return " ON CONFLICT DO NOTHING" if self.ignore else ""


@dataclass(frozen=True)
class Update:
    """Set `columns` of the rows whose ids come last; `guard` is a column and what it must be."""

    table: Table
    columns: tuple[str, ...]
    guard: tuple[str, str] | None = None

    @cached_property
    def sqlite(self) -> str:
        """For one row."""
        sets = ", ".join(f"{name} = ?" for name in self.columns)
        return f"UPDATE {self.table.name} AS t SET {sets} WHERE t.id = ?{self._guarded('=')}"  # noqa: S608 - as above

    @cached_property
    def postgresql(self) -> str:
        """For all rows, as one array a column."""
        names = (*self.columns, "id")
        # Said with `=` it would invite a scan of the partial index of all that is open.
        guarded = self._guarded("IS NOT DISTINCT FROM")
        sets = ", ".join(f"{name} = v.{name}" for name in self.columns)
        return (
            f"UPDATE {self.table.name} AS t SET {sets} "  # noqa: S608 - as above
            f"FROM unnest({_arrays(self.table, names)}) AS v ({', '.join(names)}) "
            f"WHERE t.id = v.id AND t.id = ANY(${len(names)}){guarded}"
        )

    def _guarded(self, equals: str) -> str:
        return f" AND t.{self.guard[0]} {equals} '{self.guard[1]}'" if self.guard else ""


@dataclass(frozen=True)
class Add:
    """Add `sums` to the rows of `keys`, the primary key; a row that is missing is made."""

    table: Table
    keys: tuple[str, ...]
    sums: tuple[str, ...]

    @cached_property
    def sqlite(self) -> str:
        """For one row."""
        return f"{Insert(self.table, (*self.keys, *self.sums)).sqlite}{self._tail}"

    @cached_property
    def postgresql(self) -> str:
        """For all rows; no two of a step may have the same keys."""
        return f"{Insert(self.table, (*self.keys, *self.sums)).postgresql}{self._tail}"

    @property
    def width(self) -> int:
        """How many values a row has."""
        return len(self.keys) + len(self.sums)

    @property
    def _tail(self) -> str:
        sets = (f"{name} = {self.table.name}.{name} + excluded.{name}" for name in self.sums)
        return f" ON CONFLICT ({', '.join(self.keys)}) DO UPDATE SET {', '.join(sets)}"


@dataclass(frozen=True)
class Adds:
    """Several `Add`s to tables of their own; its rows are those of each, in their order."""

    parts: tuple[Add, ...]

    @cached_property
    def postgresql(self) -> str:
        """One statement for all: what stands in a WITH is written, whether it is read or not."""
        written, number = [], 0
        for name, part in enumerate(self.parts):
            written.append(f"added_{name} AS ({_counted_from(number, part.postgresql)})")
            number += part.width
        return f"WITH {', '.join(written)} SELECT 1"

    def columns(self, rows: Sequence[Rows]) -> list[list[Any]]:  # Any: of many column types
        """Turn rows into one array a column, of all parts; no rows are empty arrays."""
        found: list[list[Any]] = []
        for part, mine in zip(self.parts, rows, strict=True):
            columns = zip(*mine, strict=True) if mine else [()] * part.width
            found += [list(column) for column in columns]
        return found


_MARK: Final = re.compile(r"\$(\d+)")


def _counted_from(number: int, sql: str) -> str:
    """Let the values of a statement be counted from another one than the first."""
    return _MARK.sub(lambda mark: f"${int(mark[1]) + number}", sql)


def _arrays(table: Table, names: Sequence[str]) -> str:
    return ", ".join(
        f"${number}::{array_type(table.c[name])}" for number, name in enumerate(names, 1)
    )


@dataclass(frozen=True)
class Other:
    """Any other insert, update or delete of SQLAlchemy's; its rows are dictionaries."""

    statement: Executable


Statement: TypeAlias = Find | Insert | Update | Add | Adds | Other
Steps: TypeAlias = Generator[tuple[Statement, Sequence[Any]], Found, T]  # Any: Values, or a dict
