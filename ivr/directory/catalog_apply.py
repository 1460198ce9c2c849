"""Apply a catalog: one transaction, and a second apply of the same file changes nothing.

What the file does not name stays; a tariff whose prices changed becomes a new version, and
sessions go on with the one they were authorised with.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.agreements import agreement_json, newest_agreements, write_agreements
from billing.clock import Clock, microseconds_of
from billing.storage.engine import for_writing
from billing.storage.ledger import shares_json
from billing.storage.tables import clients
from ivr.directory.apply_tariffs import apply_tariffs, refuse_bound, refuse_unknown_versions
from ivr.directory.catalog_accounts import (
    CatalogConflict,
    apply_accounts,
    apply_languages,
    apply_phones,
    apply_pins,
    hash_pins,
)
from ivr.directory.catalog_agreements import due_bonuses, pay_bonuses, started
from ivr.directory.catalog_billing import apply_billing
from ivr.directory.catalog_file import Catalog
from ivr.directory.catalog_payouts import apply_payouts
from ivr.directory.catalog_plans import apply_plans, apply_subscriptions
from ivr.directory.model import Client, Did, Topic
from ivr.directory.queues import apply_queues
from ivr.directory.rows import Applied, Row, stored, write
from ivr.directory.store import bump_stamp, lock_directory
from ivr.tables import client_rules, dids, topics

__all__ = ["Applied", "CatalogConflict", "apply"]


Along: TypeAlias = Callable[[AsyncConnection], Awaitable[None]]


async def apply(
    engine: AsyncEngine,
    catalog: Catalog,
    *,
    clock: Clock,
    pin_key: bytes,
    along: Along | None = None,
    last: Callable[[Applied], None] | None = None,
    actor: str = "catalog",
) -> Applied:
    """Bring the database to what the catalog says.

    An opening balance is posted with its account, once; later it changes nothing. `along` runs
    first in the same transaction, while nobody else changes the directory, and `last` at its end:
    what they raise leaves all as it was.

    Raises:
        CatalogConflict: what is stored speaks against it: an account, a phone, a bound line.
        BillingError: the ledger refused an opening balance.

    """
    applied = Applied()
    now_us = microseconds_of(clock.now())
    # Slow on purpose, so before the transaction.
    given = {account.code: account.pin for account in catalog.accounts if account.pin}
    hashes = await hash_pins(engine, given | dict(catalog.agent_pins), pin_key)
    connection = await for_writing(engine)
    try:
        async with connection.begin():
            await lock_directory(connection)
            if along is not None:
                await along(connection)
            bound = await apply_tariffs(connection, catalog, now_us, applied)
            await refuse_unknown_versions(connection, catalog)
            listed = await started(connection, catalog.clients, now_us)
            await _clients(connection, listed, now_us, applied, actor)
            bonuses = await due_bonuses(connection, listed, applied)
            await apply_payouts(connection, catalog.payouts, applied)
            await apply_queues(connection, catalog.queues, applied)
            await _dids(connection, catalog.dids, applied)
            await refuse_bound(connection, bound)
            await apply_accounts(connection, catalog, clock, applied)
            terms = {each.code: each.billing for each in catalog.accounts if each.billing}
            await apply_billing(connection, terms, applied)
            await apply_plans(connection, catalog.plans, clock, applied)
            having = {each.code: each.plan for each in catalog.accounts if each.plan}
            if others := await apply_subscriptions(connection, having, clock, applied):
                raise CatalogConflict(f"{others[0]}; use `talkmeter subscription change`")
            await apply_phones(connection, catalog.accounts, applied)
            await apply_pins(connection, hashes, applied)
            await apply_languages(connection, catalog.accounts, applied)
            if applied.created or applied.changed or along is not None:
                await bump_stamp(connection)
            if last is not None:
                last(applied)
    finally:
        await connection.close()
    await pay_bonuses(engine, bonuses, clock, actor=actor)
    return applied


async def _clients(
    connection: AsyncConnection,
    listed: Sequence[Client],
    now_us: int,
    applied: Applied,
    actor: str,
) -> None:
    wanted: dict[str, Row] = {
        client.code: {
            "title": client.title,
            "currency": client.currency,
            "shares": shares_json(client.shares),
        }
        for client in listed
    }
    before = await stored(connection, clients.c.code, wanted, ("title", "currency", "shares"))
    agreements = await newest_agreements(connection)
    bodies = {client.code: agreement_json(client.shares, client.referrers) for client in listed}
    for code, row in wanted.items():
        old = before.get(code)
        if old and old["currency"] != row["currency"]:
            raise CatalogConflict(f"client {code} is kept in {old['currency']} already")
        agreed = agreements[code].body if code in agreements else None
        applied.note(f"client {code}", before=old and (old, agreed), after=(row, bodies[code]))
    await write(
        connection, clients, "code", wanted=wanted, before=before, new={"created_us": now_us}
    )
    await _client_rules(connection, listed, applied)
    await write_agreements(connection, bodies.items(), agreements, now_us, actor=actor)


async def _client_rules(
    connection: AsyncConnection, listed: Sequence[Client], applied: Applied
) -> None:
    wanted: dict[str, Row] = {client.code: {"rules": client.rules.to_json()} for client in listed}
    before = await stored(connection, client_rules.c.client, wanted, ("rules",))
    # Only clients that have or had a rule have a row.
    wanted = {code: row for code, row in wanted.items() if code in before or row["rules"] != "{}"}
    for code, row in wanted.items():
        applied.note(f"rules of client {code}", before=before.get(code), after=row)
    await write(connection, client_rules, "client", wanted=wanted, before=before)


async def _dids(connection: AsyncConnection, listed: Sequence[Did], applied: Applied) -> None:
    wanted: dict[str, Row] = {did.number: _did_row(did) for did in listed}
    menus = {did.number: _menu(did.number, did.topics) for did in listed}
    columns = tuple(column.name for column in dids.c if column.name != "number")
    before = await stored(connection, dids.c.number, wanted, columns)
    menus_before: defaultdict[str, list[Row]] = defaultdict(list)
    lines = await connection.execute(select(topics).order_by(topics.c.digit))
    for line in lines.mappings():
        menus_before[line["did"]].append(dict(line))
    for number, row in wanted.items():
        old = (before[number], menus_before[number]) if number in before else None
        applied.note(f"DID {number}", before=old, after=(row, menus[number]))
    await write(connection, dids, "number", wanted=wanted, before=before)
    turned = [number for number, menu in menus.items() if menu != menus_before[number]]
    if turned:
        where = topics.c.did == bindparam("number")
        await connection.execute(
            delete(topics).where(where), [{"number": number} for number in turned]
        )
        if rows := [topic for number in turned for topic in menus[number]]:
            await connection.execute(insert(topics), rows)


def _did_row(did: Did) -> Row:
    return {
        "client": did.client,
        "kind": did.kind,
        "monthly_fee": did.monthly_fee,
        "timezone": did.timezone,
        "tariff": did.tariff,
        "trust_caller_id": did.access.trust_caller_id,
        "pin": did.access.pin,
        "rules": did.rules.to_json(),
    }


def _menu(number: str, listed: Sequence[Topic]) -> list[Row]:
    return [
        {
            "did": number,
            "digit": topic.digit,
            "name": topic.name,
            "destination": str(topic.destination),
            "tariff": topic.tariff,
            "rules": topic.rules.to_json(),
        }
        for topic in sorted(listed, key=lambda topic: topic.digit)
    ]
