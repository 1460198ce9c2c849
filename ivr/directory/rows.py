"""Compare wanted rows with stored ones, and write only the difference, many at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, TypeAlias

from sqlalchemy import Column, ColumnElement, Table, bindparam, insert, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

KEYS_PER_READ: Final = 1000
EVERY_ROW: Final = true()

Row: TypeAlias = dict[str, Any]  # Any: values of many column types


@dataclass(slots=True, kw_only=True)
class Applied:
    """What an apply did: `tariff standard`, `account alice`, … in their lists."""

    created: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: int = 0
    # What, before and after, of all that is created or changed.
    details: list[tuple[str, object, object]] = field(default_factory=list)

    def note(self, what: str, *, before: object, after: object) -> None:
        """Sort one thing into its list; `before` is None for what is new."""
        if before is None:
            self.created.append(what)
        elif before != after:
            self.changed.append(what)
        else:
            self.unchanged += 1
        if before is None or before != after:
            self.details.append((what, before, after))


async def stored(
    connection: AsyncConnection,
    key: Column[str],
    values: Iterable[str],
    names: Sequence[str],
    *,
    only: ColumnElement[bool] = EVERY_ROW,
) -> dict[str, Row]:
    """Read the columns `names` of the rows whose key is one of the values."""
    columns = [key.table.c[name] for name in names]
    query = select(key.label("row_key"), *columns).where(
        key.in_(bindparam("keys", expanding=True)), only
    )
    found: dict[str, Row] = {}
    left = iter(values)
    while keys := list(islice(left, KEYS_PER_READ)):
        for row in (await connection.execute(query, {"keys": keys})).mappings():
            found[row["row_key"]] = {name: row[name] for name in names}
    return found


async def write(
    connection: AsyncConnection,
    table: Table,
    key: str,
    *,
    wanted: Mapping[str, Row],
    before: Mapping[str, Row],
    new: Row | None = None,
    only: ColumnElement[bool] = EVERY_ROW,
) -> None:
    """Insert rows that are not stored, with the columns of `new` too, and update what differs."""
    inserts = [
        {key: name, **(new or {}), **row} for name, row in wanted.items() if name not in before
    ]
    if inserts:
        await connection.execute(insert(table), inserts)
    updates = [
        {"row_key": name, **row}
        for name, row in wanted.items()
        if name in before and before[name] != row
    ]
    if updates:
        where = (table.c[key] == bindparam("row_key"), only)
        await connection.execute(update(table).where(*where), updates)
