"""Callers' accounts as rows: search with keyset paging, one account, its phones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, false, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.invoices import PAID_IN
from billing.storage.tables import accounts, entries, transfers
from billing.wallet import Account
from ivr.tables import phones, pins
from ivr.web.scope import NotYours, Role, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFilter:
    """What a list of accounts shows. `text` is part of a code, or begins a number or phone."""

    text: str | None = None
    status: str | None = None
    mode: str | None = None


async def list_accounts(
    connection: AsyncConnection,
    scope: Scope,
    wanted: AccountFilter,
    *,
    after: str | None = None,
    limit: int,
) -> list[Account]:
    """List accounts by code; `after` is the last code of the page before."""
    query = (
        select(accounts)
        .where(accounts.c.kind == "caller", *_visible(scope), *_conditions(wanted))
        .order_by(accounts.c.code)
        .limit(limit)
    )
    if after is not None:
        query = query.where(accounts.c.code > after)
    return [_account(row) for row in await connection.execute(query)]


async def find_account(connection: AsyncConnection, scope: Scope, code: str) -> Account:
    """Read one account.

    Raises:
        NotYours: there is no such account, or the visitor may not see it.

    """
    query = select(accounts).where(
        accounts.c.kind == "caller", accounts.c.code == code, *_visible(scope)
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise NotYours
    return _account(row)


async def phones_of(connection: AsyncConnection, code: str) -> list[str]:
    """List the phones that are known to be an account's."""
    query = select(phones.c.number).where(phones.c.account == code).order_by(phones.c.number)
    return list(await connection.scalars(query))


async def has_pin(connection: AsyncConnection, code: str) -> bool:
    """Tell whether an account has a PIN."""
    query = select(pins.c.account).where(pins.c.account == code)
    return await connection.scalar(query) is not None


async def top_up_amount(
    connection: AsyncConnection, account_id: int, transfer_id: str
) -> int | None:
    """Return what a transfer added to an account; None when it added nothing to this one."""
    query = (
        select(entries.c.amount)
        .join(transfers, transfers.c.id == entries.c.transfer_id)
        .where(
            entries.c.account_id == account_id,
            entries.c.transfer_id == transfer_id,
            transfers.c.kind.in_(PAID_IN),
        )
    )
    return await connection.scalar(query)


def _visible(scope: Scope) -> list[ColumnElement[bool]]:
    """Narrow to what the visitor may see; an operator sees all."""
    if scope.role is Role.OPERATOR:
        return []
    if scope.role is Role.CALLER and scope.subject:
        return [accounts.c.code == scope.subject]
    return [false()]


def _conditions(wanted: AccountFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.text is not None:
        text = wanted.text.lower()
        number = text.removeprefix("+")
        conditions.append(
            or_(
                accounts.c.code.contains(text, autoescape=True),
                accounts.c.number.startswith(number, autoescape=True),
                accounts.c.code.in_(
                    select(phones.c.account).where(
                        phones.c.number.startswith(number, autoescape=True)
                    )
                ),
            )
        )
    if wanted.status is not None:
        conditions.append(accounts.c.status == wanted.status)
    if wanted.mode is not None:
        conditions.append(accounts.c.mode == wanted.mode)
    return conditions


def _account(row: Row[Any]) -> Account:  # Any: a row of many column types
    return Account(
        id=row.id,
        code=row.code,
        mode=row.mode,
        currency=row.currency,
        number=row.number,
        status=row.status,
        posted=row.posted,
        held=row.held,
        credit_limit=row.credit_limit or 0,
    )
