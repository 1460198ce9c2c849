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

from sqlalchemy import ColumnElement, Select, func, literal, select
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
    alike: defaultdict[int, list[int]] = defaultdict(list)
    for account_id, days in waits.items():
        alike[days].append(account_id)
    found: defaultdict[tuple[int, int], Micros] = defaultdict(int)
    for days, ids in sorted(alike.items()):
        since_us = now_us - days * DAY_US
        for query in (
            _first_day(ids, since_us, by_day=by_day),
            _whole_days(ids, since_us, by_day=by_day),
            _taken_back(ids, since_us, by_day=by_day),
        ):
            for row in await connection.execute(query):
                found[row.account_id, row.day_us] += int(row.amount)
    return found


def _first_day(ids: Collection[int], since_us: int, *, by_day: bool) -> Select[Any]:
    until_us = since_us - since_us % DAY_US + DAY_US
    return _entries(ids, transfers.c.at_us, by_day=by_day).where(
        transfers.c.kind == SHARE, transfers.c.at_us > since_us, transfers.c.at_us < until_us
    )


def _whole_days(ids: Collection[int], since_us: int, *, by_day: bool) -> Select[Any]:
    day = _day(party_days.c.day_us, by_day=by_day)
    return (
        select(party_days.c.account_id, day, func.sum(party_days.c.amount).label("amount"))
        .where(
            party_days.c.account_id.in_(ids),
            party_days.c.day_us > since_us,
            party_days.c.kind == SHARE,
        )
        .group_by(party_days.c.account_id, day)
    )


def _taken_back(ids: Collection[int], since_us: int, *, by_day: bool) -> Select[Any]:
    settled = transfers.alias("settled")
    query = _entries(ids, settled.c.at_us, by_day=by_day)
    return query.join(settled, settled.c.id == transfers.c.reverses).where(
        transfers.c.reverses.is_not(None),
        transfers.c.at_us > since_us,
        settled.c.kind == SHARE,
        settled.c.at_us > since_us,
    )


def _entries(
    ids: Collection[int], earned_us: ColumnElement[int], *, by_day: bool
) -> Select[Any]:  # Any: columns of many types
    day = _day(earned_us, by_day=by_day)
    # As a sum it tempts no planner to begin with all entries that an account ever had.
    account_id = entries.c.account_id + 0
    return (
        select(entries.c.account_id, day, func.sum(entries.c.amount).label("amount"))
        .select_from(transfers)
        .join(entries, entries.c.transfer_id == transfers.c.id)
        .where(account_id.in_(ids))
        .group_by(entries.c.account_id, day)
    )


def _day(at_us: ColumnElement[int], *, by_day: bool) -> Any:  # Any: a labelled expression
    return (at_us - at_us % DAY_US if by_day else literal(0)).label("day_us")
