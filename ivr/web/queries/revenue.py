"""Revenue and its split from the daily sums, by anything, and down to the single calls.

All of it is one table of sums that knows client, DID, topic and agent, so a filter costs nothing;
the calls behind a sum are those whose talk ended on its days, so they add up to it exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.clock import moment_of
from billing.domain.sums import AGENT_SHARES
from billing.money import Micros
from billing.reports import Span
from billing.storage.report_tables import AGENT_SUMS, agent_days
from billing.storage.tables import accounts, entries, sessions, transfers
from ivr.web.scope import Scope

# What is asked for is what has no value; an empty one means everything.
NONE: Final = "(none)"
GROUPS: Final = {
    "topic": ("client", "service", "detail"),
    "did": ("client", "service"),
    "agent": ("client", "agent"),
    "day": ("day_us",),
    "week": ("day_us",),
    "month": ("day_us",),
}
ROWS_MAX: Final = 10_000
CHOICES_DAYS: Final = 31


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a report is about; None means all, `NONE` what has none."""

    client: str | None = None
    did: str | None = None
    topic: str | None = None
    agent: str | None = None


@dataclass(slots=True, kw_only=True)
class Line:
    """One line: the values of its group, or its days, and what was sold and who got what of it."""

    currency: str
    client: str = ""
    service: str = ""
    detail: str = ""
    agent: str = ""
    first: date | None = None
    last: date | None = None
    sessions: int = 0
    billed_seconds: int = 0
    gross: Micros = 0
    shares: dict[str, Micros] = field(default_factory=dict)

    def add(self, row: Any) -> None:  # Any: a row of sums
        """Add a row of sums."""
        self.sessions += int(row.sessions)
        self.billed_seconds += int(row.billed_seconds)
        self.gross += int(row.gross)
        for kind in AGENT_SHARES:
            amount = int(getattr(row, f"to_{kind}"))
            if amount:
                self.shares[kind] = self.shares.get(kind, 0) + amount

    def join(self, other: Line) -> None:
        """Add another line of the same currency."""
        self.sessions += other.sessions
        self.billed_seconds += other.billed_seconds
        self.gross += other.gross
        for kind, amount in other.shares.items():
            self.shares[kind] = self.shares.get(kind, 0) + amount


@dataclass(frozen=True, slots=True, kw_only=True)
class SoldCall:
    """One settled call behind a sum."""

    id: str
    ended_us: int
    client: str
    service: str
    detail: str
    agent: str
    billed_seconds: int
    cost: Micros
    currency: str
    shares: dict[str, Micros]


async def revenue_lines(
    connection: AsyncConnection, scope: Scope, wanted: Wanted, span: Span, by: str
) -> list[Line]:
    """Sum by one of `GROUPS`, in the order of the key; days without anything are left out."""
    if by in {"week", "month"}:
        days = await revenue_lines(connection, scope, wanted, span, "day")
        return stretched(days, span, by)
    names = GROUPS[by]
    columns = [agent_days.c[name] for name in names]
    rows = await connection.execute(
        select(*columns, agent_days.c.currency, *_sums())
        .where(*_conditions(scope, wanted, span))
        .group_by(*columns, agent_days.c.currency)
        .order_by(*columns, agent_days.c.currency)
        .limit(ROWS_MAX)
    )
    found = []
    for row in rows:
        line = _line_of(row, names)
        line.add(row)
        found.append(line)
    return found


def _line_of(row: Any, names: Sequence[str]) -> Line:  # Any: a row
    if names == ("day_us",):
        day = moment_of(row.day_us).date()
        return Line(currency=row.currency, first=day, last=day)
    return Line(currency=row.currency, **{name: getattr(row, name) for name in names})


def stretched(days: Sequence[Line], span: Span, by: str) -> list[Line]:
    """Sum days by the week or month that they are in; what is outside of the span is cut off."""
    found: dict[tuple[date, str], Line] = {}
    for day in days:
        assert day.first is not None
        first, last = _stretch(day.first, by)
        line = found.setdefault(
            (first, day.currency),
            Line(currency=day.currency, first=max(first, span.first), last=min(last, span.last)),
        )
        line.join(day)
    return list(found.values())


def _stretch(day: date, by: str) -> tuple[date, date]:
    """Return the first and last day of the week or month that a day is in."""
    if by == "week":
        first = day - timedelta(days=day.weekday())
        return first, first + timedelta(days=6)
    first = day.replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)


