"""Rows to the snapshot, and the stamp that tells readers when to look again."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.agreements import newest_agreements
from billing.domain.tariffs import Tariff
from billing.storage.ledger import shares_from_json
from billing.storage.tables import accounts, clients, tariff_versions
from ivr.directory.model import Access, Client, Destination, Did, Directory, TariffVersion, Topic
from ivr.tables import dids, directory_stamp, phones, pins, topics

STAMP_ROW = 1


async def stamp(connection: AsyncConnection) -> int:
    """Return the version of the directory; 0 before the first catalog."""
    return await connection.scalar(select(directory_stamp.c.version)) or 0


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


async def load_directory(connection: AsyncConnection) -> Directory:
    """Read everything.

    What refers is read before what it refers to: a catalog that is applied meanwhile only adds
    and changes, so no DID is ever without its client, tariff and topics.
    """
    agreements = await newest_agreements(connection)
    return Directory(
        dids=await _dids(connection),
        clients={
            row.code: Client(
                code=row.code,
                title=row.title,
                currency=row.currency,
                shares=shares_from_json(row.shares),
                referrers=agreements[row.code].referrers if row.code in agreements else (),
            )
            for row in await connection.execute(select(clients))
        },
        tariffs=await load_tariffs(connection),
        phones={row.number: row.account for row in await connection.execute(select(phones))},
        numbers={
            row.number: row.code
            for row in await connection.execute(
                select(accounts.c.number, accounts.c.code).where(accounts.c.number.is_not(None))
            )
        },
        pins={row.account: row.pin_hash for row in await connection.execute(select(pins))},
    )


async def load_tariffs(connection: AsyncConnection) -> dict[str, TariffVersion]:
    """Read the newest version of each tariff."""
    newest = (
        select(tariff_versions.c.name, func.max(tariff_versions.c.version).label("version"))
        .group_by(tariff_versions.c.name)
        .subquery()
    )
    rows = await connection.execute(
        select(tariff_versions).join(
            newest,
            (tariff_versions.c.name == newest.c.name)
            & (tariff_versions.c.version == newest.c.version),
        )
    )
    return {
        row.name: TariffVersion(
            id=row.id, name=row.name, version=row.version, tariff=Tariff.from_json(row.body)
        )
        for row in rows
    }


async def _dids(connection: AsyncConnection) -> dict[str, Did]:
    rows = (await connection.execute(select(dids))).all()
    offered: defaultdict[str, list[Topic]] = defaultdict(list)
    for row in await connection.execute(select(topics).order_by(topics.c.digit)):
        offered[row.did].append(
            Topic(
                digit=row.digit,
                name=row.name,
                destination=Destination.parse(row.destination),
                tariff=row.tariff,
            )
        )
    return {
        row.number: Did(
            number=row.number,
            client=row.client,
            kind=row.kind,
            monthly_fee=row.monthly_fee,
            timezone=row.timezone,
            tariff=row.tariff,
            access=Access(trust_caller_id=row.trust_caller_id, pin=row.pin),
            topics=tuple(offered[row.number]),
        )
        for row in rows
    }
