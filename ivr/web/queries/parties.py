"""Clients, resellers and referrers as parties that earn: what they have, from whom, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.operations import AccountRef
from billing.domain.payouts import PARTIES
from billing.money import Micros
from billing.payouts import Payout, payout_of
from billing.reports import DAY_US, Span
from billing.storage.payout_tables import payouts
from billing.storage.report_tables import revenue_days, share_days
from billing.storage.tables import accounts, clients, entries, transfers
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """All entries of one kind in a stretch of time."""

    kind: str
    count: int
    amount: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class _Left:
    """The entry by which money left an account."""

    account_id: int
    seq: int
    balance_after: Micros


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


async def list_party_payouts(
    connection: AsyncConnection,
    scope: Scope,
    party: AccountRef,
    *,
    before: str = "",
    limit: int,
) -> list[Payout]:
    """List a party's payouts, newest first; `before` is the last id of the page before."""
    check_party(scope, party.kind, party.code)
    query = (
        select(payouts)
        .where(
            payouts.c.kind == party.kind,
            payouts.c.code == party.code,
            payouts.c.currency == party.currency,
        )
        .order_by(payouts.c.id.desc())
        .limit(limit)
    )
    if before:
        query = query.where(payouts.c.id < before)
    return [payout_of(row) for row in await connection.execute(query)]


async def find_payout(connection: AsyncConnection, scope: Scope, payout_id: str) -> Payout:
    """Read one payout.

    Raises:
        NotYours: there is none, or it is another party's.

    """
    row = (await connection.execute(select(payouts).where(payouts.c.id == payout_id))).one_or_none()
    if row is None:
        raise NotYours
    found = payout_of(row)
    check_party(scope, found.party.kind, found.party.code)
    return found


async def moved_before(
    connection: AsyncConnection, scope: Scope, payout: Payout
) -> tuple[Micros, list[Moved], Micros]:
    """Say what a payout was taken from: balance after the one before, what moved since, the rest.

    The entry of the payout itself is the last one that counts.
    """
    check_party(scope, payout.party.kind, payout.party.code)
    mine = (
        accounts.c.kind == payout.party.kind,
        accounts.c.code == payout.party.code,
        accounts.c.currency == payout.party.currency,
    )
    own = await _entry_of(connection, payout.id, mine)
    before_id = await connection.scalar(
        select(func.max(payouts.c.id)).where(
            payouts.c.kind == payout.party.kind,
            payouts.c.code == payout.party.code,
            payouts.c.currency == payout.party.currency,
            payouts.c.id < payout.id,
        )
    )
    last = await _entry_of(connection, before_id, mine) if before_id else None
    since, opening = (last.seq, last.balance_after) if last else (0, 0)
    rows = await connection.execute(
        select(
            transfers.c.kind,
            func.count().label("movements"),
            func.sum(entries.c.amount).label("amount"),
        )
        .select_from(entries.join(transfers, transfers.c.id == entries.c.transfer_id))
        .where(
            entries.c.account_id == own.account_id,
            entries.c.seq > since,
            entries.c.seq <= own.seq,
        )
        .group_by(transfers.c.kind)
        .order_by(transfers.c.kind)
    )
    moved = [Moved(kind=row.kind, count=row.movements, amount=int(row.amount)) for row in rows]
    return opening, moved, own.balance_after


async def _entry_of(
    connection: AsyncConnection, payout_id: str, mine: Sequence[Any]
) -> _Left:  # Any: SQL conditions
    """Read the entry by which a payout left its party's account."""
    query = (
        select(entries.c.account_id, entries.c.seq, entries.c.balance_after)
        .select_from(
            transfers.join(entries, entries.c.transfer_id == transfers.c.id).join(
                accounts, accounts.c.id == entries.c.account_id
            )
        )
        .where(transfers.c.key == f"payout:{payout_id}", *mine)
    )
    row = (await connection.execute(query)).one()
    return _Left(account_id=row.account_id, seq=row.seq, balance_after=row.balance_after)


def _of(kind: str, code: str, span: Span) -> tuple[Any, ...]:  # Any: SQL conditions
    return (
        share_days.c.kind == kind,
        share_days.c.account == code,
        share_days.c.day_us >= span.from_us,
        share_days.c.day_us < span.until_us,
    )
