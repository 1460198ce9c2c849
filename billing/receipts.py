"""Receipts: one incoming transfer of a caller's account, as a document says it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.domain.invoices import PAID_IN
from billing.errors import InvalidInput, UnknownInvoice
from billing.money import Micros
from billing.storage.engine import snapshot
from billing.storage.invoice_rows import read_terms
from billing.storage.tables import accounts, entries, transfers


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A top-up that was paid."""

    transfer_id: str
    account: str
    title: str
    address: str
    kind: str
    at_us: int
    amount: Micros
    balance: Micros
    currency: str
    memo: str | None


async def read_receipt(engine: AsyncEngine, transfer_id: str) -> Receipt:
    """Read what the receipt of a transfer says; the balance is the one right after it.

    Raises:
        UnknownInvoice: there is no such transfer.
        InvalidInput: nobody has paid for it.

    """
    query = (
        select(transfers, accounts.c.code, accounts.c.currency, entries)
        .select_from(
            transfers.join(entries, entries.c.transfer_id == transfers.c.id).join(
                accounts, accounts.c.id == entries.c.account_id
            )
        )
        .where(transfers.c.id == transfer_id, accounts.c.kind == "caller")
    )
    async with snapshot(engine) as connection:
        row = (await connection.execute(query)).first()
        if row is None:
            raise UnknownInvoice(number=transfer_id)
        if row.kind not in PAID_IN or row.amount < 0:
            raise InvalidInput(reason="only a top-up, a voucher or a payment has a receipt")
        terms = await read_terms(connection, row.code)
    return Receipt(
        transfer_id=transfer_id,
        account=row.code,
        title=terms.title or row.code,
        address=terms.address,
        kind=row.kind,
        at_us=row.at_us,
        amount=row.amount,
        balance=row.balance_after,
        currency=row.currency,
        memo=row.memo,
    )
