"""Payouts as rows: lists with keyset paging, one with what it was taken from, and who is due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.operations import AccountRef
from billing.domain.payouts import MICROS_PER_CENT, PARTIES, Payable
from billing.money import Micros
from billing.payable import payables
from billing.payouts import Payout, payout_of
from billing.storage.payout_tables import payout_holds, payout_terms, payouts
from billing.storage.tables import accounts, entries, transfers
from ivr.web.queries.parties import KIND_OF_ROLE, check_party
from ivr.web.scope import NotYours, Role, Scope


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


async def list_own_payouts(
    connection: AsyncConnection,
    scope: Scope,
    *,
    status: str | None = None,
    kind: str | None = None,
    code: str | None = None,
    after: str = "",
    limit: int,
) -> list[Payout]:
    """List payouts, oldest first: for operators of every party, for a party its own.

    Raises:
        NotYours: a party names another one.

    """
    if scope.role is not Role.OPERATOR:
        own = (KIND_OF_ROLE.get(scope.role, ""), scope.subject or "")
        if kind not in {None, own[0]} or code not in {None, own[1]}:
            raise NotYours
        kind, code = own
    query = select(payouts).where(payouts.c.id > after).order_by(payouts.c.id).limit(limit)
    for column, wanted in (
        (payouts.c.status, status), (payouts.c.kind, kind), (payouts.c.code, code),
    ):  # fmt: skip
        if wanted is not None:
            query = query.where(column == wanted)
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
        .order_by(func.sum(entries.c.amount).desc(), transfers.c.kind)
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
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return _Left(account_id=0, seq=0, balance_after=0)
    return _Left(account_id=row.account_id, seq=row.seq, balance_after=row.balance_after)


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutFilter:
    """Which payouts a list shows; None means all."""

    status: str | None = None
    kind: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A party that could be paid now."""

    party: AccountRef
    payable: Payable
    held: bool


async def list_all_payouts(
    connection: AsyncConnection,
    scope: Scope,
    wanted: PayoutFilter,
    *,
    after: str = "",
    limit: int,
) -> list[Payout]:
    """List payouts by id: what waits for a decision oldest first, all other lists newest first."""
    if scope.role is not Role.OPERATOR:
        raise NotYours
    waits = wanted.status in {"requested", "approved"}
    query = select(payouts).limit(limit)
    query = query.order_by(payouts.c.id if waits else payouts.c.id.desc())
    if after:
        query = query.where(payouts.c.id > after if waits else payouts.c.id < after)
    if wanted.status is not None:
        query = query.where(payouts.c.status == wanted.status)
    if wanted.kind is not None:
        query = query.where(payouts.c.kind == wanted.kind)
    if wanted.code is not None:
        query = query.where(payouts.c.code == wanted.code)
    return [payout_of(row) for row in await connection.execute(query)]


async def payout_sums(
    connection: AsyncConnection, scope: Scope, wanted: PayoutFilter
) -> list[tuple[str, str, int, Micros]]:
    """Count and sum payouts by status and currency: what a filter is about in all."""
    if scope.role is not Role.OPERATOR:
        raise NotYours
    query = select(
        payouts.c.status,
        payouts.c.currency,
        func.count().label("payouts"),
        func.sum(payouts.c.amount).label("amount"),
    )
    if wanted.kind is not None:
        query = query.where(payouts.c.kind == wanted.kind)
    if wanted.code is not None:
        query = query.where(payouts.c.code == wanted.code)
    rows = await connection.execute(
        query.group_by(payouts.c.status, payouts.c.currency).order_by(
            payouts.c.currency, payouts.c.status
        )
    )
    return [(row.status, row.currency, row.payouts, int(row.amount)) for row in rows]


async def due_parties(
    connection: AsyncConnection, scope: Scope, *, now_us: int, limit: int
) -> list[Due]:
    """List who could be paid now, of those with the largest balances, most first."""
    if scope.role is not Role.OPERATOR:
        raise NotYours
    query = (
        select(
            accounts.c.kind,
            accounts.c.code,
            accounts.c.currency,
            func.coalesce(payout_terms.c.minimum, 0).label("minimum"),
            payout_holds.c.code.label("held"),
        )
        .outerjoin(
            payout_terms,
            (payout_terms.c.kind == accounts.c.kind) & (payout_terms.c.code == accounts.c.code),
        )
        .outerjoin(
            payout_holds,
            (payout_holds.c.kind == accounts.c.kind) & (payout_holds.c.code == accounts.c.code),
        )
        .where(accounts.c.kind.in_(PARTIES), accounts.c.posted >= MICROS_PER_CENT)
        .order_by(accounts.c.posted.desc(), accounts.c.id)
        .limit(limit)
    )
    rows = (await connection.execute(query)).all()
    refs = {AccountRef(kind=row.kind, code=row.code, currency=row.currency): row for row in rows}
    have = await payables(connection, list(refs), now_us)
    found = [
        Due(party=ref, payable=have[ref], held=row.held is not None)
        for ref, row in refs.items()
        if have[ref].payable >= max(row.minimum, MICROS_PER_CENT)
    ]
    return sorted(found, key=lambda one: -one.payable.payable)
