"""Rows to the snapshot; what tells readers when to look again is in `stamp`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.agreements import newest_agreements
from billing.domain.tariffs import Tariff
from billing.errors import UnknownTariff
from billing.storage.ledger import shares_from_json
from billing.storage.tables import accounts, clients, tariff_versions
from ivr.directory.destinations import Destination
from ivr.directory.fraud_limits import load_limits
from ivr.directory.model import Access, Client, Did, Directory, TariffVersion, Topic, parse_pin
from ivr.directory.queues import load_away, load_queues
from ivr.directory.rules import ClientRules, LineRules, TopicRules
from ivr.directory.stamp import bump_stamp, lock_directory, stamp
from ivr.tables import (
    account_languages,
    client_rules,
    dids,
    phones,
    pins,
    prompt_uses,
    topics,
)

__all__ = [
    "bump_stamp",
    "load_directory",
    "load_planned",
    "load_tariff",
    "load_tariffs",
    "load_versions",
    "lock_directory",
    "stamp",
]


async def load_directory(connection: AsyncConnection, now_us: int) -> Directory:
    """Read everything, with the prices that are in force now."""
    lines = await load_lines(connection, now_us)
    return replace(
        lines,
        phones={row.number: row.account for row in await connection.execute(select(phones))},
        numbers={
            row.number: row.code
            for row in await connection.execute(
                select(accounts.c.number, accounts.c.code).where(accounts.c.number.is_not(None))
            )
        },
        pins={row.account: row.pin_hash for row in await connection.execute(select(pins))},
        languages={
            row.account: row.language for row in await connection.execute(select(account_languages))
        },
    )


async def load_lines(connection: AsyncConnection, now_us: int) -> Directory:
    """Read what is sold, without the accounts that buy it, of which there may be many.

    What refers is read before what it refers to: a catalog that is applied meanwhile only adds
    and changes, so no DID is ever without its client, tariff and topics.
    """
    agreements = await newest_agreements(connection)
    ruled = {
        row.client: ClientRules.from_json(row.rules)
        for row in await connection.execute(select(client_rules))
    }
    lines = await load_dids(connection)
    return Directory(
        dids=lines,
        clients={
            row.code: Client(
                code=row.code,
                title=row.title,
                currency=row.currency,
                shares=shares_from_json(row.shares),
                referrers=agreements[row.code].referrers if row.code in agreements else (),
                rules=ruled.get(row.code, ClientRules()),
            )
            for row in await connection.execute(select(clients))
        },
        tariffs=await load_tariffs(connection, now_us) | await _pinned(connection, lines.values()),
        phones={},
        numbers={},
        pins={},
        queues=await load_queues(connection),
        away=await load_away(connection),
        limits=await load_limits(connection),
        prompt_uses={
            (row.did, row.digit): row.prompt
            for row in await connection.execute(select(prompt_uses))
        },
    )


async def load_tariffs(connection: AsyncConnection, now_us: int) -> dict[str, TariffVersion]:
    """Read the version of each tariff that is in force at a moment."""
    newest = (
        select(tariff_versions.c.name, func.max(tariff_versions.c.version).label("version"))
        .where(tariff_versions.c.in_force_us <= now_us)
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
    return {row.name: _version(row) for row in rows}


async def load_tariff(connection: AsyncConnection, name: str, now_us: int) -> TariffVersion:
    """Read one tariff at a moment, or the version that `name@version` says.

    Raises:
        UnknownTariff: there is none.

    """
    plain, version = parse_pin(name)
    found = (
        (await load_tariffs(connection, now_us)).get(plain)
        if version is None
        else (await load_versions(connection, {name})).get(name)
    )
    if found is None:
        raise UnknownTariff(tariff=name)
    return found


async def load_versions(
    connection: AsyncConnection, names: Collection[str]
) -> dict[str, TariffVersion]:
    """Read versions by `name@version`; what is not there is left out."""
    wanted = [parse_pin(name) for name in names]
    rows = await connection.execute(
        select(tariff_versions).where(
            tariff_versions.c.name.in_({name for name, _ in wanted}),
            tariff_versions.c.version.in_({version for _, version in wanted}),
        )
    )
    found = {f"{row.name}@{row.version}": _version(row) for row in rows}
    return {name: version for name, version in found.items() if name in names}


async def load_planned(
    connection: AsyncConnection, now_us: int
) -> dict[str, tuple[int, TariffVersion]]:
    """Read since when versions will be in force that are not yet; a tariff has at most one."""
    rows = await connection.execute(
        select(tariff_versions).where(tariff_versions.c.in_force_us > now_us)
    )
    return {row.name: (row.in_force_us, _version(row)) for row in rows}


async def _pinned(connection: AsyncConnection, lines: Iterable[Did]) -> dict[str, TariffVersion]:
    named = {name for did in lines for name in did.tariffs() if parse_pin(name)[1] is not None}
    return await load_versions(connection, named) if named else {}


def _version(row: Row[Any]) -> TariffVersion:
    return TariffVersion(
        id=row.id, name=row.name, version=row.version, tariff=Tariff.from_json(row.body)
    )


async def load_dids(connection: AsyncConnection) -> dict[str, Did]:
    """Read every DID with its topics, the retired ones too."""
    rows = (await connection.execute(select(dids))).all()
    offered: defaultdict[str, list[Topic]] = defaultdict(list)
    for row in await connection.execute(select(topics).order_by(topics.c.digit)):
        offered[row.did].append(
            Topic(
                digit=row.digit,
                name=row.name,
                destination=Destination.parse(row.destination),
                tariff=row.tariff,
                rules=TopicRules.from_json(row.rules),
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
            rules=LineRules.from_json(row.rules),
        )
        for row in rows
    }
