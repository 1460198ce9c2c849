"""Payouts of clients, resellers and referrers: request, approve, pay or reject.

    request   party -> clearing      in the transaction that computes what is payable
    reject    clearing -> party
    pay       clearing -> funding    once the bank has it

The money has left the party's account the moment it is requested, so nothing is payable twice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, and_, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import MICROSECONDS, Clock, microseconds_of
from billing.domain.operations import AccountRef, Post, PostedEntry
from billing.domain.payouts import (
    MICROS_PER_CENT,
    MOVES,
    PARTIES,
    BankAccount,
    Payable,
    PayoutStatus,
    PayoutTerms,
)
from billing.errors import (
    BillingError,
    IdempotencyConflict,
    InvalidInput,
    NothingPayable,
    PayoutNotMovable,
    UnknownAccount,
    UnknownPayout,
)
from billing.ids import new_id
from billing.money import Micros
from billing.storage.engine import for_writing
from billing.storage.ledger import lock_accounts, post_batch
from billing.storage.payout_tables import payout_terms, payouts
from billing.storage.tables import accounts, entries, transfers

DAY_US: Final = 86_400 * MICROSECONDS
PAGE_MAX: Final = 500
NOTE_MAX: Final = 500
_OPEN: Final = (PayoutStatus.REQUESTED, PayoutStatus.APPROVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payout:
    """One payout; its amount is in whole cents."""

    id: str
    party: AccountRef
    amount: Micros
    status: PayoutStatus
    bank: BankAccount
    requested_us: int
    requested_by: str
    decided_by: str | None
    paid_us: int | None
    note: str | None


class Payouts:
    """The use-cases of payouts."""

    def __init__(self, *, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def set_terms(self, kind: str, code: str, terms: PayoutTerms) -> None:
        """Set how long a party waits for its money and where it goes.

        Raises:
            InvalidInput: no kind of party that is paid out.

        """
        _check_kind(kind)
        row = {
            "hold_back_days": terms.hold_back_days,
            "minimum": terms.minimum,
            "name": terms.bank.name,
            "iban": terms.bank.iban,
            "bic": terms.bank.bic,
        }
        where = and_(payout_terms.c.kind == kind, payout_terms.c.code == code)
        async with self._writing() as connection:
            changed = await connection.execute(update(payout_terms).where(where).values(row))
            if not changed.rowcount:
                await connection.execute(insert(payout_terms), {"kind": kind, "code": code, **row})

    async def terms(self, kind: str, code: str) -> PayoutTerms:
        """Read a party's terms; those that nobody set are the default ones."""
        async with self._engine.connect() as connection:
            return await _terms(connection, kind, code)

    async def payable(self, party: AccountRef) -> Payable:
        """Say what a party has: posted, pending and requested.

        Raises:
            UnknownAccount: the party never earned anything in this currency.

        """
        async with self._engine.connect() as connection:
            return await self._payable(connection, party, await _terms_of(connection, party))

    async def request(
        self, party: AccountRef, *, key: str, actor: str, amount: Micros | None = None
    ) -> Payout:
        """Take money out of a party's account to be paid out; all that is payable by default.

        Raises:
            NothingPayable: more than is payable, less than the party's least payout, or nothing.
            UnknownAccount: the party never earned anything in this currency.
            IdempotencyConflict: the key was used for another party or amount.

        """
        _check_kind(party.kind)
        if amount is not None and (amount <= 0 or amount % MICROS_PER_CENT):
            raise InvalidInput(reason="a payout is more than zero, in whole cents")
        async with self._writing() as connection:
            # From here on nobody else moves this party's money.
            await lock_accounts(connection, or_(_is(party), _is(_clearing(party))))
            known = await connection.execute(select(payouts).where(payouts.c.key == key))
            if (row := known.one_or_none()) is not None:
                if _payout(row).party != party or amount not in {None, row.amount}:
                    raise IdempotencyConflict(key=key)
                return _payout(row)
            terms = await _terms_of(connection, party)
            free = (await self._payable(connection, party, terms)).payable
            wanted = free if amount is None else amount
            if not 0 < wanted <= free or wanted < terms.minimum:
                raise NothingPayable(party=party.code, payable=free, minimum=terms.minimum)
            return await self._insert(connection, party, wanted, terms, key=key, actor=actor)

    async def approve(self, payout_id: str, *, actor: str) -> Payout:
        """Release a payout to the bank.

        Raises:
            UnknownPayout: there is none with this id.
            PayoutNotMovable: it is paid or rejected already.

        """
        return await self._move(payout_id, PayoutStatus.APPROVED, actor=actor)

    async def reject(self, payout_id: str, *, actor: str, note: str) -> Payout:
        """Give the money back to the party, with a reason."""
        if not note.strip():
            raise InvalidInput(reason="a rejected payout needs a reason")
        return await self._move(payout_id, PayoutStatus.REJECTED, actor=actor, note=note)

    async def pay(self, payout_id: str, *, actor: str) -> Payout:
        """Note that the bank paid it."""
        return await self._move(payout_id, PayoutStatus.PAID, actor=actor)

    async def list_payouts(
        self,
        *,
        status: PayoutStatus | None = None,
        party: AccountRef | None = None,
        after: str = "",
        limit: int = 100,
    ) -> list[Payout]:
        """List payouts, oldest first; `after` is the last id of the page before."""
        query = select(payouts).where(payouts.c.id > after).order_by(payouts.c.id)
        if status is not None:
            query = query.where(payouts.c.status == status)
        if party is not None:
            query = query.where(
                payouts.c.kind == party.kind,
                payouts.c.code == party.code,
                payouts.c.currency == party.currency,
            )
        async with self._engine.connect() as connection:
            rows = await connection.execute(query.limit(min(limit, PAGE_MAX)))
            return [_payout(row) for row in rows]

    async def _insert(
        self,
        connection: AsyncConnection,
        party: AccountRef,
        amount: Micros,
        terms: PayoutTerms,
        *,
        key: str,
        actor: str,
    ) -> Payout:
        row = {
            "id": new_id(self._clock),
            "key": key,
            "kind": party.kind,
            "code": party.code,
            "currency": party.currency,
            "amount": amount,
            "status": PayoutStatus.REQUESTED,
            "name": terms.bank.name,
            "iban": terms.bank.iban,
            "bic": terms.bank.bic,
            "requested_us": self._now_us(),
            "requested_by": actor,
        }
        await connection.execute(insert(payouts), row)
        payout = _payout((await connection.execute(_by_id(row["id"]))).one())
        await self._post(connection, payout, "payout", party, _clearing(party), actor)
        return payout

    async def _move(
        self, payout_id: str, to: PayoutStatus, *, actor: str, note: str | None = None
    ) -> Payout:
        async with self._writing() as connection:
            row = (await connection.execute(_by_id(payout_id).with_for_update())).one_or_none()
            if row is None:
                raise UnknownPayout(payout=payout_id)
            payout = _payout(row)
            if payout.status == to:
                return payout
            if (payout.status, to) not in MOVES:
                raise PayoutNotMovable(payout=payout_id, status=payout.status, to=to)
            values = await self._book_move(connection, payout, to, actor)
            if note:
                values["note"] = " ".join(note.split())[:NOTE_MAX]
            await connection.execute(
                update(payouts).where(payouts.c.id == payout_id).values(values)
            )
            return _payout((await connection.execute(_by_id(payout_id))).one())

    async def _book_move(
        self, connection: AsyncConnection, payout: Payout, to: PayoutStatus, actor: str
    ) -> dict[str, object]:
        """Move the money of a decision; returns what changes in the payout's row."""
        party, clearing = payout.party, _clearing(payout.party)
        if to is PayoutStatus.PAID:
            bank = AccountRef(kind="funding", code="funding", currency=party.currency)
            await self._post(connection, payout, "payout_paid", clearing, bank, actor)
            return {"status": to, "paid_us": self._now_us()}
        decided: dict[str, object] = {
            "status": to,
            "decided_us": self._now_us(),
            "decided_by": actor,
        }
        if to is PayoutStatus.REJECTED:
            await self._post(connection, payout, "payout_rejected", clearing, party, actor)
            return decided
        account = (await _terms_of(connection, party)).bank
        if not account.complete:
            raise InvalidInput(reason=f"{party.kind} {party.code} has no bank account to pay to")
        return {**decided, "name": account.name, "iban": account.iban, "bic": account.bic}

    async def _post(
        self,
        connection: AsyncConnection,
        payout: Payout,
        kind: str,
        giver: AccountRef,
        taker: AccountRef,
        actor: str,
    ) -> None:
        post = Post(
            key=f"{kind}:{payout.id}",
            transfer_id=new_id(self._clock),
            kind=kind,
            entries=(
                PostedEntry(account=giver, amount=-payout.amount),
                PostedEntry(account=taker, amount=payout.amount),
            ),
            at_us=self._now_us(),
            memo=payout.note,
            actor=actor,
            reference=payout.id,
        )
        (outcome,) = await post_batch(connection, [post])
        if isinstance(outcome, BillingError):
            raise outcome

    async def _payable(
        self, connection: AsyncConnection, party: AccountRef, terms: PayoutTerms
    ) -> Payable:
        row = (
            await connection.execute(select(accounts.c.id, accounts.c.posted).where(_is(party)))
        ).one_or_none()
        if row is None:
            raise UnknownAccount(account=f"{party.kind}:{party.code}")
        since = self._now_us() - terms.hold_back_days * DAY_US
        requested = await connection.scalar(
            select(func.coalesce(func.sum(payouts.c.amount), 0)).where(
                payouts.c.kind == party.kind,
                payouts.c.code == party.code,
                payouts.c.currency == party.currency,
                payouts.c.status.in_(_OPEN),
            )
        )
        return Payable(
            posted=row.posted,
            pending=await _pending(connection, row.id, since),
            requested=int(requested or 0),
        )

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        connection = await for_writing(self._engine)
        try:
            async with connection.begin():
                yield connection
        finally:
            await connection.close()

    def _now_us(self) -> int:
        return microseconds_of(self._clock.now())


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


