"""What a party has: its terms, what is pending of its shares, and whether its payouts are held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import BigInteger, Select, and_, func, literal, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.clock import MICROSECONDS
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
from billing.storage.payout_tables import payout_holds, payout_terms, payouts
from billing.storage.tables import accounts, entries, transfers

DAY_US: Final = 86_400 * MICROSECONDS
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
        pending=await _pending(connection, row.id, now_us - terms.hold_back_days * DAY_US),
        requested=int(requested or 0),
    )


async def _pending(connection: AsyncConnection, account_id: int, since_us: int) -> Micros:
    """Sum the shares since then, less what was taken back of just those."""
    settled = transfers.alias("settled")
    share = (
        select(func.coalesce(func.sum(entries.c.amount), 0))
        .select_from(transfers.join(entries, entries.c.transfer_id == transfers.c.id))
        .where(
            entries.c.account_id == account_id,
            transfers.c.kind == "settle",
            transfers.c.at_us > since_us,
        )
    )
    back = (
        select(func.coalesce(func.sum(entries.c.amount), 0))
        .select_from(
            transfers.join(entries, entries.c.transfer_id == transfers.c.id).join(
                settled, settled.c.id == transfers.c.reverses
            )
        )
        .where(
            entries.c.account_id == account_id,
            transfers.c.at_us > since_us,
            settled.c.kind == "settle",
            settled.c.at_us > since_us,
        )
    )
    shared = int(await connection.scalar(share) or 0)
    return shared + int(await connection.scalar(back) or 0)


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
    keys = [(party.kind, party.code, party.currency) for party in parties]
    mine = tuple_(accounts.c.kind, accounts.c.code, accounts.c.currency).in_(keys)
    posted = {
        row.id: (AccountRef(kind=row.kind, code=row.code, currency=row.currency), row.posted)
        for row in await connection.execute(select(accounts).where(mine))
    }
    pending = {
        row.account_id: int(row.amount)
        for row in await connection.execute(
            _pending_by_account(list(posted), now_us, await _longest_wait(connection, keys))
        )
    }
    asked = await connection.execute(
        select(
            payouts.c.kind,
            payouts.c.code,
            payouts.c.currency,
            func.sum(payouts.c.amount).label("amount"),
        )
        .where(
            payouts.c.status.in_(OPEN),
            tuple_(payouts.c.kind, payouts.c.code, payouts.c.currency).in_(keys),
        )
        .group_by(payouts.c.kind, payouts.c.code, payouts.c.currency)
    )
    requested = {(row.kind, row.code, row.currency): int(row.amount) for row in asked}
    found = dict.fromkeys(parties, nothing)
    for account_id, (party, amount) in posted.items():
        found[party] = Payable(
            posted=amount,
            pending=pending.get(account_id, 0),
            requested=requested.get((party.kind, party.code, party.currency), 0),
        )
    return found


async def _longest_wait(connection: AsyncConnection, keys: Sequence[tuple[str, str, str]]) -> int:
    """Return the most days that any of these parties waits; what is older is pending for none."""
    terms = await connection.scalar(
        select(func.max(payout_terms.c.hold_back_days)).where(
            tuple_(payout_terms.c.kind, payout_terms.c.code).in_([key[:2] for key in keys])
        )
    )
    return max(terms or 0, HOLD_BACK_DAYS)


def _pending_by_account(
    account_ids: Sequence[int], now_us: int, days: int
) -> Select[Any]:  # Any: columns of many types
    """Sum what `_pending` sums, for many accounts, each by its own terms."""
    settled = transfers.alias("settled")
    # PostgreSQL takes a number beside an INTEGER for one of 32 bits, unless told otherwise.
    waited = func.coalesce(payout_terms.c.hold_back_days, HOLD_BACK_DAYS)
    since = literal(now_us, BigInteger) - waited * literal(DAY_US, BigInteger)
    return (
        select(entries.c.account_id, func.sum(entries.c.amount).label("amount"))
        .select_from(
            transfers.join(entries, entries.c.transfer_id == transfers.c.id)
            .join(accounts, accounts.c.id == entries.c.account_id)
            .outerjoin(
                payout_terms,
                (payout_terms.c.kind == accounts.c.kind) & (payout_terms.c.code == accounts.c.code),
            )
            .outerjoin(settled, settled.c.id == transfers.c.reverses)
        )
        .where(
            entries.c.account_id.in_(account_ids),
            # Nobody waits longer: this bound is what an index can use.
            transfers.c.at_us > now_us - days * DAY_US,
            transfers.c.at_us > since,
            or_(
                transfers.c.kind == "settle",
                and_(settled.c.kind == "settle", settled.c.at_us > since),
            ),
        )
        .group_by(entries.c.account_id)
    )


async def pending_by_day(
    connection: AsyncConnection, party: AccountRef, now_us: int
) -> list[tuple[int, Micros]]:
    """List when pending shares become payable: the beginning of a day in UTC, and how much then.

    What was earned on one day follows over the course of the day that many days later.
    """
    terms = await terms_of(connection, party)
    wait_us = terms.hold_back_days * DAY_US
    settled = transfers.alias("settled")
    earned_us = func.coalesce(settled.c.at_us, transfers.c.at_us)
    day = (earned_us - earned_us % DAY_US).label("day_us")
    query = (
        select(day, func.sum(entries.c.amount).label("amount"))
        .select_from(
            transfers.join(entries, entries.c.transfer_id == transfers.c.id)
            .join(accounts, accounts.c.id == entries.c.account_id)
            .outerjoin(settled, settled.c.id == transfers.c.reverses)
        )
        .where(
            is_account(party),
            transfers.c.at_us > now_us - wait_us,
            earned_us > now_us - wait_us,
            or_(transfers.c.kind == "settle", settled.c.kind == "settle"),
        )
        .group_by(day)
        .order_by(day)
    )
    rows = await connection.execute(query)
    return [(row.day_us + wait_us, int(row.amount)) for row in rows]
