"""Postpaid invoices: one per account, currency and month, numbered without gaps, never changed.

An invoice asks for what the ledger has debited already. The number, the lines and the list of
billed transfers are written in one transaction; running a month again finds nothing to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import Clock, microseconds_of, moment_of
from billing.domain.invoices import (
    INVOICE_SERIES,
    BillingTerms,
    Line,
    Month,
    Movement,
    lines_of,
    total_of,
)
from billing.errors import InvalidInput, UnknownInvoice
from billing.invoice_due import due_of
from billing.money import Micros
from billing.storage.engine import snapshot
from billing.storage.invoice_rows import (
    Header,
    caller,
    free_of_charge,
    headers,
    lock_counter,
    lock_parties,
    read_terms,
    take_number,
    use_spare_credits,
    write_terms,
    writing,
)
from billing.storage.invoice_tables import (
    credit_notes,
    invoice_allocations,
    invoice_items,
    invoice_lines,
    invoices,
)
from billing.storage.tables import accounts, transfers


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditNote:
    """What was taken back of an invoice."""

    number: str
    invoice: str
    transfer_id: str
    issued_us: int
    reason: str
    net: Micros
    tax: Micros
    total: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """A transfer that pays an invoice, or a part of it."""

    transfer_id: str
    kind: str
    amount: Micros
    at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """An invoice as a document, and what became of it."""

    header: Header
    lines: tuple[Line, ...]
    allocations: tuple[Allocation, ...]
    credit_notes: tuple[CreditNote, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What a run did: the numbers it gave, and the accounts that needed none."""

    created: tuple[str, ...]
    billed_before: int
    nothing_to_bill: int


