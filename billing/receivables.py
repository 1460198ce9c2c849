"""What becomes of an invoice: payments, early discounts, late fees, credit notes.

    payment      funding  -> caller      pays a named invoice, or the oldest first
    discount     provider -> caller      when an invoice is paid in full in time
    fee          caller   -> provider    once per overdue invoice; billed by the next one
    credit_note  provider -> caller      takes back an invoice, or a part of it

Each transfer and what it pays are written in one transaction, under the locks of the accounts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import Clock, microseconds_of, moment_of
from billing.domain.invoices import CREDIT_SERIES
from billing.domain.operations import AccountRef, Post, Posted, PostedEntry
from billing.errors import (
    BillingError,
    CreditExceedsInvoice,
    InsufficientFunds,
    InvalidInput,
    UnknownInvoice,
)
from billing.ids import input_hash, new_id
from billing.invoicing import CreditNote, credit_note_of
from billing.money import Micros, Rounding, divide
from billing.storage.invoice_rows import (
    Header,
    allocate,
    caller,
    headers,
    lock_counter,
    lock_parties,
    take_number,
    use_spare_credits,
    writing,
)
from billing.storage.invoice_tables import credit_notes, invoice_allocations, invoices
from billing.storage.ledger import post_batch
from billing.storage.tables import transfers
from billing.wallet import KEY_MAX, MEMO_MAX, TOP_UP_MAX

FUNDING: Final = ("funding", "funding")
PROVIDER: Final = ("provider", "provider")


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """A payment: what it paid of which invoices, and the credit that is left of it."""

    transfer_id: str
    account: str
    amount: Micros
    currency: str
    balance: Micros
    allocations: tuple[tuple[str, Micros], ...]
    discounts: tuple[tuple[str, Micros], ...]
    replayed: bool

    @property
    def credit(self) -> Micros:
        """What pays no invoice yet; it will when the next one is made."""
        return self.amount - sum(amount for _, amount in self.allocations)


@dataclass(frozen=True, slots=True, kw_only=True)
class LateFee:
    """A late fee that was charged, or why not."""

    invoice: str
    account: str
    amount: Micros
    currency: str
    refused: str | None = None


class Receivables:
    """The use-cases of money that is owed for invoices."""

    def __init__(self, *, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def pay(
        self,
        account: str,
        amount: Micros,
        *,
        key: str,
        actor: str,
        invoice: str | None = None,
    ) -> Paid:
        """Book a payment once per key; it pays the named invoice, or the oldest first.

        What is too much stays as credit, which pays the oldest when the next invoice is made. An
        invoice that is paid in full in its early days gets its discount.

        Raises:
            InvalidInput: no amount or key.
            UnknownAccount: there is no such account.
            UnknownInvoice: the account has no such invoice.
            IdempotencyConflict: the key was used for something else.

        """
        _check_key(key)
        if not 0 < amount <= TOP_UP_MAX:
            raise InvalidInput(reason="a payment is more than zero and at most 1,000,000")
        async with writing(self._engine) as connection:
            row = await caller(connection, account)
            await lock_parties(connection, account, row.currency)
            if invoice is not None:
                named = await headers(
                    connection, invoices.c.number == invoice, invoices.c.account == account
                )
                if not named:
                    raise UnknownInvoice(number=invoice)
            posted = await self._post(
                connection, "payment", f"payment:{account}:{key}", FUNDING, account, row.currency,
                amount, actor=actor, reference=invoice,
            )  # fmt: skip
            discounts: list[tuple[str, Micros]] = []
            if not posted.replayed:
                discounts = await self._allocate(
                    connection, posted.transfer_id, account, row.currency, amount, invoice
                )
            rows = await connection.execute(
                select(invoice_allocations.c.invoice, invoice_allocations.c.amount)
                .where(invoice_allocations.c.transfer_id == posted.transfer_id)
                .order_by(invoice_allocations.c.invoice)
            )
            balance = (await caller(connection, account)).posted
            return Paid(
                transfer_id=posted.transfer_id,
                account=account,
                amount=amount,
                currency=row.currency,
                balance=balance,
                allocations=tuple((row.invoice, row.amount) for row in rows),
                discounts=tuple(discounts),
                replayed=posted.replayed,
            )

    async def _allocate(
        self,
        connection: AsyncConnection,
        payment: str,
        account: str,
        currency: str,
        amount: Micros,
        invoice: str | None,
    ) -> list[tuple[str, Micros]]:
        """Pay invoices with a payment; return the discounts that this earned."""
        conditions = [invoices.c.account == account, invoices.c.currency == currency]
        if invoice is not None:
            conditions.append(invoices.c.number == invoice)
        now_us = microseconds_of(self._clock.now())
        discounts: list[tuple[str, Micros]] = []
        for header in await headers(connection, *conditions, unpaid=True):
            unpaid = header.unpaid
            discount = await self._discount(connection, header, now_us)
            if discount and amount >= unpaid - discount:
                posted = await self._post(
                    connection, "discount", f"discount:{header.number}", PROVIDER, account,
                    currency, discount, actor="early payment", reference=header.number,
                )  # fmt: skip
                await allocate(connection, [(posted.transfer_id, header.number, discount)], now_us)
                discounts.append((header.number, discount))
                unpaid -= discount
            part = min(amount, unpaid)
            if part:
                await allocate(connection, [(payment, header.number, part)], now_us)
                amount -= part
            if not amount:
                break
        return discounts

    async def _discount(self, connection: AsyncConnection, header: Header, now_us: int) -> Micros:
        """Return what paying the rest now takes off: of the total, less what was credited."""
        early_until_us = header.terms.early_until_us(header.issued_us)
        if early_until_us is None or now_us > early_until_us or not header.unpaid:
            return 0
        credited = await _credited(connection, header.number)
        return min(header.terms.discount_of(header.total - credited), header.unpaid)

    async def late_fees(self, *, at_us: int, account: str | None = None) -> list[LateFee]:
        """Charge each invoice that is unpaid after its grace days, once.

        A fee that the credit limit does not allow is reported; the others go on.
        """
        conditions = [invoices.c.due_us < at_us]
        if account is not None:
            conditions.append(invoices.c.account == account)
        async with self._engine.connect() as connection:
            due = [
                header
                for header in await headers(connection, *conditions, unpaid=True)
                if header.late_us < at_us
            ]
        found: list[LateFee] = []
        for header in due:
            fee = await self._late_fee(header.number, at_us)
            if fee is not None:
                found.append(fee)
        return found

    async def _late_fee(self, number: str, at_us: int) -> LateFee | None:
        key = f"late:{number}"
        amount = 0
        header: Header | None = None
        try:
            async with writing(self._engine) as connection:
                [header] = await headers(connection, invoices.c.number == number)
                await lock_parties(connection, header.account, header.currency)
                # A top-up may stand ready to pay it; somebody may have charged it a moment ago.
                now_us = microseconds_of(self._clock.now())
                await use_spare_credits(connection, header.account, header.currency, now_us)
                [header] = await headers(connection, invoices.c.number == number)
                charged = select(transfers.c.id).where(transfers.c.key == key)
                amount = header.terms.late_fee_of(header.unpaid) if header.unpaid else 0
                if not amount or await connection.scalar(charged) is not None:
                    return None
                await self._post(
                    connection, "fee", key, PROVIDER, header.account, header.currency, -amount,
                    actor="late fee", reference=number, memo=f"late fee of invoice {number}",
                    at_us=at_us,
                )  # fmt: skip
        except InsufficientFunds as error:
            assert header is not None
            return _late(header, amount, refused=str(error))
        return _late(header, amount)

    async def credit(
        self,
        number: str,
        *,
        reason: str,
        actor: str,
        amount: Micros | None = None,
        key: str | None = None,
    ) -> CreditNote:
        """Take back an invoice, or a part of it; what was paid already becomes credit.

        Without a key, the same amount for the same reason is the same credit note.

        Raises:
            InvalidInput: no reason or amount.
            UnknownInvoice: there is none with this number.
            CreditExceedsInvoice: more would be credited than was billed.

        """
        reason = " ".join(reason.split())
        if not reason or not reason.isprintable() or len(reason) > MEMO_MAX:
            raise InvalidInput(reason="a credit note needs a reason, on one line")
        if amount is not None and amount <= 0:
            raise InvalidInput(reason="a credit note is more than zero")
        if key is None:
            key = input_hash({"amount": amount, "reason": reason})
        _check_key(key)
        key = f"credit_note:{number}:{key}"
        now_us = microseconds_of(self._clock.now())
        async with writing(self._engine) as connection:
            await lock_counter(connection, CREDIT_SERIES, moment_of(now_us).year)
            known = (
                await connection.execute(
                    select(credit_notes)
                    .join(transfers, transfers.c.id == credit_notes.c.transfer_id)
                    .where(transfers.c.key == key)
                )
            ).one_or_none()
            if known is not None:
                return credit_note_of(known)
            found = await headers(connection, invoices.c.number == number)
            if not found:
                raise UnknownInvoice(number=number)
            await lock_parties(connection, found[0].account, found[0].currency)
            return await self._credit(connection, number, amount, reason, key, actor)

    async def _credit(
        self,
        connection: AsyncConnection,
        number: str,
        amount: Micros | None,
        reason: str,
        key: str,
        actor: str,
    ) -> CreditNote:
        [header] = await headers(connection, invoices.c.number == number)
        left = header.total - await _credited(connection, number)
        total = left if amount is None else amount
        if not 0 < total <= left:
            raise CreditExceedsInvoice(number=number, left=left)
        now_us = microseconds_of(self._clock.now())
        posted = await self._post(
            connection, "credit_note", key, PROVIDER, header.account, header.currency, total,
            actor=actor, reference=number, memo=reason,
        )  # fmt: skip
        tax = divide(header.tax * total, header.total, Rounding.HALF_EVEN)
        given = await take_number(connection, CREDIT_SERIES, moment_of(now_us).year)
        await connection.execute(
            insert(credit_notes),
            {
                **given,
                "invoice": number,
                "transfer_id": posted.transfer_id,
                "issued_us": now_us,
                "reason": reason,
                "actor": actor,
                "net": total - tax,
                "tax": tax,
                "total": total,
            },
        )
        if header.unpaid:
            part = min(total, header.unpaid)
            await allocate(connection, [(posted.transfer_id, number, part)], now_us)
        query = select(credit_notes).where(credit_notes.c.number == given["number"])
        return credit_note_of((await connection.execute(query)).one())

    async def _post(
        self,
        connection: AsyncConnection,
        kind: str,
        key: str,
        other: tuple[str, str],
        account: str,
        currency: str,
        amount: Micros,
        *,
        actor: str,
        reference: str | None,
        memo: str | None = None,
        at_us: int | None = None,
    ) -> Posted:
        """Move an amount to the caller from the other side, or back when it is negative."""
        mine = AccountRef(kind="caller", code=account, currency=currency)
        theirs = AccountRef(kind=other[0], code=other[1], currency=currency)
        [outcome] = await post_batch(
            connection,
            [
                Post(
                    key=key,
                    transfer_id=new_id(self._clock),
                    kind=kind,
                    entries=(
                        PostedEntry(account=mine, amount=amount),
                        PostedEntry(account=theirs, amount=-amount),
                    ),
                    at_us=microseconds_of(self._clock.now()) if at_us is None else at_us,
                    memo=memo or (f"invoice {reference}" if reference else None),
                    actor=actor,
                    reference=reference,
                )
            ],
        )
        if isinstance(outcome, BillingError):
            raise outcome
        assert isinstance(outcome, Posted)
        return outcome


async def _credited(connection: AsyncConnection, number: str) -> Micros:
    """Sum the credit notes of an invoice."""
    query = select(credit_notes.c.total).where(credit_notes.c.invoice == number)
    return sum((await connection.scalars(query)).all())


def _late(header: Header, amount: Micros, *, refused: str | None = None) -> LateFee:
    return LateFee(
        invoice=header.number,
        account=header.account,
        amount=amount,
        currency=header.currency,
        refused=refused,
    )


def _check_key(key: str) -> None:
    if not 1 <= len(key) <= KEY_MAX or not key.isprintable():
        raise InvalidInput(reason=f"a key of 1 to {KEY_MAX} printable characters is needed")
