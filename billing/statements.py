"""The statement of a party: what it had, what moved, what it has, and what of it can be paid.

opening balance + movements by day and kind = closing balance, from the daily sums of its entries
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.clock import moment_of
from billing.domain.operations import AccountRef
from billing.errors import UnknownAccount
from billing.money import Micros
from billing.payable import is_account
from billing.reports import Span
from billing.storage.report_tables import party_days
from billing.storage.tables import accounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """All entries of one kind on one day in UTC."""

    day: date
    kind: str
    count: int
    amount: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyStatement:
    """What moved on an account of a party in a span of days."""

    party: AccountRef
    span: Span
    opening: Micros
    movements: tuple[Movement, ...]
    closing: Micros


async def party_statement(
    connection: AsyncConnection, party: AccountRef, span: Span
) -> PartyStatement:
    """Sum the entries of a party by day and kind.

    Raises:
        UnknownAccount: the party has no account in this currency.

    """
    account_id = await connection.scalar(select(accounts.c.id).where(is_account(party)))
    if account_id is None:
        raise UnknownAccount(account=f"{party.kind}:{party.code}")
    mine = party_days.c.account_id == account_id
    # Backwards from today: what is asked for most is near, and the past is long.
    since = (
        select(func.coalesce(func.sum(party_days.c.amount), 0))
        .where(mine, party_days.c.day_us >= span.from_us)
        .scalar_subquery()
    )
    opening = await connection.scalar(
        select(accounts.c.posted - since).where(accounts.c.id == account_id)
    )
    rows = await connection.execute(
        select(party_days)
        .where(mine, party_days.c.day_us >= span.from_us, party_days.c.day_us < span.until_us)
        .order_by(party_days.c.day_us, party_days.c.kind)
    )
    movements = tuple(
        Movement(
            day=moment_of(row.day_us).date(),
            kind=row.kind,
            count=row.movements,
            amount=row.amount,
        )
        for row in rows
    )
    begin = int(opening or 0)
    return PartyStatement(
        party=party,
        span=span,
        opening=begin,
        movements=movements,
        closing=begin + sum(movement.amount for movement in movements),
    )