async def totals_of(
    connection: AsyncConnection, scope: Scope, wanted: Wanted, span: Span
) -> dict[str, Line]:
    """Sum everything, by currency."""
    rows = await connection.execute(
        select(agent_days.c.currency, *_sums())
        .where(*_conditions(scope, wanted, span))
        .group_by(agent_days.c.currency)
        .order_by(agent_days.c.currency)
    )
    found = {}
    for row in rows:
        found[row.currency] = Line(currency=row.currency)
        found[row.currency].add(row)
    return found


async def choices(
    connection: AsyncConnection, scope: Scope, wanted: Wanted, span: Span
) -> tuple[list[str], list[str], list[str]]:
    """List the DIDs, topics and agents that sold anything: what a filter can choose.

    Of a long span only its end counts, for each row of it would be read only for its names.
    """
    near = span.last - timedelta(days=CHOICES_DAYS - 1)
    span = Span(first=max(span.first, near), last=span.last)
    only = Wanted(client=wanted.client)
    found = []
    for name in ("service", "detail", "agent"):
        column = agent_days.c[name]
        query = select(column).where(*_conditions(scope, only, span)).distinct().order_by(column)
        values = await connection.scalars(query.limit(ROWS_MAX))
        found.append([value or NONE for value in values])
    return found[0], found[1], found[2]


async def sold_calls(
    connection: AsyncConnection,
    scope: Scope,
    wanted: Wanted,
    span: Span,
    *,
    after: tuple[int, str] | None = None,
    limit: int,
) -> list[SoldCall]:
    """List the calls behind a sum, newest first; `after` is end and id of the last one before."""
    client = scope.client(wanted.client)
    conditions: list[ColumnElement[bool]] = [
        sessions.c.state == "settled",
        sessions.c.ended_us >= span.from_us,
        sessions.c.ended_us < span.until_us,
    ]
    if client is not None:
        conditions.append(sessions.c.client == client)
    if wanted.did is not None:
        conditions.append(sessions.c.service == wanted.did)
    if wanted.topic is not None:
        conditions.append(func.coalesce(sessions.c.detail, "") == _value(wanted.topic))
    if wanted.agent is not None:
        conditions.append(func.coalesce(sessions.c.agent, "") == _value(wanted.agent))
    if after is not None:
        conditions.append(tuple_(sessions.c.ended_us, sessions.c.id) < tuple_(*after))
    rows = (
        await connection.execute(
            select(sessions)
            .where(*conditions)
            .order_by(sessions.c.ended_us.desc(), sessions.c.id.desc())
            .limit(limit)
        )
    ).all()
    shares = await _shares(connection, [row.id for row in rows])
    return [
        SoldCall(
            id=row.id,
            ended_us=row.ended_us,
            client=row.client,
            service=row.service,
            detail=row.detail or "",
            agent=row.agent or "",
            billed_seconds=row.billed_seconds,
            cost=row.cost,
            currency=row.currency,
            shares=shares.get(row.id, {}),
        )
        for row in rows
    ]


async def _shares(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, dict[str, Micros]]:
    """Read who got what of some sessions."""
    rows = await connection.execute(
        select(transfers.c.reference, accounts.c.kind, func.sum(entries.c.amount).label("amount"))
        .select_from(
            transfers.join(entries, entries.c.transfer_id == transfers.c.id).join(
                accounts, accounts.c.id == entries.c.account_id
            )
        )
        .where(transfers.c.reference.in_(ids), transfers.c.kind == "settle", entries.c.amount > 0)
        .group_by(transfers.c.reference, accounts.c.kind)
    )
    found: dict[str, dict[str, Micros]] = {}
    for row in rows:
        found.setdefault(row.reference, {})[row.kind] = int(row.amount)
    return found


def _sums() -> list[Any]:  # Any: columns of sums
    return [func.sum(agent_days.c[name]).label(name) for name in AGENT_SUMS]


def _conditions(scope: Scope, wanted: Wanted, span: Span) -> list[ColumnElement[bool]]:
    client = scope.client(wanted.client)
    conditions = [agent_days.c.day_us >= span.from_us, agent_days.c.day_us < span.until_us]
    if client is not None:
        conditions.append(agent_days.c.client == client)
    for name, value in (("service", wanted.did), ("detail", wanted.topic), ("agent", wanted.agent)):
        if value is not None:
            conditions.append(agent_days.c[name] == _value(value))
    return conditions


def _value(text: str) -> str:
    return "" if text == NONE else text
