"""Rows of card payments: read, locked and changed within the caller's transaction."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Row, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.cards import CardPayment
from billing.errors import UnknownCardPayment
from billing.storage.card_tables import card_claims, card_payments
from billing.storage.tables import accounts

# The row of `card_claims` that stands for a payment of the processor itself.
MARK: Final = "mark"


async def lock_intent(connection: AsyncConnection, intent: str, now_us: int) -> None:
    """Let credit and claims of one payment of the processor come one after the other.

    They may be the first two things that we ever hear of it, in any order: the one that comes
    second must see what the first wrote.
    """
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    row = {
        "id": f"{MARK}:{intent}", "intent": intent, "kind": MARK, "amount": 0, "currency": "",
        "won": False, "at_us": now_us,
    }  # fmt: skip
    await connection.execute(dialect.insert(card_claims).on_conflict_do_nothing(), row)
    query = select(card_claims.c.id).where(card_claims.c.id == row["id"])
    await connection.execute(query.with_for_update())


async def lock_payment(connection: AsyncConnection, payment: str) -> CardPayment:
    """Read a payment and lock it.

    Raises:
        UnknownCardPayment: it is none of ours.

    """
    query = select(card_payments).where(card_payments.c.id == payment).with_for_update()
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise UnknownCardPayment(payment=payment)
    return payment_of(row)


async def change_payment(
    connection: AsyncConnection,
    payment: CardPayment,
    **values: Any,  # Any: values of many column types
) -> CardPayment:
    """Write values of a locked payment."""
    await connection.execute(
        update(card_payments).where(card_payments.c.id == payment.id).values(**values)
    )
    return replace(payment, **values)


async def owing_payments(connection: AsyncConnection, *, limit: int) -> list[CardPayment]:
    """List payments of which more is claimed than was taken, where there is money by now."""
    claimed = (
        select(card_claims.c.intent, func.sum(card_claims.c.amount).label("amount"))
        .where(card_claims.c.kind != MARK, card_claims.c.won.is_(False))
        .group_by(card_claims.c.intent)
        .subquery()
    )
    query = (
        select(card_payments)
        .join(claimed, claimed.c.intent == card_payments.c.intent)
        .join(accounts, accounts.c.code == card_payments.c.account)
        .where(
            card_payments.c.state == "paid",
            card_payments.c.taken < card_payments.c.amount,
            card_payments.c.taken < claimed.c.amount,
            accounts.c.kind == "caller",
            accounts.c.posted > accounts.c.held,
        )
        .limit(limit)
    )
    return [payment_of(row) for row in await connection.execute(query)]


async def payments_to_keep(connection: AsyncConnection, *, limit: int) -> list[CardPayment]:
    """List payments that came in and whose card is to be saved."""
    query = (
        select(card_payments)
        .where(card_payments.c.saves_card, card_payments.c.state == "paid")
        .order_by(card_payments.c.created_us)
        .limit(limit)
    )
    return [payment_of(row) for row in await connection.execute(query)]


def payment_of(row: Row[Any]) -> CardPayment:  # Any: a row of many column types
    """Make a payment of its row."""
    return CardPayment(
        id=row.id,
        account=row.account,
        currency=row.currency,
        amount=row.amount,
        kind=row.kind,
        state=row.state,
        saves_card=bool(row.saves_card),
        checkout=row.checkout,
        url=row.url,
        intent=row.intent,
        transfer_id=row.transfer_id,
        taken=row.taken,
        reason=row.reason,
        next_us=row.next_us,
        created_us=row.created_us,
        ended_us=row.ended_us,
    )
