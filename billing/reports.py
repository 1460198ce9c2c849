"""The read side: straight SQL to rows for pages, the API and the command line.

Amounts come from the daily sums that are written with each settlement: what was booked, to the
micro-unit, without reading every entry again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Row, Table, and_, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.clock import microseconds_of, moment_of
from billing.domain.invoices import PAID_IN
from billing.money import Micros
from billing.storage.report_tables import revenue_days, share_days
from billing.storage.tables import accounts, entries, transfers

DAY_US: Final = 86_400 * 1_000_000
ROWS_MAX: Final = 10_000
# A page of 500 and one row more, which says that there is another.
STATEMENT_MAX: Final = 501


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Whole days in UTC: from the beginning of `first` to the end of `last`."""

    first: date
    last: date

    @property
    def from_us(self) -> int:
        """The first moment."""
        return microseconds_of(datetime.combine(self.first, time(), UTC))

    @property
    def until_us(self) -> int:
        """The first moment after it."""
        return microseconds_of(datetime.combine(self.last, time(), UTC)) + DAY_US

    def days(self) -> list[date]:
        """List the days."""
        count = (self.last - self.first).days + 1
        return [self.first + timedelta(days=number) for number in range(count)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitRow:
    """What one service earned: `shares` is by kind of party."""

    client: str
    service: str
    detail: str
    currency: str
    sessions: int
    billed_seconds: int
    gross: Micros
    shares: dict[str, Micros]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    """One movement of an account."""

    seq: int
    transfer_id: str
    at_us: int
    kind: str
    reference: str | None
    memo: str | None
    actor: str | None
    amount: Micros
    balance_after: Micros

    @property
    def has_receipt(self) -> bool:
        """Tell whether money came in for it."""
        return self.kind in PAID_IN and self.amount > 0


def _in(table: Table, span: Span, client: str | None) -> Any:  # Any: an SQL condition
    conditions = [table.c.day_us >= span.from_us, table.c.day_us < span.until_us]
    if client is not None:
        conditions.append(table.c.client == client)
    return and_(*conditions)


async def split_report(
    connection: AsyncConnection, span: Span, *, client: str | None = None
) -> list[SplitRow]:
    """Sum what was earned per client, service and detail, and who got what of it."""
    totals = await connection.execute(
        select(
            *_sold(revenue_days),
            func.sum(revenue_days.c.sessions).label("calls"),
            func.sum(revenue_days.c.billed_seconds).label("seconds"),
            func.sum(revenue_days.c.gross).label("gross"),
        )
        .where(_in(revenue_days, span, client))
        .group_by(*_sold(revenue_days))
        .order_by(*_sold(revenue_days))
        .limit(ROWS_MAX)
    )
    parts = await connection.execute(
        select(*_sold(share_days), share_days.c.kind, func.sum(share_days.c.amount).label("amount"))
        .where(_in(share_days, span, client))
        .group_by(*_sold(share_days), share_days.c.kind)
    )
    shares: dict[tuple[str, str, str, str], dict[str, int]] = {}
    for row in parts:
        key = (row.client, row.service, row.detail, row.currency)
        shares.setdefault(key, {})[row.kind] = int(row.amount)
    return [
        SplitRow(
            client=row.client,
            service=row.service,
            detail=row.detail,
            currency=row.currency,
            sessions=int(row.calls),
            billed_seconds=int(row.seconds),
            gross=int(row.gross),
            shares=shares.get((row.client, row.service, row.detail, row.currency), {}),
        )
        for row in totals
    ]


async def split_by_day(
    connection: AsyncConnection, span: Span, *, client: str | None = None
) -> dict[date, dict[str, Micros]]:
    """Sum the shares of each kind of party per day in UTC; days without any are empty."""
    day = share_days.c.day_us
    rows = await connection.execute(
        select(day, share_days.c.kind, func.sum(share_days.c.amount).label("amount"))
        .where(_in(share_days, span, client))
        .group_by(day, share_days.c.kind)
    )
    found: dict[date, dict[str, Micros]] = {day: {} for day in span.days()}
    for row in rows:
        found[moment_of(row.day_us).date()][row.kind] = int(row.amount)
    return found


def _sold(table: Table) -> tuple[Column[Any], ...]:  # Any: columns of any type
    return table.c.client, table.c.service, table.c.detail, table.c.currency


async def statement(
    connection: AsyncConnection,
    account_id: int,
    *,
    before: int | None = None,
    limit: int = 50,
    kind: str | None = None,
    span: Span | None = None,
) -> list[StatementLine]:
    """List the movements of an account, newest first; `before` is the last seq of a page."""
    query = (
        select(entries, transfers)
        .join(transfers, transfers.c.id == entries.c.transfer_id)
        .where(entries.c.account_id == account_id, *_narrowed(kind, span))
        .order_by(entries.c.seq.desc())
        .limit(min(limit, STATEMENT_MAX))
    )
    if before is not None:
        query = query.where(entries.c.seq < before)
    return [_line(row) for row in await connection.execute(query)]


async def statement_of(
    connection: AsyncConnection, account_id: int, span: Span, *, kind: str | None = None
) -> list[StatementLine]:
    """List the movements of an account in whole days, oldest first; one more than `ROWS_MAX`."""
    query = (
        select(entries, transfers)
        .join(transfers, transfers.c.id == entries.c.transfer_id)
        .where(entries.c.account_id == account_id, *_narrowed(kind, span))
        .order_by(entries.c.seq)
        .limit(ROWS_MAX + 1)
    )
    return [_line(row) for row in await connection.execute(query)]


def _narrowed(kind: str | None, span: Span | None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if kind is not None:
        conditions.append(transfers.c.kind == kind)
    if span is not None:
        conditions += [transfers.c.at_us >= span.from_us, transfers.c.at_us < span.until_us]
    return conditions


def _line(row: Row[Any]) -> StatementLine:  # Any: a row of many column types
    return StatementLine(
        seq=row.seq,
        transfer_id=row.transfer_id,
        at_us=row.at_us,
        kind=row.kind,
        reference=row.reference,
        memo=row.memo,
        actor=row.actor,
        amount=row.amount,
        balance_after=row.balance_after,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The day so far: for the first page of operators."""

    sessions: int
    billed_seconds: int
    gross: Micros
    topped_up: Micros


async def totals(connection: AsyncConnection, span: Span) -> Totals:
    """Sum what was sold and topped up."""
    sold = (
        await connection.execute(
            select(
                func.coalesce(func.sum(revenue_days.c.sessions), 0).label("calls"),
                func.coalesce(func.sum(revenue_days.c.billed_seconds), 0).label("seconds"),
                func.coalesce(func.sum(revenue_days.c.gross), 0).label("gross"),
            ).where(_in(revenue_days, span, None))
        )
    ).one()
    topped_up = await connection.scalar(
        select(
            func.coalesce(
                func.sum(case((accounts.c.kind == "caller", entries.c.amount), else_=0)), 0
            )
        )
        .select_from(
            transfers.join(entries, entries.c.transfer_id == transfers.c.id).join(
                accounts, accounts.c.id == entries.c.account_id
            )
        )
        .where(
            transfers.c.kind.in_(PAID_IN),
            transfers.c.at_us >= span.from_us,
            transfers.c.at_us < span.until_us,
        )
    )
    return Totals(
        sessions=int(sold.calls),
        billed_seconds=int(sold.seconds),
        gross=int(sold.gross),
        topped_up=int(topped_up or 0),
    )
