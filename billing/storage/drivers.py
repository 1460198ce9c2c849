"""Runs units of work on the driver's own connection, without a layer between it and the rows.

    SQLite       the whole transaction is one call into the driver's thread
    PostgreSQL   one prepared statement for all rows of a step

SQLAlchemy owns the connection (pool, settings, reconnection) and compiles what is not ours.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol, TypeVar

import asyncpg
from sqlalchemy import Dialect, Executable, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.compiler import SQLCompiler

from billing.storage.statements import Adds, Find, Found, Other, Rows, Statement, Steps

COMPILED_MAX: Final = 500
# A plan is kept as long as its connection: one made while the tables were empty would scan them
# when they are large. The ledger only ever asks by key.
BY_KEY_ONLY: Final = (
    "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off"
)

T = TypeVar("T")


class DatabaseFailed(Exception):
    """The database did not do it; whether it was committed is not known."""


class RowRefused(DatabaseFailed):
    """A constraint refused a row, or a value in it cannot be stored at all."""


class Driver(Protocol):
    """One connection of one kind of database."""

    async def prepare(self) -> None:
        """Set up a connection that serves the ledger alone from now on."""
        ...

    async def transact(self, steps: Steps[T]) -> T:
        """Run all steps in a transaction of their own."""
        ...

    async def join(self, steps: Steps[T]) -> T:
        """Run all steps in the transaction that is open."""
        ...

    async def look(self, find: Find, keys: Sequence[Any]) -> Found:  # Any: of many column types
        """Read outside of any transaction."""
        ...


async def driver_of(connection: AsyncConnection) -> Driver:
    """Reach the driver below a connection of SQLAlchemy's."""
    raw = await connection.get_raw_connection()
    if connection.dialect.name == "sqlite":
        return SqliteDriver(raw.driver_connection, connection.dialect)
    return PostgresDriver(raw.driver_connection, connection.dialect)


async def run_in(connection: AsyncConnection, steps: Steps[T]) -> T:
    """Run steps in a transaction that SQLAlchemy began; it sends BEGIN with a first statement."""
    await connection.execute(text("SELECT 1"))
    return await (await driver_of(connection)).join(steps)


class SqliteDriver:
    """SQLite through aiosqlite's thread."""

    def __init__(self, connection: Any, dialect: Dialect) -> None:  # Any: the driver's own class
        self._connection = connection
        self._compiled = _Compiled(dialect)

    async def prepare(self) -> None:
        """Nothing to do."""

    async def transact(self, steps: Steps[T]) -> T:
        """Begin, run and commit in one hop; a cancelled caller leaves no half of it."""
        result: T = await self._in_thread(self._transact, steps)
        return result

    async def join(self, steps: Steps[T]) -> T:
        """Run in one hop."""
        result: T = await self._in_thread(self._drive, steps)
        return result

    async def look(self, find: Find, keys: Sequence[Any]) -> Found:  # Any: of many column types
        """Read in one hop."""
        found: Found = await self._in_thread(self._find, find, keys)
        return found

    # Any: a method and its arguments
    async def _in_thread(self, function: Any, *arguments: Any) -> Any:
        with _translated():
            # aiosqlite has no public way to run more than one call in one hop.
            return await self._connection._execute(function, *arguments)  # noqa: SLF001

    @property
    def _own(self) -> sqlite3.Connection:
        connection: sqlite3.Connection = self._connection._conn  # noqa: SLF001 - as above
        return connection

    def _transact(self, steps: Steps[T]) -> T:
        connection = self._own
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = self._drive(steps)
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        return result

    def _drive(self, steps: Steps[T]) -> T:
        found: Found | None = None
        while True:
            try:
                # A generator's first `send` takes None, all others what the step found.
                statement, rows = steps.send(found)  # type: ignore[arg-type]
            except StopIteration as end:
                result: T = end.value
                return result
            found = self._step(statement, rows)

    def _step(self, statement: Statement, rows: Sequence[Any]) -> Found:  # Any: as in Steps
        if isinstance(statement, Find):
            return self._find(statement, rows)
        if isinstance(statement, Adds):
            for part, mine in zip(statement.parts, rows, strict=True):
                self._own.executemany(part.sqlite, mine)
            return []
        if isinstance(statement, Other):
            sql, rows = self._compiled.of(statement.statement, rows)
        else:
            sql = statement.sqlite
        self._own.executemany(sql, rows)
        return []

    def _find(self, find: Find, keys: Sequence[Any]) -> Found:  # Any: of many column types
        execute = self._own.execute
        return [row for key in keys for row in execute(find.sqlite, key)]


