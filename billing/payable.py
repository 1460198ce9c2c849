"""What a party has: its terms, what is pending of its shares, and whether its payouts are held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.operations import AccountRef
from billing.domain.payouts import (
    HOLD_BACK_DAYS,
    BankAccount,
    Payable,
    PayoutStatus,
    PayoutTerms,
)
from billing.errors import UnknownAccount
from billing.money import Micros
from billing.pending import DAY_US, pending, pending_days
from billing.storage.payout_tables import payout_holds, payout_terms, payouts
from billing.storage.tables import accounts

OPEN: Final = (PayoutStatus.REQUESTED, PayoutStatus.APPROVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Why nothing is paid to a party, since when, and who said so."""

    reason: str
    held_us: int
    held_by: str


async def payable_of(
    connection: AsyncConnection, party: AccountRef, terms: PayoutTerms, now_us: int
) -> Payable:
    """Say what a party has: posted, pending and requested.

    Raises:
        UnknownAccount: the party never earned anything in this currency.

    """
    row = (
        await connection.execute(select(accounts.c.id, accounts.c.posted).where(is_account(party)))
    ).one_or_none()
    if row is None:
        raise UnknownAccount(account=f"{party.kind}:{party.code}")
    requested = await connection.scalar(
        select(func.coalesce(func.sum(payouts.c.amount), 0)).where(
            payouts.c.kind == party.kind,
            payouts.c.code == party.code,
            payouts.c.currency == party.currency,
            payouts.c.status.in_(OPEN),
        )
    )
    return Payable(
        posted=row.posted,
        pending=(await pending(connection, {row.id: terms.hold_back_days}, now_us)).get(row.id, 0),
        requested=int(requested or 0),
    )


async def terms_of(connection: AsyncConnection, party: AccountRef) -> PayoutTerms:
    """Read a party's terms; those that nobody set are the default ones."""
    return await read_terms(connection, party.kind, party.code)


async def read_terms(connection: AsyncConnection, kind: str, code: str) -> PayoutTerms:
    """Read them by kind and code."""
    query = select(payout_terms).where(payout_terms.c.kind == kind, payout_terms.c.code == code)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return PayoutTerms()
    return PayoutTerms(
        hold_back_days=row.hold_back_days,
        minimum=row.minimum,
        bank=BankAccount(name=row.name, iban=row.iban, bic=row.bic),
    )


async def held(connection: AsyncConnection, kind: str, code: str) -> Held | None:
    """Tell whether a party's payouts are held; None when they are not."""
    row = (
        await connection.execute(
            select(payout_holds).where(payout_holds.c.kind == kind, payout_holds.c.code == code)
        )
    ).one_or_none()
    return Held(reason=row.reason, held_us=row.held_us, held_by=row.held_by) if row else None


def is_account(party: AccountRef) -> Any:  # Any: an SQL condition
    """Write the condition on the row of a party's account."""
    return and_(
        accounts.c.kind == party.kind,
        accounts.c.code == party.code,
        accounts.c.currency == party.currency,
    )


async def payables(
    connection: AsyncConnection, parties: Sequence[AccountRef], now_us: int
) -> dict[AccountRef, Payable]:
    """Say what each of many parties has, at once; who never earned anything has nothing."""
    nothing = Payable(posted=0, pending=0, requested=0)
    if not parties:
        return {}
    # More than is asked for, by what an index knows: most parties have one currency.
    kinds, codes = {party.kind for party in parties}, {party.code for party in parties}
    waited = func.coalesce(payout_terms.c.hold_back_days, HOLD_BACK_DAYS)
    query = (
        select(accounts, waited.label("hold_back_days"))
        .outerjoin(
            payout_terms,
            (payout_terms.c.kind == accounts.c.kind) & (payout_terms.c.code == accounts.c.code),
        )
        .where(accounts.c.kind.in_(kinds), accounts.c.code.in_(codes))
    )
    found = dict.fromkeys(parties, nothing)
    posted, waits = {}, {}
    for row in await connection.execute(query):
        party = AccountRef(kind=row.kind, code=row.code, currency=row.currency)
        if party not in found:
            continue
        posted[row.id] = (party, row.posted)
        waits[row.id] = row.hold_back_days
    waiting = await pending(connection, waits, now_us)
    asked = await connection.execute(
        select(
            payouts.c.kind,
            payouts.c.code,
            payouts.c.currency,
            func.sum(payouts.c.amount).label("amount"),
        )
        .where(
            payouts.c.status.in_(OPEN),
            payouts.c.kind.in_(kinds),
            payouts.c.code.in_(codes),
        )
        .group_by(payouts.c.kind, payouts.c.code, payouts.c.currency)
    )
    requested = {(row.kind, row.code, row.currency): int(row.amount) for row in asked}
    for account_id, (party, amount) in posted.items():
        found[party] = Payable(
            posted=amount,
            pending=waiting.get(account_id, 0),
            requested=requested.get((party.kind, party.code, party.currency), 0),
        )
    return found


async def pending_by_day(
    connection: AsyncConnection, party: AccountRef, now_us: int
) -> list[tuple[int, Micros]]:
    """List when pending shares become payable: the beginning of a day in UTC, and how much then.

    What was earned on one day follows over the course of the day that many days later.
    """
    terms = await terms_of(connection, party)
    account_id = await connection.scalar(select(accounts.c.id).where(is_account(party)))
    if account_id is None:
        return []
    days = await pending_days(connection, account_id, terms.hold_back_days, now_us)
    wait_us = terms.hold_back_days * DAY_US
    return [(day_us + wait_us, amount) for day_us, amount in days.items()]
