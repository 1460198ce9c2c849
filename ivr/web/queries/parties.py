"""Clients, resellers and referrers as parties that earn: what they have, from whom, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.payouts import PARTIES
from billing.money import Micros
from billing.reports import DAY_US, Span
from billing.storage.report_tables import revenue_days, share_days
from billing.storage.tables import accounts, clients
from ivr.web.scope import NotYours, Role, Scope

KIND_OF_ROLE: Final = {
    Role.CLIENT: "client",
    Role.RESELLER: "reseller",
    Role.REFERRER: "referrer",
}
PARTIES_MAX: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Earned:
    """What a party got from one client; `gross` is what that client sold."""

    client: str
    currency: str
    calls: int
    gross: Micros
    amount: Micros


def check_party(scope: Scope, kind: str, code: str) -> None:
    """Let operators see every party, and a party itself.

    Raises:
        NotYours: it is somebody else's, or no party at all.

    """
    if kind not in PARTIES:
        raise NotYours
    if scope.role is Role.OPERATOR:
        return
    if KIND_OF_ROLE.get(scope.role) != kind or scope.subject != code:
        raise NotYours


async def currencies_of(
    connection: AsyncConnection, scope: Scope, kind: str, code: str
) -> list[str]:
    """List the currencies in which a party has an account."""
    check_party(scope, kind, code)
    query = (
        select(accounts.c.currency)
        .where(accounts.c.kind == kind, accounts.c.code == code)
        .order_by(accounts.c.currency)
    )
    return list(await connection.scalars(query))


async def known_parties(
    connection: AsyncConnection, scope: Scope, kinds: Sequence[str]
) -> list[tuple[str, str, str]]:
    """List the parties that have an account: kind, code, currency."""
    if scope.role is not Role.OPERATOR:
        raise NotYours
    query = (
        select(accounts.c.kind, accounts.c.code, accounts.c.currency)
        .where(accounts.c.kind.in_(kinds))
        .limit(PARTIES_MAX)
    )
    return [(row.kind, row.code, row.currency) for row in await connection.execute(query)]


async def client_titles(connection: AsyncConnection, codes: Sequence[str]) -> dict[str, str]:
    """Read how people know clients."""
    query = select(clients.c.code, clients.c.title).where(clients.c.code.in_(codes))
    return {row.code: row.title for row in await connection.execute(query)}


async def earned_by_client(
    connection: AsyncConnection, scope: Scope, kind: str, code: str, span: Span
) -> list[Earned]:
    """Sum what a party got from each client, most first, with what the client sold."""
    check_party(scope, kind, code)
    got = (
        await connection.execute(
            select(
                share_days.c.client,
                share_days.c.currency,
                func.sum(share_days.c.amount).label("amount"),
            )
            .where(*_of(kind, code, span))
            .group_by(share_days.c.client, share_days.c.currency)
        )
    ).all()
    sold = await connection.execute(
        select(
            revenue_days.c.client,
            revenue_days.c.currency,
            func.sum(revenue_days.c.sessions).label("calls"),
            func.sum(revenue_days.c.gross).label("gross"),
        )
        .where(
            revenue_days.c.client.in_({row.client for row in got}),
            revenue_days.c.day_us >= span.from_us,
            revenue_days.c.day_us < span.until_us,
        )
        .group_by(revenue_days.c.client, revenue_days.c.currency)
    )
    of = {(row.client, row.currency): (int(row.calls), int(row.gross)) for row in sold}
    found = [
        Earned(
            client=row.client,
            currency=row.currency,
            calls=of.get((row.client, row.currency), (0, 0))[0],
            gross=of.get((row.client, row.currency), (0, 0))[1],
            amount=int(row.amount),
        )
        for row in got
    ]
    return sorted(found, key=lambda one: (-one.amount, one.client))


async def earned_by_month(
    connection: AsyncConnection, scope: Scope, kind: str, code: str, first: date, months: int
) -> dict[tuple[date, str, str], Micros]:
    """Sum what a party got, by first day of a month, client and currency."""
    check_party(scope, kind, code)
    starts = [first.replace(day=1)]
    while len(starts) <= months:
        starts.append((starts[-1] + timedelta(days=32)).replace(day=1))
    span = Span(first=starts[0], last=starts[-1] - timedelta(days=1))
    month = case(
        *(
            (share_days.c.day_us < Span(first=until, last=until).from_us, number)
            for number, until in enumerate(starts[1:])
        ),
        else_=months,
    ).label("month")
    rows = await connection.execute(
        select(
            month,
            share_days.c.client,
            share_days.c.currency,
            func.sum(share_days.c.amount).label("amount"),
        )
        .where(*_of(kind, code, span))
        .group_by(month, share_days.c.client, share_days.c.currency)
    )
    return {(starts[row.month], row.client, row.currency): int(row.amount) for row in rows}


async def earned_by_day(
    connection: AsyncConnection, scope: Scope, kind: str, code: str, span: Span, currency: str
) -> dict[date, dict[str, Micros]]:
    """Sum what a party got per day in UTC; days without any are empty."""
    check_party(scope, kind, code)
    rows = await connection.execute(
        select(share_days.c.day_us, func.sum(share_days.c.amount).label("amount"))
        .where(*_of(kind, code, span), share_days.c.currency == currency)
        .group_by(share_days.c.day_us)
    )
    found: dict[date, dict[str, Micros]] = {day: {} for day in span.days()}
    for row in rows:
        found[span.first + timedelta(days=(row.day_us - span.from_us) // DAY_US)][kind] = int(
            row.amount
        )
    return found


def _of(kind: str, code: str, span: Span) -> tuple[Any, ...]:  # Any: SQL conditions
    return (
        share_days.c.kind == kind,
        share_days.c.account == code,
        share_days.c.day_us >= span.from_us,
        share_days.c.day_us < span.until_us,
    )
