"""Batches of vouchers as they stand: how many are left, redeemed, too old, called back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.money import Micros
from billing.storage.voucher_tables import voucher_batches, vouchers


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Vouchers that were made together: each is worth `amount`."""

    id: str
    amount: Micros
    currency: str
    count: int
    used: int
    expired: int
    disabled: int
    expires_us: int | None
    note: str | None
    actor: str
    created_us: int

    @property
    def left(self) -> int:
        """How many can still be redeemed."""
        return self.count - self.used - self.expired - self.disabled


async def read_batches(
    connection: AsyncConnection, now_us: int, which: ColumnElement[bool] | None = None
) -> list[Batch]:
    """Read batches, newest first; all of them, or those of a condition."""
    unused = vouchers.c.used_us.is_(None)
    off = vouchers.c.disabled | voucher_batches.c.disabled
    late = func.coalesce(voucher_batches.c.expires_us <= now_us, False)
    query = (
        select(
            voucher_batches,
            func.count().filter(~unused).label("used"),
            func.count().filter(unused & off).label("called_back"),
            func.count().filter(unused & ~off & late).label("expired"),
        )
        .join(vouchers, vouchers.c.batch == voucher_batches.c.id)
        .where(true() if which is None else which)
        .group_by(voucher_batches.c.id)
        .order_by(voucher_batches.c.id.desc())
    )
    return [batch_of(row) for row in (await connection.execute(query)).mappings()]


def batch_of(row: Mapping[Any, Any]) -> Batch:  # Any: values of many column types
    """Turn a row and its counts into a batch."""
    return Batch(
        id=row["id"],
        amount=row["amount"],
        currency=row["currency"],
        count=row["size"],
        used=row["used"],
        expired=row["expired"],
        disabled=row["called_back"],
        expires_us=row["expires_us"],
        note=row["note"],
        actor=row["actor"],
        created_us=row["created_us"],
    )
