"""Price lists of the catalog: what changed becomes a new version, now or from a date on."""

from __future__ import annotations

import hashlib

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.tariffs import Tariff
from billing.storage.tables import tariff_versions
from ivr.directory.catalog_accounts import CatalogConflict
from ivr.directory.catalog_file import Catalog
from ivr.directory.catalog_tariffs import PlannedTariff
from ivr.directory.rows import Applied, Row
from ivr.directory.store import load_planned, load_tariffs, load_versions


async def apply_tariffs(
    connection: AsyncConnection, catalog: Catalog, now_us: int, applied: Applied
) -> None:
    """Write new versions of the price lists that differ from what is in force or planned.

    A tariff has at most one planned version: the newer file replaces it, no session ever saw it.
    A planned version whose date has come is what the file wants now.
    """
    in_force = await load_tariffs(connection, now_us)
    stored = await load_planned(connection, now_us)
    ids = {name: version.id for name, (_, version) in stored.items()}
    planned = {
        name: PlannedTariff(tariff=version.tariff, in_force_us=at_us)
        for name, (at_us, version) in stored.items()
    }
    coming = {each.tariff.name: each for each in catalog.planned}
    due = {name for name, each in coming.items() if each.in_force_us <= now_us}
    versions: list[Row] = []
    stale: list[int] = []
    numbers = await _numbers(connection)
    for tariff in catalog.tariffs:
        name = tariff.name
        before = in_force.get(name)
        known = planned.get(name)
        wanted = coming[name].tariff if name in due else tariff
        then = coming[name] if name in coming and name not in due else None
        applied.note(
            f"tariff {name}",
            before=before and (before.tariff, known),
            after=(wanted, then),
        )
        number = numbers.get(name, 0)
        changes = before is None or before.tariff != wanted
        if known and (changes or then != known):
            # Versions come into force in their order: a plan that stays is written again behind.
            stale.append(ids[name])
            number, known = number - 1, None
        if changes:
            number += 1
            versions.append(_row(wanted, number, now_us, now_us))
        if then and not known:
            versions.append(_row(then.tariff, number + 1, then.in_force_us, now_us))
    if stale:
        await connection.execute(delete(tariff_versions).where(tariff_versions.c.id.in_(stale)))
    if versions:
        await connection.execute(insert(tariff_versions), versions)


async def refuse_unknown_versions(connection: AsyncConnection, catalog: Catalog) -> None:
    """Refuse a DID or topic that stays with a version which does not exist.

    Raises:
        CatalogConflict: with the names.

    """
    pinned = {name for did in catalog.dids for name in did.tariffs() if "@" in name}
    if missing := pinned - (await load_versions(connection, pinned)).keys():
        raise CatalogConflict(f"there is no version {', '.join(sorted(missing))} of these tariffs")


async def _numbers(connection: AsyncConnection) -> dict[str, int]:
    rows = await connection.execute(
        select(tariff_versions.c.name, func.max(tariff_versions.c.version)).group_by(
            tariff_versions.c.name
        )
    )
    return {row[0]: row[1] for row in rows}


def _row(tariff: Tariff, number: int, in_force_us: int, now_us: int) -> Row:
    body = tariff.to_json()
    return {
        "name": tariff.name,
        "version": number,
        "currency": tariff.currency,
        "body": body,
        "body_hash": hashlib.sha256(body.encode()).hexdigest(),
        "in_force_us": in_force_us,
        "created_us": now_us,
    }
