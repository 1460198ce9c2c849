"""What a party has: its terms, what is pending of its shares, and whether its payouts are held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.clock import MICROSECONDS
from billing.domain.operations import AccountRef
from billing.domain.payouts import BankAccount, Payable, PayoutStatus, PayoutTerms
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
