"""Sums for the operators' first page, each currency by itself: different money never adds up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.clock import moment_of
from billing.domain.invoices import PAID_IN
from billing.money import Micros
from billing.reports import Span
from billing.storage.report_tables import revenue_days
from billing.storage.tables import accounts, entries, transfers


@dataclass(frozen=True, slots=True, kw_only=True)
class Sold:
    """What was sold in one currency on one day."""

    day: date
    currency: str
    calls: int
    billed_seconds: int
    gross: Micros


async def sold_by_day(connection: AsyncConnection, span: Span) -> list[Sold]:
    """Sum settled sessions per day in UTC and currency."""
    query = (
        select(
            revenue_days.c.day_us,
            revenue_days.c.currency,
            func.sum(revenue_days.c.sessions).label("calls"),
            func.sum(revenue_days.c.billed_seconds).label("seconds"),
            func.sum(revenue_days.c.gross).label("gross"),
        )
        .where(revenue_days.c.day_us >= span.from_us, revenue_days.c.day_us < span.until_us)
        .group_by(revenue_days.c.day_us, revenue_days.c.currency)
        .order_by(revenue_days.c.day_us, revenue_days.c.currency)
    )
    return [
        Sold(
            day=moment_of(row.day_us).date(),
            currency=row.currency,
            calls=int(row.calls),
            billed_seconds=int(row.seconds),
            gross=int(row.gross),
        )
        for row in await connection.execute(query)
    ]


async def topped_up(connection: AsyncConnection, span: Span) -> dict[str, Micros]:
    """Sum what callers paid in, per currency.

    The kind of account is looked at last: as a condition it would tempt a planner to begin with
    all callers instead of the transfers of the time.
    """
    paid_in = func.sum(case((accounts.c.kind == "caller", entries.c.amount), else_=0))
    query = (
        select(accounts.c.currency, paid_in.label("amount"))
        .select_from(
            transfers.join(entries, entries.c.transfer_id == transfers.c.id).join(
                accounts, accounts.c.id == entries.c.account_id
            )
        )
        .where(
            transfers.c.at_us >= span.from_us,
            transfers.c.at_us < span.until_us,
            transfers.c.kind.in_(PAID_IN),
        )
        .group_by(accounts.c.currency)
    )
    return {row.currency: int(row.amount) for row in await connection.execute(query)}
