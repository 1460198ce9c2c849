"""Price lists of the catalog: what changed becomes a new version, now or from a date on."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.tariffs import Tariff
from billing.storage.tables import sessions, tariff_versions
from ivr.directory.catalog_accounts import CatalogConflict
from ivr.directory.catalog_file import Catalog
from ivr.directory.catalog_tariffs import PlannedTariff
from ivr.directory.rows import Applied, Row
from ivr.directory.store import load_dids, load_planned, load_tariffs, load_versions


async def apply_tariffs(
    connection: AsyncConnection, catalog: Catalog, now_us: int, applied: Applied
) -> set[tuple[str, str]]:
    """Write new versions of the price lists that differ from what is in force or planned.

    A tariff has at most one planned version: the newer file replaces it, no session ever saw it.
    A planned version whose date has come is what the file wants now. Returns which DIDs stayed
    with one that is gone now, or another (`name@version`): see `refuse_bound`.

    Raises:
        CatalogConflict: a line that stayed with a planned version had calls by it.

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
    stale: dict[int, str] = {}
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
            stale[ids[name]] = f"{name}@{stored[name][1].version}"
            number, known = number - 1, None
        if changes:
            number += 1
            versions.append(_row(wanted, number, now_us, now_us))
        if then and not known:
            versions.append(_row(then.tariff, number + 1, then.in_force_us, now_us))
    if stale:
        await _refuse_used(connection, stale)
        await connection.execute(delete(tariff_versions).where(tariff_versions.c.id.in_(stale)))
    if versions:
        await connection.execute(insert(tariff_versions), versions)
    return await _bound_lines(connection, set(stale.values()))


async def _bound_lines(
    connection: AsyncConnection, versions: Collection[str]
) -> set[tuple[str, str]]:
    """List which DIDs stay with which of these versions (`name@version`)."""
    if not versions:
        return set()
    return {
        (number, name)
        for number, did in (await load_dids(connection)).items()
        if not did.rules.retired
        for name in did.tariffs() & set(versions)
    }


async def refuse_bound(connection: AsyncConnection, bound: set[tuple[str, str]]) -> None:
    """Refuse to take a version away from a DID that stayed with it, and still wants it.

    Raises:
        CatalogConflict: with the first such DID.

    """
    left = sorted(bound & await _bound_lines(connection, {name for _, name in bound}))
    if left:
        number, name = left[0]
        raise CatalogConflict(
            f"{name} is planned and the line {number} stays with it: give the line another "
            "tariff before this version is dropped or changed"
        )


async def _refuse_used(connection: AsyncConnection, stale: Mapping[int, str]) -> None:
    used = select(sessions.c.tariff_version_id).where(sessions.c.tariff_version_id.in_(stale))
    found = (await connection.execute(used.limit(1))).scalar()
    if found is not None:
        raise CatalogConflict(
            f"{stale[found]} is planned, and calls of a line that stayed with it were charged by "
            "it: it can be dropped or changed no more"
        )


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