async def _terms_of(connection: AsyncConnection, party: AccountRef) -> PayoutTerms:
    return await _terms(connection, party.kind, party.code)


async def _terms(connection: AsyncConnection, kind: str, code: str) -> PayoutTerms:
    query = select(payout_terms).where(payout_terms.c.kind == kind, payout_terms.c.code == code)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return PayoutTerms()
    return PayoutTerms(
        hold_back_days=row.hold_back_days,
        minimum=row.minimum,
        bank=BankAccount(name=row.name, iban=row.iban, bic=row.bic),
    )


def _check_kind(kind: str) -> None:
    if kind not in PARTIES:
        raise InvalidInput(reason=f"paid out are {', '.join(PARTIES)}")


def _clearing(party: AccountRef) -> AccountRef:
    return AccountRef(kind="payout", code="payout", currency=party.currency)


def _is(party: AccountRef) -> Any:  # Any: an SQL condition
    return and_(
        accounts.c.kind == party.kind,
        accounts.c.code == party.code,
        accounts.c.currency == party.currency,
    )


def _by_id(payout_id: object) -> Any:  # Any: a select over many columns
    return select(payouts).where(payouts.c.id == payout_id)


def _payout(row: Row[Any]) -> Payout:  # Any: a row of many column types
    return Payout(
        id=row.id,
        party=AccountRef(kind=row.kind, code=row.code, currency=row.currency),
        amount=row.amount,
        status=PayoutStatus(row.status),
        bank=BankAccount(name=row.name, iban=row.iban, bic=row.bic),
        requested_us=row.requested_us,
        requested_by=row.requested_by,
        decided_by=row.decided_by,
        paid_us=row.paid_us,
        note=row.note,
    )
