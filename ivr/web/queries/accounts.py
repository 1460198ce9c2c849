"""Callers' accounts as rows: one account, its phones, whether it has a PIN."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, false, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.invoices import PAID_IN
from billing.storage.tables import accounts, entries, transfers
from billing.wallet import Account
from ivr.tables import phones, pins, users
from ivr.web.scope import NotYours, Role, Scope


async def find_account(connection: AsyncConnection, scope: Scope, code: str) -> Account:
    """Read one account.

    Raises:
        NotYours: there is no such account, or the visitor may not see it.

    """
    query = select(accounts).where(
        accounts.c.kind == "caller", accounts.c.code == code, *visible(scope)
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise NotYours
    return account_of(row)


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
    return await booked(connection, account_id, transfer_id, PAID_IN)


async def booked(
    connection: AsyncConnection, account_id: int, transfer_id: str, kinds: Collection[str]
) -> int | None:
    """Return what a transfer of some kinds moved on an account; None for any other."""
    query = (
        select(entries.c.amount)
        .join(transfers, transfers.c.id == entries.c.transfer_id)
        .where(
            entries.c.account_id == account_id,
            entries.c.transfer_id == transfer_id,
            transfers.c.kind.in_(kinds),
        )
    )
    return await connection.scalar(query)


async def first_movement_us(connection: AsyncConnection, account_id: int) -> int | None:
    """Return when an account first moved; None when it never did."""
    query = (
        select(transfers.c.at_us)
        .join(entries, entries.c.transfer_id == transfers.c.id)
        .where(entries.c.account_id == account_id)
        .order_by(entries.c.seq)
        .limit(1)
    )
    return await connection.scalar(query)


async def pin_hash_of(connection: AsyncConnection, code: str) -> str | None:
    """Read the hash of an account's PIN as it is now; None where there is none."""
    return await connection.scalar(select(pins.c.pin_hash).where(pins.c.account == code))


@dataclass(frozen=True, slots=True, kw_only=True)
class PinHolder:
    """An account that somebody wants to open with its PIN; `admitted` on the web, or not."""

    account: str
    pin_hash: str | None
    admitted: bool


async def holder_of_number(connection: AsyncConnection, number: str) -> PinHolder | None:
    """Find an account by its number, or by a phone that is known as its own.

    There is no scope yet: who asks is about to prove who it is.
    """
    by_phone = select(phones.c.account).where(phones.c.number == number)
    query = select(accounts.c.code).where(
        accounts.c.kind == "caller",
        or_(accounts.c.number == number, accounts.c.code.in_(by_phone)),
    )
    # What is keyed in on the phone is an account number before it is anything else.
    first = query.order_by((accounts.c.number == number).desc()).limit(1)
    return await holder_of_pin(connection, await connection.scalar(first) or "")


async def holder_of_pin(connection: AsyncConnection, code: str) -> PinHolder | None:
    """Read an account's PIN, and whether it may be used on the web.

    It may not where the account is blocked, or any of its logins is disabled.
    """
    shut = select(users.c.id).where(
        users.c.role == Role.CALLER.value, users.c.subject == accounts.c.code, users.c.disabled
    )
    query = (
        select(accounts.c.code, accounts.c.status, pins.c.pin_hash, shut.exists().label("shut"))
        .outerjoin(pins, pins.c.account == accounts.c.code)
        .where(accounts.c.kind == "caller", accounts.c.code == code)
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    return PinHolder(
        account=row.code,
        pin_hash=row.pin_hash,
        admitted=row.status == "active" and not row.shut,
    )


def visible(scope: Scope) -> list[ColumnElement[bool]]:
    """Narrow to what the visitor may see; an operator sees all."""
    if scope.role is Role.OPERATOR:
        return []
    if scope.role is Role.CALLER and scope.subject:
        return [accounts.c.code == scope.subject]
    return [false()]


def account_of(row: Row[Any]) -> Account:  # Any: a row of many column types
    """Turn a row into an account."""
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
