"""Batches of vouchers and what became of each voucher; operators see them, nobody else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.storage.voucher_tables import voucher_batches, vouchers
from billing.voucher_batches import Batch, read_batches
from ivr.web.scope import NotYours, Role, Scope

State = Literal["used", "disabled", "expired", "open"]
STATES: Final = ("used", "open", "disabled", "expired")


@dataclass(frozen=True, slots=True, kw_only=True)
class Voucher:
    """One voucher of a batch, without its code: nobody can read that again."""

    serial: int
    state: State
    used_us: int | None
    account: str | None
    transfer_id: str | None


async def list_batches(
    connection: AsyncConnection,
    scope: Scope,
    *,
    now_us: int,
    after: str | None = None,
    limit: int,
) -> list[Batch]:
    """List batches, newest first; `after` is the last id of the page before."""
    _check(scope)
    newest = select(voucher_batches.c.id).order_by(voucher_batches.c.id.desc()).limit(limit)
    if after is not None:
        newest = newest.where(voucher_batches.c.id < after)
    ids = list(await connection.scalars(newest))
    return await read_batches(connection, now_us, voucher_batches.c.id.in_(ids))


async def find_batch(
    connection: AsyncConnection, scope: Scope, batch: str, *, now_us: int
) -> Batch:
    """Read one batch.

    Raises:
        NotYours: there is none, or the visitor may not see it.

    """
    _check(scope)
    found = await read_batches(connection, now_us, voucher_batches.c.id == batch)
    if not found:
        raise NotYours
    return found[0]


async def list_vouchers(
    connection: AsyncConnection,
    scope: Scope,
    batch: Batch,
    *,
    now_us: int,
    state: State | None = None,
    after: int = 0,
    limit: int,
) -> list[Voucher]:
    """List the vouchers of a batch by number; `after` is the last number of the page before."""
    _check(scope)
    late = batch.expires_us is not None and batch.expires_us <= now_us
    off = select(voucher_batches.c.disabled).where(voucher_batches.c.id == batch.id)
    all_off = bool(await connection.scalar(off))
    unused = vouchers.c.used_us.is_(None)
    called_back = unused if all_off else unused & vouchers.c.disabled
    query = (
        select(vouchers)
        .where(vouchers.c.batch == batch.id, vouchers.c.serial > after)
        .order_by(vouchers.c.serial)
        .limit(limit)
    )
    match state:
        case "used":
            query = query.where(~unused)
        case "disabled":
            query = query.where(called_back)
        case "expired" | "open":
            if all_off or late != (state == "expired"):
                return []
            query = query.where(unused, ~vouchers.c.disabled)
        case None:
            pass
    return [
        Voucher(
            serial=row.serial,
            state="used"
            if row.used_us is not None
            else "disabled"
            if all_off or row.disabled
            else "expired"
            if late
            else "open",
            used_us=row.used_us,
            account=row.account,
            transfer_id=row.transfer_id,
        )
        for row in await connection.execute(query)
    ]


def _check(scope: Scope) -> None:
    if scope.role is not Role.OPERATOR:
        raise NotYours
