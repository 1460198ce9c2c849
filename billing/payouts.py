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

from sqlalchemy import Row, and_, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import Clock, microseconds_of
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
    PayoutsHeld,
    UnknownPayout,
)
from billing.ids import new_id
from billing.money import Micros
from billing.payable import held, is_account, payable_of, read_terms, terms_of
from billing.storage.engine import for_writing
from billing.storage.ledger import lock_accounts, post_batch
from billing.storage.payout_tables import payout_terms, payouts

PAGE_MAX: Final = 500
NOTE_MAX: Final = 500
# The note of a request that its own party took back.
WITHDRAWN: Final = "withdrawn by its party"


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
    file: str | None = None
    decided_us: int | None = None

    @property
    def withdrawn(self) -> bool:
        """Whether its own party took the request back."""
        return self.status is PayoutStatus.REJECTED and self.note == WITHDRAWN


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
        check_kind(kind)
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
            return await read_terms(connection, kind, code)

    async def payable(self, party: AccountRef) -> Payable:
        """Say what a party has: posted, pending and requested.

        Raises:
            UnknownAccount: the party never earned anything in this currency.

        """
        async with self._engine.connect() as connection:
            terms = await terms_of(connection, party)
            return await payable_of(connection, party, terms, self._now_us())

    async def request(
        self, party: AccountRef, *, key: str, actor: str, amount: Micros | None = None
    ) -> Payout:
        """Take money out of a party's account to be paid out; all that is payable by default.

        Raises:
            NothingPayable: more than is payable, less than the party's least payout, or nothing.
            UnknownAccount: the party never earned anything in this currency.
            PayoutsHeld: somebody checks the party first.
            IdempotencyConflict: the key was used for another party or amount.

        """
        check_kind(party.kind)
        if amount is not None and (amount <= 0 or amount % MICROS_PER_CENT):
            raise InvalidInput(reason="a payout is more than zero, in whole cents")
        async with self._writing() as connection:
            # From here on nobody else moves this party's money.
            await lock_accounts(connection, or_(is_account(party), is_account(_clearing(party))))
            known = await connection.execute(select(payouts).where(payouts.c.key == key))
            if (row := known.one_or_none()) is not None:
                if payout_of(row).party != party or amount not in {None, row.amount}:
                    raise IdempotencyConflict(key=key)
                return payout_of(row)
            await _refuse_held(connection, party)
            terms = await terms_of(connection, party)
            free = (await payable_of(connection, party, terms, self._now_us())).payable
            wanted = free if amount is None else amount
            if not 0 < wanted <= free or wanted < terms.minimum:
                raise NothingPayable(party=party.code, payable=free, minimum=terms.minimum)
            return await self._insert(connection, party, wanted, terms, key=key, actor=actor)

    async def approve(self, payout_id: str, *, actor: str) -> Payout:
        """Release a payout to the bank.

        Raises:
            UnknownPayout: there is none with this id.
            PayoutNotMovable: it is paid or rejected already.
            PayoutsHeld: somebody checks the party first.

        """
        return await self._move(payout_id, PayoutStatus.APPROVED, actor=actor)

    async def reject(self, payout_id: str, *, actor: str, note: str) -> Payout:
        """Give the money back to the party, with a reason."""
        if not note.strip():
            raise InvalidInput(reason="a rejected payout needs a reason")
        return await self._move(payout_id, PayoutStatus.REJECTED, actor=actor, note=note)

    async def withdraw(self, payout_id: str, *, actor: str) -> Payout:
        """Take back a request that nobody has decided yet, for the party that made it.

        Raises:
            UnknownPayout: there is none with this id.
            PayoutNotMovable: it is approved or paid already.

        """
        rejected = PayoutStatus.REJECTED
        return await self._move(payout_id, rejected, actor=actor, note=WITHDRAWN, undecided=True)

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
            return [payout_of(row) for row in rows]

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
        payout = payout_of((await connection.execute(_by_id(row["id"]))).one())
        await self._post(connection, payout, "payout", party, _clearing(party), actor)
        return payout

    async def _move(
        self,
        payout_id: str,
        to: PayoutStatus,
        *,
        actor: str,
        note: str | None = None,
        undecided: bool = False,
    ) -> Payout:
        async with self._writing() as connection:
            known = (await connection.execute(_by_id(payout_id))).one_or_none()
            if known is None:
                raise UnknownPayout(payout=payout_id)
            party = payout_of(known).party
            # The party first, as everywhere: a hold that begins now is before or after this.
            await lock_accounts(connection, _moved(party, to))
            row = (await connection.execute(_by_id(payout_id).with_for_update())).one()
            payout = payout_of(row)
            if payout.status == to:
                return payout
            late = undecided and payout.status is not PayoutStatus.REQUESTED
            if late or (payout.status, to) not in MOVES:
                raise PayoutNotMovable(payout=payout_id, status=payout.status, to=to)
            values = await self._book_move(connection, payout, to, actor)
            if note:
                values["note"] = " ".join(note.split())[:NOTE_MAX]
            await connection.execute(
                update(payouts).where(payouts.c.id == payout_id).values(values)
            )
            return payout_of((await connection.execute(_by_id(payout_id))).one())

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
        await _refuse_held(connection, party)
        account = (await terms_of(connection, party)).bank
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


def check_kind(kind: str) -> None:
    """Refuse what is no party that is paid out."""
    if kind not in PARTIES:
        raise InvalidInput(reason=f"paid out are {', '.join(PARTIES)}")


async def _refuse_held(connection: AsyncConnection, party: AccountRef) -> None:
    if await held(connection, party.kind, party.code):
        raise PayoutsHeld(party=f"{party.kind} {party.code}")


def _moved(party: AccountRef, to: PayoutStatus) -> Any:  # Any: an SQL condition
    """Name the accounts that a decision may post to."""
    if to is not PayoutStatus.PAID:
        return or_(is_account(party), is_account(_clearing(party)))
    funding = AccountRef(kind="funding", code="funding", currency=party.currency)
    return or_(is_account(party), is_account(_clearing(party)), is_account(funding))


def _clearing(party: AccountRef) -> AccountRef:
    return AccountRef(kind="payout", code="payout", currency=party.currency)


def _by_id(payout_id: object) -> Any:  # Any: a select over many columns
    return select(payouts).where(payouts.c.id == payout_id)


def payout_of(row: Row[Any]) -> Payout:  # Any: a row of many column types
    """Read a row of `payouts`."""
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
        file=row.file,
        decided_us=row.decided_us,
    )