class PostgresDriver:
    """PostgreSQL through asyncpg, which prepares each statement once."""

    def __init__(self, connection: Any, dialect: Dialect) -> None:  # Any: the driver's own class
        self._connection = connection
        self._compiled = _Compiled(dialect)

    async def prepare(self) -> None:
        """Plan for keys."""
        with _translated():
            await self._connection.execute(BY_KEY_ONLY)

    async def transact(self, steps: Steps[T]) -> T:
        """Begin, run and commit."""
        with _translated():
            async with self._connection.transaction():
                return await self._drive(steps)

    async def join(self, steps: Steps[T]) -> T:
        """Run where a transaction is open."""
        with _translated():
            return await self._drive(steps)

    async def look(self, find: Find, keys: Sequence[Any]) -> Found:  # Any: of many column types
        """Read; a single statement is its own transaction."""
        with _translated():
            return await self._step(find, keys)

    async def _drive(self, steps: Steps[T]) -> T:
        found: Found | None = None
        while True:
            try:
                statement, rows = steps.send(found)  # type: ignore[arg-type]  # as above
            except StopIteration as end:
                result: T = end.value
                return result
            found = await self._step(statement, rows)

    async def _step(self, statement: Statement, rows: Sequence[Any]) -> Found:  # Any: as in Steps
        if isinstance(statement, Other):
            sql, ordered = self._compiled.of(statement.statement, rows)
            await self._connection.executemany(sql, ordered)
            return []
        if isinstance(statement, Adds):
            columns = statement.columns(rows)
        else:
            columns = [list(column) for column in zip(*rows, strict=True)]
        found: Found = await self._connection.fetch(statement.postgresql, *columns)
        return found


class _Compiled:
    """Statements of SQLAlchemy's as the driver's text, each compiled once."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._known: dict[tuple[int, tuple[str, ...]], SQLCompiler] = {}
        self._kept: list[Executable] = []

    def of(
        self,
        statement: Executable,
        rows: Sequence[dict[str, Any]],  # Any: of many column types
    ) -> tuple[str, Rows]:
        """Return the text, and the rows in the order of its marks."""
        key = (id(statement), tuple(rows[0]))
        compiled = self._known.get(key)
        if compiled is None:
            if len(self._kept) >= COMPILED_MAX:
                self._known.clear()
                self._kept.clear()
            made = statement.compile(  # type: ignore[attr-defined]  # of every statement
                dialect=self._dialect, column_keys=list(rows[0]), for_executemany=True
            )
            assert isinstance(made, SQLCompiler)
            compiled = self._known[key] = made
            self._kept.append(statement)  # an id is only good while its object lives
        names, fixed = compiled.positiontup or (), compiled.params
        return compiled.string, [
            [row[name] if name in row else fixed[name] for name in names] for row in rows
        ]


@contextmanager
def _translated() -> Iterator[None]:
    """Tell apart a row that was refused from a database that failed."""
    try:
        yield
    except (
        sqlite3.IntegrityError, asyncpg.IntegrityConstraintViolationError, asyncpg.DataError,
        OverflowError, UnicodeError,
    ) as error:  # fmt: skip
        raise RowRefused(str(error)) from error
    except (sqlite3.Error, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        raise DatabaseFailed(type(error).__name__) from error
