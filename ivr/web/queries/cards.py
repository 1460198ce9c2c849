"""Card payments as rows: those of an account, all of them for operators, and what was claimed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, case, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.cards import CardPayment
from billing.money import Micros
from billing.storage.card_rows import MARK, payment_of
from billing.storage.card_tables import card_claims, card_payments
from ivr.web.scope import NotYours, Role, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFilter:
    """Which payments; `state` may also be back (something went back) or owed (not all of it)."""

    state: str | None = None
    account: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CardRow:
    """A payment and what its owner claimed back; `owed` of it could not be taken."""

    payment: CardPayment
    claimed: Micros
    disputed: bool

    @property
    def owed(self) -> Micros:
        """What is claimed and was not taken."""
        if self.payment.state != "paid":
            return 0
        return max(0, min(self.claimed, self.payment.amount) - self.payment.taken)


async def list_payments(
    connection: AsyncConnection,
    scope: Scope,
    wanted: CardFilter,
    *,
    after: tuple[int, str] | None = None,
    limit: int,
) -> list[CardRow]:
    """List payments, newest first; `after` is the moment and the id of the last one before."""
    query = (
        _query()
        .where(_visible(scope))
        .order_by(card_payments.c.created_us.desc(), card_payments.c.id.desc())
        .limit(limit)
    )
    if wanted.account is not None:
        query = query.where(card_payments.c.account == wanted.account)
    claimed = func.coalesce(_SUMS.c.amount, 0)
    match wanted.state:
        case None:
            pass
        case "back":
            query = query.where(claimed > 0)
        case "owed":
            query = query.where(
                card_payments.c.state == "paid",
                card_payments.c.taken < card_payments.c.amount,
                claimed > card_payments.c.taken,
            )
        case state:
            query = query.where(card_payments.c.state == state)
    if after is not None:
        query = query.where(tuple_(card_payments.c.created_us, card_payments.c.id) < after)
    return [_row(row) for row in await connection.execute(query)]


async def find_payment(connection: AsyncConnection, scope: Scope, payment: str) -> CardRow:
    """Read one payment.

    Raises:
        NotYours: there is none, or the visitor may not see it.

    """
    query = _query().where(_visible(scope), card_payments.c.id == payment)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise NotYours
    return _row(row)


_SUMS = (
    select(
        card_claims.c.intent,
        func.sum(case((card_claims.c.won, 0), else_=card_claims.c.amount)).label("amount"),
        func.sum(case((card_claims.c.kind == "dispute", 1), else_=0)).label("disputes"),
    )
    .where(card_claims.c.kind != MARK)
    .group_by(card_claims.c.intent)
    .subquery()
)


def _query() -> Select[Any]:  # Any: columns of many types
    return select(
        card_payments,
        func.coalesce(_SUMS.c.amount, 0).label("claimed"),
        func.coalesce(_SUMS.c.disputes, 0).label("disputes"),
    ).select_from(card_payments.outerjoin(_SUMS, _SUMS.c.intent == card_payments.c.intent))


def _visible(scope: Scope) -> ColumnElement[bool]:
    if scope.role is Role.OPERATOR:
        return card_payments.c.id.is_not(None)
    mine = scope.subject if scope.role is Role.CALLER else None
    return card_payments.c.account == (mine or "")


def _row(row: Row[Any]) -> CardRow:  # Any: a row of many column types
    return CardRow(payment=payment_of(row), claimed=int(row.claimed), disputed=bool(row.disputes))
