"""What the business asks: revenue by anything that is sold, margin, and who spends most.

Revenue and margin come from the daily sums, so they cost the same however many sessions there are;
callers are counted from the sessions of the span, by client as they are indexed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, Table, Text, and_, func, literal_column, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.errors import InvalidInput
from billing.money import Micros
from billing.reports import DAY_US, Span
from billing.storage.report_tables import revenue_days, share_days
from billing.storage.tables import (
    accounts,
    entries,
    sessions,
    tariff_versions,
    transfers,
)

PAGE_MAX: Final = 1_000
CORRECTIONS: Final = ("refund", "goodwill", "rerate")
# What revenue can be grouped by, and the columns of the daily sums that make it.
GROUPS: Final = {
    "client": ("client",),
    "did": ("client", "service"),
    "topic": ("client", "service", "detail"),
    "tariff": ("tariff",),
    "day": ("day_us",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RevenueRow:
    """What one group earned; `shares` is by kind of party, tax among them.

    `corrected` is what refunds and re-ratings of these days changed, of talks of any day: below
    zero for what went back to callers. Neither `gross` nor `shares` has it in.
    """

    key: tuple[str, ...]
    currency: str
    sessions: int
    talk_us: int
    billed_seconds: int
    gross: Micros
    corrected: Micros
    shares: dict[str, Micros]

    @property
    def margin_basis_points(self) -> int:
        """What the provider keeps of 10,000 parts of the gross; 0 of nothing."""
        return self.shares.get("provider", 0) * 10_000 // self.gross if self.gross else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerRow:
    """What one caller bought."""

    account: str
    currency: str
    sessions: int
    billed_seconds: int
    gross: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerCount:
    """How many callers talked in one currency, and what they paid."""

    currency: str
    callers: int
    sessions: int
    gross: Micros

    @property
    def per_caller(self) -> Micros:
        """Average revenue per user (ARPU), rounded down."""
        return self.gross // self.callers if self.callers else 0


async def revenue(
    connection: AsyncConnection,
    span: Span,
    *,
    by: str,
    client: str | None = None,
    after: Sequence[str] = (),
    limit: int = 100,
) -> list[RevenueRow]:
    """Sum revenue by one of `GROUPS`, in the order of the key.

    Args:
        connection: Any connection.
        span: Days on which the talk ended.
        by: client, did, topic, tariff or day.
        client: Only this one.
        after: Key and currency of the last row of the page before.
        limit: Rows of a page.

    Raises:
        InvalidInput: no such group, or no row that a page can end with.

    """
    if by not in GROUPS:
        raise InvalidInput(reason=f"revenue is by {', '.join(GROUPS)}")
    totals = _grouped(revenue_days, by, span, client)
    rows = (
        await connection.execute(
            totals.query(
                func.sum(revenue_days.c.sessions).label("sessions"),
                func.sum(revenue_days.c.talk_us).label("talk_us"),
                func.sum(revenue_days.c.billed_seconds).label("billed_seconds"),
                func.sum(revenue_days.c.gross).label("gross"),
            )
            .where(totals.beyond(after))
            .limit(min(limit, PAGE_MAX))
        )
    ).all()
    if not rows:
        return []
    width = len(totals.columns)
    shares = await _shares(
        connection, by, span, client, first=rows[0][:width], last=rows[-1][:width]
    )
    corrected = await _corrected(connection, by, span, client)
    return [
        RevenueRow(
            key=tuple(map(str, row[: width - 1])),
            currency=row.currency,
            sessions=int(row.sessions),
            talk_us=int(row.talk_us),
            billed_seconds=int(row.billed_seconds),
            gross=int(row.gross),
            corrected=corrected.get(tuple(row[:width]), 0),
            shares=shares.get(tuple(row[:width]), {}),
        )
        for row in rows
    ]


async def top_callers(
    connection: AsyncConnection, span: Span, *, client: str | None = None, limit: int = 20
) -> list[CallerRow]:
    """List the callers who paid most, most first."""
    gross = func.sum(sessions.c.cost)
    query = (
        select(
            sessions.c.account_id,
            # An account has one currency: grouping by it as well would only take longer.
            func.min(sessions.c.currency).label("currency"),
            func.count().label("sessions"),
            func.sum(sessions.c.billed_seconds).label("billed_seconds"),
            gross.label("gross"),
        )
        .where(_ended(span, client))
        .group_by(sessions.c.account_id)
        .order_by(gross.desc(), sessions.c.account_id)
        .limit(min(limit, PAGE_MAX))
    ).subquery()
    rows = await connection.execute(
        select(query, accounts.c.code)
        .join(accounts, accounts.c.id == query.c.account_id)
        .order_by(query.c.gross.desc(), query.c.account_id)
    )
    return [
        CallerRow(
            account=row.code,
            currency=row.currency,
            sessions=row.sessions,
            billed_seconds=int(row.billed_seconds),
            gross=int(row.gross),
        )
        for row in rows
    ]


async def count_callers(
    connection: AsyncConnection, span: Span, *, client: str | None = None
) -> list[CallerCount]:
    """Count who talked and what they paid, per currency."""
    callers = (
        select(
            func.min(sessions.c.currency).label("currency"),
            sessions.c.account_id,
            func.count().label("sessions"),
            func.sum(sessions.c.cost).label("gross"),
        )
        .where(_ended(span, client))
        .group_by(sessions.c.account_id)
        .subquery()
    )
    rows = await connection.execute(
        select(
            callers.c.currency,
            func.count().label("callers"),
            func.sum(callers.c.sessions).label("sessions"),
            func.sum(callers.c.gross).label("gross"),
        )
        .group_by(callers.c.currency)
        .order_by(callers.c.currency)
    )
    return [
        CallerCount(
            currency=row.currency,
            callers=row.callers,
            sessions=int(row.sessions),
            gross=int(row.gross),
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grouped:
    """A table of daily sums, grouped: its columns, last of them the currency."""

    source: Any  # Any: a table or a join
    columns: tuple[Column[Any], ...]
    within: Any  # Any: an SQL condition

    def query(self, *sums: Any) -> Any:  # Any: columns in, a select out
        return (
            select(*self.columns, *sums)
            .select_from(self.source)
            .where(self.within)
            .group_by(*self.columns)
            .order_by(*self.columns)
        )

    def beyond(self, after: Sequence[str]) -> Any:  # Any: an SQL condition
        if not after:
            return True
        if len(after) != len(self.columns):
            raise InvalidInput(reason=f"a page ends with {len(self.columns)} values, key first")
        try:
            values = [
                column.type.python_type(value)
                for column, value in zip(self.columns, after, strict=True)
            ]
        except ValueError:
            raise InvalidInput(reason="a page of days ends with a number and a currency") from None
        return tuple_(*self.columns) > tuple_(*values)


def _grouped(table: Table, by: str, span: Span, client: str | None) -> _Grouped:
    within = [table.c.day_us >= span.from_us, table.c.day_us < span.until_us]
    if client is not None:
        within.append(table.c.client == client)
    source: Any = table
    if by == "tariff":
        source = table.join(tariff_versions, tariff_versions.c.id == table.c.tariff_version_id)
        key: tuple[Column[Any], ...] = (tariff_versions.c.name,)
    else:
        key = tuple(table.c[name] for name in GROUPS[by])
    return _Grouped(source=source, columns=(*key, table.c.currency), within=and_(*within))


async def _shares(
    connection: AsyncConnection,
    by: str,
    span: Span,
    client: str | None,
    *,
    first: Sequence[Any],  # Any: values of the key's columns
    last: Sequence[Any],
) -> dict[tuple[Any, ...], dict[str, Micros]]:
    """Sum who got what in the groups of one page."""
    grouped = _grouped(share_days, by, span, client)
    # As an expression, the first column lets planners begin with the days, which are few.
    first_column, *others = grouped.columns
    key = tuple_(
        first_column.concat("") if isinstance(first_column.type, Text) else first_column, *others
    )
    rows = await connection.execute(
        grouped.query(share_days.c.kind, func.sum(share_days.c.amount).label("amount"))
        .where(key >= tuple_(*first), key <= tuple_(*last))
        .group_by(share_days.c.kind)
    )
    found: dict[tuple[Any, ...], dict[str, Micros]] = {}
    for *place, kind, amount in rows:
        found.setdefault(tuple(place), {})[kind] = int(amount)
    return found


async def _corrected(
    connection: AsyncConnection, by: str, span: Span, client: str | None
) -> dict[tuple[Any, ...], Micros]:
    """Sum by the same key what callers paid more or less after the settlement."""
    at_us = transfers.c.at_us
    columns: dict[str, tuple[Any, ...]] = {
        "client": (sessions.c.client,),
        "did": (sessions.c.client, sessions.c.service),
        "topic": (
            sessions.c.client,
            sessions.c.service,
            func.coalesce(sessions.c.detail, "").label("detail"),
        ),
        "tariff": (tariff_versions.c.name,),
        "day": ((at_us - at_us % DAY_US).label("day"),),
    }
    key = (*columns[by], sessions.c.currency)
    query = (
        select(*key, func.sum(-entries.c.amount).label("amount"))
        .select_from(
            transfers.join(entries, entries.c.transfer_id == transfers.c.id)
            .join(
                sessions,
                (sessions.c.id == transfers.c.reference)
                & (sessions.c.account_id == entries.c.account_id),
            )
            .join(tariff_versions, tariff_versions.c.id == sessions.c.tariff_version_id)
        )
        .where(
            # As literals, for the partial index of corrections.
            transfers.c.kind.in_([literal_column(f"'{kind}'") for kind in CORRECTIONS]),
            at_us >= span.from_us,
            at_us < span.until_us,
        )
        .group_by(*key)
    )
    if client is not None:
        query = query.where(sessions.c.client == client)
    return {tuple(place): int(amount) for *place, amount in await connection.execute(query)}


def _ended(span: Span, client: str | None) -> Any:  # Any: an SQL condition
    return and_(
        sessions.c.state == "settled",
        sessions.c.ended_us >= span.from_us,
        sessions.c.ended_us < span.until_us,
        *([] if client is None else [sessions.c.client == client]),
    )
