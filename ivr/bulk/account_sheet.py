"""Accounts as rows of a file: the columns, and writing what the import reads as unchanged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.money import format_amount
from billing.wallet import Account
from ivr.tables import account_languages, phones

COLUMNS: Final = (
    "account", "number", "mode", "currency", "credit_limit", "opening_balance", "phones", "pin",
    "language", "status",
)  # fmt: skip
NEEDED: Final = ("account",)
# For people who look at the file; nothing of it is read.
SHOWN: Final = ("balance", "spendable")
EXPORTED: Final = (*COLUMNS, *SHOWN)


async def exported(connection: AsyncConnection, listed: Sequence[Account]) -> list[tuple[str, ...]]:
    """Write accounts as rows. PINs cannot be read, and an opening balance is booked once."""
    codes = [account.code for account in listed]
    numbers: defaultdict[str, list[str]] = defaultdict(list)
    query = select(phones).where(phones.c.account.in_(codes)).order_by(phones.c.number)
    for row in await connection.execute(query):
        numbers[row.account].append(row.number)
    spoken = select(account_languages).where(account_languages.c.account.in_(codes))
    languages = {row.account: row.language for row in await connection.execute(spoken)}
    return [
        (
            account.code,
            account.number,
            account.mode,
            account.currency,
            format_amount(account.credit_limit) if account.mode == "postpaid" else "",
            "",
            " ".join(numbers[account.code]),
            "",
            languages.get(account.code, ""),
            account.status,
            format_amount(account.posted),
            format_amount(account.spendable),
        )
        for account in listed
    ]
