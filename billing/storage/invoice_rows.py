"""Rows of invoices: what every use-case of postpaid billing reads and writes.

Locks are taken in one order: the counter of a series, then accounts by id, as the ledger does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from sqlalchemy import Row, and_, delete, func, insert, or_, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.domain.invoices import CREDITS, BillingTerms, Movement, number_of
from billing.errors import LedgerUnavailable, UnknownAccount
from billing.money import Micros
from billing.storage.drivers import DatabaseFailed
from billing.storage.engine import for_writing
from billing.storage.invoice_tables import (
    billing_settings,
    invoice_allocations,
    invoice_counters,
    invoice_items,
    invoices,
)
from billing.storage.tables import accounts, entries, sessions, tariff_versions, transfers

TERMS: Final = tuple(field.name for field in fields(BillingTerms))


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """An invoice without its lines; `allocated` is what has paid it so far."""

    number: str
    account: str
    currency: str
    month: str
    issued_us: int
    due_us: int
    terms: BillingTerms
    net: Micros
    tax: Micros
    total: Micros
    allocated: Micros = 0

    @property
    def unpaid(self) -> Micros:
        """What is left to pay."""
        return self.total - self.allocated

    @property
    def late_us(self) -> int:
        """The moment after which it costs a late fee."""
        return self.due_us + self.terms.grace_days * 86_400_000_000

    def status(self, at_us: int) -> str:
        """Say `paid`, `overdue`, `partly paid` or `open`."""
        if not self.unpaid:
            return "paid"
        if at_us > self.due_us:
            return "overdue"
        return "partly paid" if self.allocated else "open"


@asynccontextmanager
async def writing(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Open a transaction that writes, and commit it.

    Raises:
        LedgerUnavailable: the database refused or failed; the same request may be sent again.

    """
    connection = await for_writing(engine)
    try:
        async with connection.begin():
            yield connection
    except (DatabaseFailed, IntegrityError) as error:
        raise LedgerUnavailable(reason=type(error).__name__) from error
    finally:
        await connection.close()


async def lock_counter(connection: AsyncConnection, series: str, year: int) -> int:
    """Lock the counter of a series until the end of the transaction; return the last number."""
    key = {"series": series, "year": year}
    await connection.execute(_MAKE_COUNTER, key)
    found = await connection.scalar(
        select(invoice_counters.c.last)
        .where(invoice_counters.c.series == series, invoice_counters.c.year == year)
        .with_for_update()
    )
    assert found is not None
    return int(found)


async def take_number(connection: AsyncConnection, series: str, year: int) -> dict[str, str | int]:
    """Take the next number of a counter that is locked; a rolled back one is taken again."""
    sequence = await lock_counter(connection, series, year) + 1
    await connection.execute(
        update(invoice_counters)
        .where(invoice_counters.c.series == series, invoice_counters.c.year == year)
        .values(last=sequence)
    )
    number = number_of(series, year, sequence)
    return {"number": number, "series": series, "year": year, "sequence": sequence}


async def lock_parties(connection: AsyncConnection, account: str, currency: str) -> None:
    """Lock all accounts that paying may touch, in the order of ids: no deadlock with a batch."""
    await connection.execute(
        select(accounts.c.id)
        .where(
            accounts.c.currency == currency,
            or_(
                and_(accounts.c.kind == "caller", accounts.c.code == account),
                and_(accounts.c.kind == "funding", accounts.c.code == "funding"),
                and_(accounts.c.kind == "provider", accounts.c.code == "provider"),
            ),
        )
        .order_by(accounts.c.id)
        .with_for_update(key_share=True)
    )


async def caller(connection: AsyncConnection, code: str) -> Row[Any]:  # Any: many column types
    """Read the account of a caller.

    Raises:
        UnknownAccount: there is none.

    """
    query = select(accounts).where(accounts.c.kind == "caller", accounts.c.code == code)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise UnknownAccount(account=code)
    return row


async def read_terms(connection: AsyncConnection, account: str) -> BillingTerms:
    """Read how an account is billed; one without settings is billed as usual."""
    query = select(billing_settings).where(billing_settings.c.account == account)
    row = (await connection.execute(query)).one_or_none()
    return BillingTerms(**{name: getattr(row, name) for name in TERMS}) if row else BillingTerms()


async def write_terms(connection: AsyncConnection, account: str, terms: BillingTerms) -> None:
    """Replace how an account is billed from now on."""
    await connection.execute(delete(billing_settings).where(billing_settings.c.account == account))
    await connection.execute(insert(billing_settings), {"account": account, **asdict(terms)})


async def unbilled(
    connection: AsyncConnection,
    account: Row[Any],  # Any: a row of many column types
    *,
    before_us: int,
) -> list[Movement]:
    """List the charges of an account that no invoice has, with the tax inside of them."""
    billed = select(invoice_items.c.transfer_id).where(
        invoice_items.c.transfer_id == transfers.c.id, invoice_items.c.account == account.code
    )
    parts = entries.alias("parts")
    taxed = accounts.alias("taxed")
    tax = (
        select(func.coalesce(func.sum(parts.c.amount), 0))
        .select_from(parts.join(taxed, taxed.c.id == parts.c.account_id))
        .where(parts.c.transfer_id == transfers.c.id, taxed.c.kind == "tax")
        .scalar_subquery()
    )
    query = (
        select(
            transfers.c.id, transfers.c.kind, transfers.c.at_us, transfers.c.memo,
            entries.c.amount, tax.label("tax"), sessions.c.service, sessions.c.detail,
            sessions.c.billed_seconds, tariff_versions.c.name,
        )
        .select_from(
            entries.join(transfers, transfers.c.id == entries.c.transfer_id)
            .outerjoin(
                sessions,
                and_(sessions.c.id == transfers.c.reference, transfers.c.kind == "settle"),
            )
            .outerjoin(tariff_versions, tariff_versions.c.id == sessions.c.tariff_version_id)
        )
        .where(
            entries.c.account_id == account.id,
            transfers.c.at_us < before_us,
            transfers.c.kind.not_in(CREDITS),
            ~billed.exists(),
        )
        .order_by(entries.c.seq)
    )  # fmt: skip
    return [
        Movement(
            transfer_id=row.id,
            kind=row.kind,
            at_us=row.at_us,
            amount=row.amount,
            tax=int(row.tax),
            memo=row.memo,
            service=row.service,
            detail=row.detail,
            tariff=row.name,
            billed_seconds=row.billed_seconds or 0,
        )
        for row in await connection.execute(query)
    ]


