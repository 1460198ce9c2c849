"""What an account owes an invoice for, before any is made: for a run and for its preview."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.invoices import BillingTerms, Month, Movement, billable, total_of
from billing.money import Micros
from billing.storage.invoice_rows import read_terms, unbilled
from billing.storage.invoice_tables import invoices
from billing.storage.tables import accounts

DAY_US: Final = 86_400 * 1_000_000
# Accounts that a preview looks at, and invoices that it lists.
LOOKED_AT_MAX: Final = 2_000
LISTED_MAX: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """An invoice that a run would make."""

    account: str
    currency: str
    movements: int
    total: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a run of a month would make: at most a list, and whether there is more to look at."""

    due: tuple[Due, ...]
    billed_before: int
    whole: bool


async def due_of(
    connection: AsyncConnection,
    account: Row[Any],  # Any: a row of many column types
    month: Month,
) -> tuple[str, BillingTerms, list[Movement]]:
    """Read the number of the month's invoice if there is one, the terms, and what it would list."""
    terms = await read_terms(connection, account.code)
    invoiced: dict[str, str] = {
        row.month: row.number
        for row in await connection.execute(
            select(invoices.c.month, invoices.c.number).where(
                invoices.c.account == account.code, invoices.c.currency == account.currency
            )
        )
    }
    if str(month) in invoiced:
        return invoiced[str(month)], terms, []
    movements = billable(
        await unbilled(connection, account, before_us=month.until_us + DAY_US),
        month,
        invoiced=map(Month.parse, invoiced),
        cycle=terms.cycle,
    )
    return "", terms, list(movements)


async def preview_invoices(connection: AsyncConnection, month: Month) -> Preview:
    """Say what a run would make, without making it."""
    query = (
        select(accounts)
        .where(accounts.c.kind == "caller", accounts.c.mode == "postpaid")
        .order_by(accounts.c.code)
        .limit(LOOKED_AT_MAX + 1)
    )
    rows = (await connection.execute(query)).all()
    due: list[Due] = []
    before = 0
    for row in rows[:LOOKED_AT_MAX]:
        if len(due) == LISTED_MAX:
            return Preview(due=tuple(due), billed_before=before, whole=False)
        number, _, movements = await due_of(connection, row, month)
        if number:
            before += 1
        elif (total := total_of(movements)) > 0:
            due.append(
                Due(
                    account=row.code,
                    currency=row.currency,
                    movements=len(movements),
                    total=total,
                )
            )
    return Preview(due=tuple(due), billed_before=before, whole=len(rows) <= LOOKED_AT_MAX)
