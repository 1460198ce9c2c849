"""Every stored version of every tariff, for operators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
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
    columns = tariff_versions.c
    rows = await connection.execute(
        select(columns.name, columns.version, columns.in_force_us, columns.body)
        .order_by(columns.name, columns.version.desc())
        .limit(VERSIONS_MAX)
    )
    return [
        Version(
            name=row.name,
            version=row.version,
            in_force_us=row.in_force_us,
            tariff=Tariff.from_json(row.body),
        )
        for row in rows
    ]