async def free_of_charge(
    connection: AsyncConnection, account_id: int, from_us: int, until_us: int
) -> list[Movement]:
    """List the settled sessions of a span that cost nothing: they have no transfer."""
    query = (
        select(sessions, tariff_versions.c.name)
        .join(tariff_versions, tariff_versions.c.id == sessions.c.tariff_version_id)
        .where(
            sessions.c.account_id == account_id,
            sessions.c.state == "settled",
            sessions.c.cost == 0,
            sessions.c.ended_us >= from_us,
            sessions.c.ended_us < until_us,
        )
    )
    return [
        Movement(
            transfer_id=None,
            kind="settle",
            at_us=row.ended_us,
            amount=0,
            service=row.service,
            detail=row.detail,
            tariff=row.name,
            billed_seconds=row.billed_seconds or 0,
        )
        for row in await connection.execute(query)
    ]


async def headers(
    connection: AsyncConnection,
    *conditions: Any,  # Any: SQL conditions
    unpaid: bool | None = None,
    limit: int | None = None,
    newest: int | None = None,
) -> list[Header]:
    """Read invoices, oldest first, with what has paid them.

    Args:
        connection: Any connection.
        conditions: Which.
        unpaid: Only those that are not paid, or only those that are.
        limit: Only so many.
        newest: Only so many, and by number, highest first.

    """
    allocated = (
        select(func.coalesce(func.sum(invoice_allocations.c.amount), 0))
        .where(invoice_allocations.c.invoice == invoices.c.number)
        .scalar_subquery()
    )
    query = (
        select(invoices, allocated.label("allocated"))
        .where(*conditions)
        .order_by(invoices.c.issued_us, invoices.c.number)
    )
    if limit is not None:
        query = query.limit(limit)
    if newest is not None:
        query = query.order_by(None).order_by(invoices.c.number.desc()).limit(newest)
    if unpaid is not None:
        left = invoices.c.total > allocated
        query = query.where(left if unpaid else ~left)
    return [
        Header(
            number=row.number,
            account=row.account,
            currency=row.currency,
            month=row.month,
            issued_us=row.issued_us,
            due_us=row.due_us,
            terms=BillingTerms(**{name: getattr(row, name) for name in TERMS}),
            net=row.net,
            tax=row.tax,
            total=row.total,
            allocated=int(row.allocated),
        )
        for row in await connection.execute(query)
    ]


async def spare_credits(connection: AsyncConnection, account_id: int) -> list[tuple[str, Micros]]:
    """List the incoming transfers of an account that pay no invoice yet, with what is left."""
    used = (
        select(func.coalesce(func.sum(invoice_allocations.c.amount), 0))
        .where(invoice_allocations.c.transfer_id == transfers.c.id)
        .scalar_subquery()
    )
    query = (
        select(transfers.c.id, (entries.c.amount - used).label("left"))
        .select_from(entries.join(transfers, transfers.c.id == entries.c.transfer_id))
        .where(
            entries.c.account_id == account_id,
            entries.c.amount > used,
            transfers.c.kind.in_(CREDITS),
        )
        .order_by(entries.c.seq)
    )
    return [(row.id, int(row.left)) for row in await connection.execute(query)]


async def allocate(
    connection: AsyncConnection, wanted: Iterable[tuple[str, str, Micros]], at_us: int
) -> None:
    """Write which transfer pays how much of which invoice."""
    rows: Sequence[dict[str, str | int]] = [
        {"transfer_id": transfer_id, "invoice": number, "amount": amount, "at_us": at_us}
        for transfer_id, number, amount in wanted
    ]
    if rows:
        await connection.execute(insert(invoice_allocations), rows)


async def use_spare_credits(
    connection: AsyncConnection, account: str, currency: str, at_us: int
) -> None:
    """Let what pays no invoice yet pay the open ones, oldest first; the account is locked."""
    row = await caller(connection, account)
    spare = await spare_credits(connection, row.id)
    mine = (invoices.c.account == account, invoices.c.currency == currency)
    wanted: list[tuple[str, str, Micros]] = []
    for header in await headers(connection, *mine, unpaid=True) if spare else []:
        left = header.unpaid
        while left and spare:
            transfer_id, credit = spare.pop(0)
            part = min(left, credit)
            wanted.append((transfer_id, header.number, part))
            left -= part
            if credit > part:
                spare.insert(0, (transfer_id, credit - part))
    await allocate(connection, wanted, at_us)


# The same words in both databases, where SQLAlchemy has two.
_MAKE_COUNTER: Final = text(
    "INSERT INTO invoice_counters (series, year, last) VALUES (:series, :year, 0) "
    "ON CONFLICT DO NOTHING"
)
