"""The stamp of the directory moves with each change, so that readers know when to look again."""

from __future__ import annotations

from sqlalchemy import func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.storage.tables import tariff_versions
from ivr.tables import directory_stamp

STAMP_ROW = 1


async def stamp(connection: AsyncConnection, now_us: int) -> tuple[int, int]:
    """Return what moves with the directory: its version, and how many price lists are in force.

    A version of a tariff comes into force by the clock alone. (0, 0) before the first catalog.
    """
    in_force = select(func.count()).where(tariff_versions.c.in_force_us <= now_us)
    row = (
        await connection.execute(
            select(
                select(func.max(directory_stamp.c.version)).scalar_subquery(),
                in_force.scalar_subquery(),
            )
        )
    ).one()
    return row[0] or 0, row[1]


async def lock_directory(connection: AsyncConnection) -> None:
    """Let no other program change the directory until this transaction ends."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    await connection.execute(
        dialect.insert(directory_stamp).on_conflict_do_nothing(),
        {"id": STAMP_ROW, "version": 0},
    )
    await connection.execute(select(directory_stamp.c.version).with_for_update())


async def bump_stamp(connection: AsyncConnection) -> None:
    """Tell all readers that the directory changed, once this is committed; it is locked before."""
    await connection.execute(update(directory_stamp).values(version=directory_stamp.c.version + 1))