class Invoicing:
    """The use-cases of making and reading invoices."""

    def __init__(self, *, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def terms(self, account: str) -> BillingTerms:
        """Read how an account is billed.

        Raises:
            UnknownAccount: there is no such account.

        """
        async with self._engine.connect() as connection:
            await caller(connection, account)
            return await read_terms(connection, account)

    async def set_terms(self, account: str, terms: BillingTerms) -> None:
        """Change how an account is billed from the next invoice on.

        Raises:
            UnknownAccount: there is no such account.
            InvalidInput: it is a prepaid one.

        """
        async with writing(self._engine) as connection:
            _check_postpaid(await caller(connection, account))
            await write_terms(connection, account, terms)

    async def run(self, month: Month, *, account: str | None = None) -> RunResult:
        """Bill a month that is over, once; each account in a transaction of its own.

        Raises:
            InvalidInput: the month is not over, or the account is a prepaid one.
            UnknownAccount: there is no such account.

        """
        if microseconds_of(self._clock.now()) < month.until_us:
            raise InvalidInput(reason=f"{month} is not over yet")
        async with self._engine.connect() as connection:
            if account is not None:
                found = [await caller(connection, account)]
                _check_postpaid(found[0])
            else:
                query = select(accounts).where(
                    accounts.c.kind == "caller", accounts.c.mode == "postpaid"
                )
                found = list(await connection.execute(query.order_by(accounts.c.code)))
        created: list[str] = []
        before = nothing = 0
        for row in found:
            async with writing(self._engine) as connection:
                number, made = await self._bill(connection, row, month)
            if made:
                created.append(number)
            elif number:
                before += 1
            else:
                nothing += 1
        return RunResult(created=tuple(created), billed_before=before, nothing_to_bill=nothing)

    async def _bill(
        self,
        connection: AsyncConnection,
        account: Row[Any],  # Any: a row of many column types
        month: Month,
    ) -> tuple[str, bool]:
        """Return the number of the invoice, "" without one, and whether it was made now."""
        now_us = microseconds_of(self._clock.now())
        # From here on no other run gives a number, or bills what this one bills.
        await lock_counter(connection, INVOICE_SERIES, moment_of(now_us).year)
        number, terms, movements = await due_of(connection, account, month)
        if number or total_of(movements) <= 0:
            return number, False
        movements += await free_of_charge(connection, account.id, month.from_us, month.until_us)
        number = await self._write(connection, account, month, terms, movements)
        await lock_parties(connection, account.code, account.currency)
        await use_spare_credits(connection, account.code, account.currency, now_us)
        return number, True

    async def _write(
        self,
        connection: AsyncConnection,
        account: Row[Any],  # Any: a row of many column types
        month: Month,
        terms: BillingTerms,
        movements: Sequence[Movement],
    ) -> str:
        now_us = microseconds_of(self._clock.now())
        lines = lines_of(movements)
        given = await take_number(connection, INVOICE_SERIES, moment_of(now_us).year)
        number = str(given["number"])
        await connection.execute(
            insert(invoices),
            {
                **given,
                **asdict(terms),
                "title": terms.title or account.code,
                "account": account.code,
                "currency": account.currency,
                "month": str(month),
                "issued_us": now_us,
                "due_us": terms.due_us(now_us),
                "net": sum(line.net for line in lines),
                "tax": sum(line.tax for line in lines),
                "total": total_of(movements),
            },
        )
        await connection.execute(
            insert(invoice_lines),
            [
                {"invoice": number, "position": position, **asdict(line)}
                for position, line in enumerate(lines, 1)
            ],
        )
        await connection.execute(
            insert(invoice_items),
            [
                {"transfer_id": each.transfer_id, "account": account.code, "invoice": number}
                for each in movements
                if each.transfer_id is not None
            ],
        )
        return number

    async def invoice(self, number: str) -> Invoice:
        """Read one invoice.

        Raises:
            UnknownInvoice: there is none with this number.

        """
        async with snapshot(self._engine) as connection:
            found = await headers(connection, invoices.c.number == number)
            if not found:
                raise UnknownInvoice(number=number)
            lines = await connection.execute(
                select(invoice_lines)
                .where(invoice_lines.c.invoice == number)
                .order_by(invoice_lines.c.position)
            )
            paid = await connection.execute(
                select(invoice_allocations, transfers.c.kind)
                .join(transfers, transfers.c.id == invoice_allocations.c.transfer_id)
                .where(invoice_allocations.c.invoice == number)
                .order_by(invoice_allocations.c.at_us, invoice_allocations.c.transfer_id)
            )
            credited = await connection.execute(
                select(credit_notes)
                .where(credit_notes.c.invoice == number)
                .order_by(credit_notes.c.number)
            )
            return Invoice(
                header=found[0],
                lines=tuple(_line(row) for row in lines),
                allocations=tuple(
                    Allocation(
                        transfer_id=row.transfer_id,
                        kind=row.kind,
                        amount=row.amount,
                        at_us=row.at_us,
                    )
                    for row in paid
                ),
                credit_notes=tuple(credit_note_of(row) for row in credited),
            )

    async def credit_note(self, number: str) -> tuple[CreditNote, Header]:
        """Read one credit note and the invoice it belongs to.

        Raises:
            UnknownInvoice: there is none with this number.

        """
        async with snapshot(self._engine) as connection:
            query = select(credit_notes).where(credit_notes.c.number == number)
            row = (await connection.execute(query)).one_or_none()
            if row is None:
                raise UnknownInvoice(number=number)
            [header] = await headers(connection, invoices.c.number == row.invoice)
            return credit_note_of(row), header

    async def list_invoices(
        self,
        *,
        account: str | None = None,
        unpaid: bool = False,
        after: tuple[int, str] | None = None,
        limit: int | None = None,
    ) -> list[Header]:
        """List invoices, oldest first; `after` is the moment and number of the last one seen."""
        conditions: list[ColumnElement[bool]] = []
        if account is not None:
            conditions.append(invoices.c.account == account)
        if after is not None:
            place = tuple_(invoices.c.issued_us, invoices.c.number)
            conditions.append(place > tuple_(*after))
        async with self._engine.connect() as connection:
            return await headers(connection, *conditions, unpaid=unpaid or None, limit=limit)

    async def page_of_invoices(
        self,
        *,
        account: str | None = None,
        month: str | None = None,
        state: str = "",
        before: str = "",
        limit: int,
    ) -> list[Header]:
        """List invoices, highest number first.

        Args:
            account: Only of this one.
            month: Only of this month.
            state: unpaid, overdue, paid, or all.
            before: The last number of the page before.
            limit: Rows of a page.

        """
        conditions: list[Any] = []  # Any: SQL conditions
        if account is not None:
            conditions.append(invoices.c.account == account)
        if month is not None:
            conditions.append(invoices.c.month == month)
        if state == "overdue":
            conditions.append(invoices.c.due_us < microseconds_of(self._clock.now()))
        if before:
            conditions.append(invoices.c.number < before)
        unpaid = {"unpaid": True, "overdue": True, "paid": False}.get(state)
        async with self._engine.connect() as connection:
            return await headers(connection, *conditions, unpaid=unpaid, newest=limit)


def credit_note_of(row: Row[Any]) -> CreditNote:  # Any: a row of many column types
    """Turn a row into a credit note."""
    return CreditNote(
        number=row.number,
        invoice=row.invoice,
        transfer_id=row.transfer_id,
        issued_us=row.issued_us,
        reason=row.reason,
        net=row.net,
        tax=row.tax,
        total=row.total,
    )


def _line(row: Row[Any]) -> Line:  # Any: a row of many column types
    return Line(
        kind=row.kind,
        text=row.text,
        service=row.service,
        detail=row.detail,
        tariff=row.tariff,
        quantity=row.quantity,
        billed_seconds=row.billed_seconds,
        net=row.net,
        tax=row.tax,
    )


def _check_postpaid(account: Row[Any]) -> None:  # Any: a row of many column types
    if account.mode != "postpaid":
        raise InvalidInput(reason=f"account {account.code} is prepaid: it gets no invoices")
