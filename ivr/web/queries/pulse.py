"""The pulse of the lines: calls of the last hour, money of today and of this month.

Calls are read for one hour, by index; money comes from the daily sums. Nothing grows with the
number of calls that there ever were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.clock import MICROSECONDS, moment_of
from billing.domain.invoices import PAID_IN
from billing.money import Micros
from billing.reports import Span
from billing.storage.report_tables import revenue_days
from billing.storage.tables import accounts, entries, transfers
from ivr.tables import calls

MINUTES: Final = 60
MINUTE_US: Final = 60 * MICROSECONDS
DAY_US: Final = 86_400 * MICROSECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """One minute: when it began, and the calls that began in it, answered and not."""

    from_us: int
    answered: int
    unanswered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """The last hour, minute by minute; `answer_us` is how long it took to be answered, in sum."""

    minutes: tuple[Minute, ...]
    answered: int
    unanswered: int
    answer_us: int

    @property
    def calls(self) -> int:
        """How many there were."""
        return self.answered + self.unanswered

    @property
    def answer_seconds(self) -> float | None:
        """How long a caller took from the first ring to an agent, on average."""
        return self.answer_us / self.answered / MICROSECONDS if self.answered else None


@dataclass(frozen=True, slots=True, kw_only=True)
class DaySold:
    """What was sold in one currency on one day."""

    day: date
    currency: str
    calls: int
    talk_us: int
    billed_seconds: int
    gross: Micros


async def last_hour(connection: AsyncConnection, now_us: int, *, client: str | None) -> Hour:
    """Count the calls of the last hour; those that are not over have no row yet, or no answer."""
    this = now_us - now_us % MINUTE_US
    since = this - (MINUTES - 1) * MINUTE_US
    minute = (calls.c.started_us - since) / MINUTE_US
    whole = func.floor(minute)
    answered = calls.c.answered_us.is_not(None)
    query = (
        select(
            whole.label("minute"),
            func.sum(case((answered, 1), else_=0)).label("answered"),
            func.sum(case((answered, 0), else_=1)).label("unanswered"),
            func.sum(case((answered, calls.c.answered_us - calls.c.started_us), else_=0)).label(
                "answer_us"
            ),
        )
        .where(calls.c.started_us >= since)
        .group_by(whole)
    )
    if client is not None:
        query = query.where(calls.c.client == client)
    rows = {int(row.minute): row for row in await connection.execute(query)}
    minutes = tuple(
        Minute(
            from_us=since + number * MINUTE_US,
            answered=int(rows[number].answered) if number in rows else 0,
            unanswered=int(rows[number].unanswered) if number in rows else 0,
        )
        for number in range(MINUTES)
    )
    return Hour(
        minutes=minutes,
        answered=sum(one.answered for one in minutes),
        unanswered=sum(one.unanswered for one in minutes),
        answer_us=sum(int(row.answer_us) for row in rows.values()),
    )


async def unanswered_today(connection: AsyncConnection, now_us: int, *, client: str | None) -> int:
    """Count the calls of today that nobody answered; they have an index of their own."""
    query = select(func.count()).where(
        calls.c.answered_us.is_(None), calls.c.started_us >= now_us - now_us % DAY_US
    )
    if client is not None:
        query = query.where(calls.c.client == client)
    return int(await connection.scalar(query) or 0)


async def sold(connection: AsyncConnection, span: Span, *, client: str | None) -> list[DaySold]:
    """Sum what was settled per day in UTC and currency."""
    days = revenue_days
    query = (
        select(
            days.c.day_us,
            days.c.currency,
            func.sum(days.c.sessions).label("calls"),
            func.sum(days.c.talk_us).label("talk_us"),
            func.sum(days.c.billed_seconds).label("seconds"),
            func.sum(days.c.gross).label("gross"),
        )
        .where(days.c.day_us >= span.from_us, days.c.day_us < span.until_us)
        .group_by(days.c.day_us, days.c.currency)
        .order_by(days.c.day_us, days.c.currency)
    )
    if client is not None:
        query = query.where(days.c.client == client)
    return [
        DaySold(
            day=moment_of(row.day_us).date(),
            currency=row.currency,
            calls=int(row.calls),
            talk_us=int(row.talk_us),
            billed_seconds=int(row.seconds),
            gross=int(row.gross),
        )
        for row in await connection.execute(query)
    ]


async def paid_in(connection: AsyncConnection, from_us: int, until_us: int) -> dict[str, Micros]:
    """Sum what callers paid in within a time, per currency."""
    amount = func.sum(case((accounts.c.kind == "caller", entries.c.amount), else_=0))
    query = (
        select(accounts.c.currency, amount.label("amount"))
        .select_from(
            transfers.join(entries, entries.c.transfer_id == transfers.c.id).join(
                accounts, accounts.c.id == entries.c.account_id
            )
        )
        .where(
            transfers.c.at_us >= from_us,
            transfers.c.at_us < until_us,
            transfers.c.kind.in_(PAID_IN),
        )
        .group_by(accounts.c.currency)
    )
    return {row.currency: int(row.amount) for row in await connection.execute(query)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """One currency: today, the same day of last week; this month, the same days of the last."""

    currency: str
    calls: int
    talk_us: int
    today: Micros
    week_ago: Micros
    month: Micros
    month_before: Micros


def sums(rows: Sequence[DaySold], currency: str, today: date) -> Sums:
    """Add up the days of a currency."""
    mine = [row for row in rows if row.currency == currency]
    now = [row for row in mine if row.day == today]
    first, before = today.replace(day=1), month_before(today)
    return Sums(
        currency=currency,
        calls=sum(row.calls for row in now),
        talk_us=sum(row.talk_us for row in now),
        today=sum(row.gross for row in now),
        week_ago=sum(row.gross for row in mine if row.day == today - timedelta(days=7)),
        month=sum(row.gross for row in mine if first <= row.day <= today),
        month_before=sum(row.gross for row in mine if before[0] <= row.day <= before[1]),
    )


def month_before(today: date) -> tuple[date, date]:
    """Return the days of the last month that are as far in it as today is in this one."""
    last = today.replace(day=1) - timedelta(days=1)
    return last.replace(day=1), last.replace(day=min(last.day, today.day))


def span_of(today: date, *, days: int) -> Span:
    """Return the days that charts and comparisons need."""
    return Span(first=min(month_before(today)[0], today - timedelta(days=days - 1)), last=today)


def from_midnight(today: date) -> int:
    """Return when today began in UTC."""
    return Span(first=today, last=today).from_us
