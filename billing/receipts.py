"""A caller's papers: the receipt of one incoming transfer, the statement of some days."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.domain.invoices import PAID_IN
from billing.errors import InvalidInput, UnknownAccount, UnknownInvoice
from billing.money import Micros
from billing.reports import Span, StatementLine, statement_of
from billing.storage.engine import snapshot
from billing.storage.invoice_rows import read_terms, write_terms, writing
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


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStatement:
    """What moved on a caller's account in whole days, oldest first: opening + lines = closing."""

    account: str
    number: str
    title: str
    address: str
    currency: str
    span: Span
    opening: Micros
    lines: tuple[StatementLine, ...]

    @property
    def closing(self) -> Micros:
        """The balance after the last line."""
        return self.opening + sum(line.amount for line in self.lines)


async def read_statement(connection: AsyncConnection, account: str, span: Span) -> AccountStatement:
    """Read the movements of a span of days; one more than `ROWS_MAX` says that there are more.

    Raises:
        UnknownAccount: there is no such caller's account.

    """
    query = select(accounts).where(accounts.c.kind == "caller", accounts.c.code == account)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise UnknownAccount(account=account)
    lines = await statement_of(connection, row.id, span)
    if lines:
        opening = lines[0].balance_after - lines[0].amount
    else:
        before = (
            select(entries.c.balance_after)
            .join(transfers, transfers.c.id == entries.c.transfer_id)
            .where(entries.c.account_id == row.id, transfers.c.at_us < span.from_us)
            .order_by(entries.c.seq.desc())
            .limit(1)
        )
        opening = await connection.scalar(before) or 0
    terms = await read_terms(connection, account)
    return AccountStatement(
        account=account,
        number=row.number,
        title=terms.title or account,
        address=terms.address,
        currency=row.currency,
        span=span,
        opening=opening,
        lines=tuple(lines),
    )


async def name_account(engine: AsyncEngine, account: str, title: str) -> None:
    """Let the papers of an account carry a name; how it is billed stays as it is."""
    async with writing(engine) as connection:
        terms = await read_terms(connection, account)
        await write_terms(connection, account, replace(terms, title=title))
