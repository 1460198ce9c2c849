"""What is pending of the shares of parties: earned, but not for as long as their terms demand.

    the day on which the wait began    from that moment on, entry by entry
    all days since                     their sums, `party_days`
    less what refunds took back        of just those shares

So the cost does not grow with what was sold in all these days.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.clock import MICROSECONDS
from billing.money import Micros
from billing.storage.report_tables import party_days
from billing.storage.tables import entries, transfers

DAY_US: Final = 86_400 * MICROSECONDS
SHARE: Final = "settle"


async def pending(
    connection: AsyncConnection, waits: Mapping[int, int], now_us: int
) -> dict[int, Micros]:
    """Sum what is pending on each account; `waits` are the days that each of them waits."""
    found: defaultdict[int, Micros] = defaultdict(int)
    for (account_id, _), amount in (await _sums(connection, waits, now_us, by_day=False)).items():
        found[account_id] += amount
    return found


async def pending_days(
    connection: AsyncConnection, account_id: int, wait_days: int, now_us: int
) -> dict[int, Micros]:
    """Sum what is pending on an account by the day in UTC on which it was earned."""
    found = await _sums(connection, {account_id: wait_days}, now_us, by_day=True)
    return {day_us: amount for (_, day_us), amount in sorted(found.items())}


async def _sums(
    connection: AsyncConnection, waits: Mapping[int, int], now_us: int, *, by_day: bool
) -> dict[tuple[int, int], Micros]:
    since = {account_id: now_us - days * DAY_US for account_id, days in waits.items()}
    alike: defaultdict[int, list[int]] = defaultdict(list)
    for account_id, since_us in since.items():
        alike[since_us].append(account_id)
    found: defaultdict[tuple[int, int], Micros] = defaultdict(int)

    def add(account_id: int, earned_us: int, amount: Micros) -> None:
        day_us = earned_us - earned_us % DAY_US if by_day else 0
        found[account_id, day_us] += amount

    if not alike:
        return found
    for since_us, ids in sorted(alike.items()):
        for row in await connection.execute(_first_day(ids, since_us)):
            add(row.account_id, since_us, int(row.amount))
    for row in await connection.execute(_whole_days(alike, by_day=by_day)):
        add(row.account_id, row.day_us, int(row.amount))
    for row in await connection.execute(_taken_back(list(since), min(alike))):
        if min(row.at_us, row.earned_us) > since[row.account_id]:
            add(row.account_id, row.earned_us, row.amount)
    return found


def _first_day(ids: Collection[int], since_us: int) -> Select[Any]:  # Any: a column of sums
    return (
        select(entries.c.account_id, func.sum(entries.c.amount).label("amount"))
        .select_from(transfers)
        .join(entries, entries.c.transfer_id == transfers.c.id)
        .where(
            _of(ids),
            transfers.c.kind == SHARE,
            transfers.c.at_us > since_us,
            transfers.c.at_us < since_us - since_us % DAY_US + DAY_US,
        )
        .group_by(entries.c.account_id)
    )


def _whole_days(
    alike: Mapping[int, Collection[int]], *, by_day: bool
) -> Select[Any]:  # Any: as above
    day = party_days.c.day_us if by_day else literal(0).label("day_us")
    return (
        select(party_days.c.account_id, day, func.sum(party_days.c.amount).label("amount"))
        .where(
            or_(
                *(
                    party_days.c.account_id.in_(ids) & (party_days.c.day_us > since_us)
                    for since_us, ids in alike.items()
                )
            ),
            party_days.c.kind == SHARE,
        )
        .group_by(party_days.c.account_id, day)
    )


def _taken_back(ids: Collection[int], since_us: int) -> Select[Any]:  # Any: columns of many types
    """Find what was taken back since the first of all waits began: that is little."""
    settled = transfers.alias("settled")
    return (
        select(
            entries.c.account_id,
            entries.c.amount,
            transfers.c.at_us,
            settled.c.at_us.label("earned_us"),
        )
        .select_from(transfers)
        .join(settled, settled.c.id == transfers.c.reverses)
        .join(entries, entries.c.transfer_id == transfers.c.id)
        .where(
            _of(ids),
            transfers.c.reverses.is_not(None),
            transfers.c.at_us > since_us,
            settled.c.kind == SHARE,
            settled.c.at_us > since_us,
        )
    )


def _of(ids: Collection[int]) -> ColumnElement[bool]:
    # As a sum it tempts no planner to begin with all entries that an account ever had.
    return (entries.c.account_id + 0).in_(ids)
