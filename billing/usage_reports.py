"""What was used, summed by account, meter and type from the sums per hour."""

from __future__ import annotations

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.domain.usage import UsageRow
from billing.reports import Span
from billing.storage.plan_tables import usage_hours


async def usage_rows(
    engine: AsyncEngine,
    span: Span,
    *,
    account: str | None = None,
    after: tuple[str, str, str] | None = None,
    limit: int | None = None,
) -> list[UsageRow]:
    """Sum the usage of some days; `after` is the account, meter and type of the last row seen."""
    key = (usage_hours.c.account, usage_hours.c.meter, usage_hours.c.type)
    query = (
        select(
            *key,
            func.sum(usage_hours.c.events).label("events"),
            func.sum(usage_hours.c.units).label("units"),
            func.sum(usage_hours.c.overage_units).label("overage_units"),
            func.sum(usage_hours.c.overage).label("overage"),
        )
        .where(usage_hours.c.hour_us >= span.from_us, usage_hours.c.hour_us < span.until_us)
        .group_by(*key)
        .order_by(*key)
    )
    if account is not None:
        query = query.where(usage_hours.c.account == account)
    if after is not None:
        query = query.where(tuple_(*key) > tuple_(*after))
    if limit is not None:
        query = query.limit(limit)
    async with engine.connect() as connection:
        return [
            UsageRow(
                account=row.account,
                meter=row.meter,
                type=row.type,
                events=int(row.events),
                units=int(row.units),
                overage_units=int(row.overage_units),
                overage=int(row.overage),
            )
            for row in await connection.execute(query)
        ]
