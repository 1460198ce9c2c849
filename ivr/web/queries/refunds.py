"""What was given back, newest first."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import literal_column, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.business import CORRECTIONS
from billing.money import Micros
from billing.reports import Span
from billing.storage.tables import accounts, entries, transfers
from ivr.tables import calls
from ivr.web.scope import Scope

KINDS = ("refund", "goodwill")


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundItem:
    """Money that went back to a caller for a call."""

    transfer_id: str
    call_id: str
    account: str
    client: str | None
    kind: str
    amount: Micros
    currency: str
    reason: str | None
    actor: str | None
    at_us: int


async def list_refunds(
    connection: AsyncConnection,
    scope: Scope,
    *,
    span: Span | None = None,
    account: str | None = None,
    after: tuple[int, str] | None = None,
    limit: int,
) -> list[RefundItem]:
    """List refunds; `after` is the moment and transfer of the last one seen."""
    place = (transfers.c.at_us, transfers.c.id)
    query = (
        select(transfers, entries.c.amount, accounts.c.code, accounts.c.currency, calls.c.client)
        .join(entries, entries.c.transfer_id == transfers.c.id)
        .join(accounts, accounts.c.id == entries.c.account_id)
        .join(calls, calls.c.id == transfers.c.reference)
        .where(
            # As literals, for the partial index of corrections.
            transfers.c.kind.in_([literal_column(f"'{kind}'") for kind in CORRECTIONS]),
            transfers.c.kind.in_(KINDS),
            accounts.c.kind == "caller",
            scope.calls(),
        )
        .order_by(*(each.desc() for each in place))
        .limit(limit)
    )
    if span is not None:
        query = query.where(transfers.c.at_us >= span.from_us, transfers.c.at_us < span.until_us)
    if account is not None:
        query = query.where(accounts.c.code == account)
    if after is not None:
        query = query.where(tuple_(*place) < tuple_(*after))
    return [
        RefundItem(
            transfer_id=row.id,
            call_id=row.reference,
            account=row.code,
            client=row.client,
            kind=row.kind,
            amount=row.amount,
            currency=row.currency,
            reason=row.memo,
            actor=row.actor,
            at_us=row.at_us,
        )
        for row in await connection.execute(query)
    ]
