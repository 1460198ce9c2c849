"""Apply agreements of a catalog: when commissions begin and end, and the bonuses that are due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.agreements import BONUS, Bonus, post_bonuses
from billing.clock import Clock
from billing.errors import BillingError, InvalidShares
from billing.money import Micros, format_amount
from billing.storage.engine import for_writing
from billing.storage.tables import clients, entries, transfers
from ivr.directory.catalog_accounts import CatalogConflict
from ivr.directory.model import Client
from ivr.directory.rows import KEYS_PER_READ, Applied, stored


async def started(
    connection: AsyncConnection, listed: Sequence[Client], now_us: int
) -> list[Client]:
    """Put in place when each commission begins and ends; a new client starts now.

    Raises:
        CatalogConflict: a commission would end before its client's start.

    """
    starts = await stored(
        connection, clients.c.code, [client.code for client in listed], ("created_us",)
    )
    found = []
    for client in listed:
        start_us = starts[client.code]["created_us"] if client.code in starts else now_us
        try:
            referrers = tuple(each.starting(start_us) for each in client.referrers)
        except InvalidShares as error:
            raise CatalogConflict(f"client {client.code}: {error.facts['reason']}") from None
        found.append(replace(client, referrers=referrers))
    return found


async def due_bonuses(
    connection: AsyncConnection, listed: Sequence[Client], applied: Applied
) -> list[Bonus]:
    """Find the bonuses that nobody posted yet.

    Raises:
        CatalogConflict: one was posted with another amount.

    """
    wanted = [
        Bonus(
            client=client.code,
            referrer=each.account,
            currency=client.currency,
            amount=each.bonus,
        )
        for client in listed
        for each in client.referrers
        if each.bonus
    ]
    posted: dict[str, Micros] = {}
    for start in range(0, len(wanted), KEYS_PER_READ):
        keys = [bonus.key for bonus in wanted[start : start + KEYS_PER_READ]]
        rows = await connection.execute(
            select(transfers.c.key, entries.c.amount)
            .join(entries, entries.c.transfer_id == transfers.c.id)
            .where(transfers.c.key.in_(keys), entries.c.amount > 0)
        )
        posted |= {row.key: row.amount for row in rows}
    due = []
    for bonus in wanted:
        before = posted.get(bonus.key)
        if before not in {None, bonus.amount}:
            assert before is not None
            raise CatalogConflict(
                f"client {bonus.client}: {bonus.referrer} got a bonus of "
                f"{format_amount(before)} already"
            )
        applied.note(f"{BONUS} of {bonus.referrer}", before=before, after=bonus.amount)
        if before is None:
            due.append(bonus)
    return due


async def pay_bonuses(
    engine: AsyncEngine, due: Sequence[Bonus], clock: Clock, *, actor: str
) -> None:
    """Post bonuses, once each, after the catalog that named them is committed.

    Raises:
        BillingError: the ledger refused one; the next apply tries again.

    """
    if not due:
        return
    # A transaction of its own: it locks accounts in the order of the ledger and holds no others.
    connection = await for_writing(engine)
    try:
        async with connection.begin():
            for outcome in await post_bonuses(connection, due, clock, actor=actor):
                if isinstance(outcome, BillingError):
                    raise outcome
    finally:
        await connection.close()
