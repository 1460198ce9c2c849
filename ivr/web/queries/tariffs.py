"""Every stored version of every tariff, for operators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.tariffs import Tariff
from billing.storage.tables import tariff_versions

VERSIONS_MAX: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A stored version of a tariff."""

    name: str
    version: int
    in_force_us: int
    tariff: Tariff

    @property
    def label(self) -> str:
        """How lines and topics name it."""
        return f"{self.name}@{self.version}"


async def list_versions(connection: AsyncConnection) -> list[Version]:
    """List the versions by tariff, newest first."""
    return await _read(
        connection,
        _query()
        .order_by(tariff_versions.c.name, tariff_versions.c.version.desc())
        .limit(VERSIONS_MAX),
    )


async def versions_of(
    connection: AsyncConnection, name: str, *, before: int | None = None, limit: int
) -> list[Version]:
    """List the versions of one tariff, newest first; `before` is the last of the page before."""
    query = _query().where(tariff_versions.c.name == name)
    if before is not None:
        query = query.where(tariff_versions.c.version < before)
    return await _read(connection, query.order_by(tariff_versions.c.version.desc()).limit(limit))


def _query() -> Select[Any]:  # Any: columns of many types
    columns = tariff_versions.c
    return select(columns.name, columns.version, columns.in_force_us, columns.body)


async def _read(connection: AsyncConnection, query: Select[Any]) -> list[Version]:  # Any: as above
    rows = await connection.execute(query)
    return [
        Version(
            name=row.name,
            version=row.version,
            in_force_us=row.in_force_us,
            tariff=Tariff.from_json(row.body),
        )
        for row in rows
    ]
