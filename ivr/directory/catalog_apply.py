"""Apply a catalog: one transaction, and a second apply of the same file changes nothing.

What the file does not name stays; a tariff whose prices changed becomes a new version, and
sessions go on with the one they were authorised with.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import Clock, microseconds_of
from billing.domain.operations import AccountRef, Post, PostedEntry
from billing.domain.tariffs import Tariff
from billing.errors import BillingError
from billing.ids import new_id
from billing.storage.engine import for_writing
from billing.storage.ledger import post_batch, shares_json
from billing.storage.tables import accounts, clients, tariff_versions
from billing.wallet import next_number
from ivr.directory.catalog_file import Catalog, CatalogAccount
from ivr.directory.model import Client, Did
from ivr.directory.pins import hash_pin, verify_pin
from ivr.directory.store import bump_stamp, load_tariffs
from ivr.tables import dids, phones, pins, topics

Row = dict[str, Any]  # Any: values of many column types


class CatalogConflict(Exception):
    """The file and the database disagree in a way that only a person can decide."""


@dataclass(slots=True, kw_only=True)
class Applied:
    """What an apply did, as `kind name` lines."""

    created: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: int = 0

    def note(self, what: str, *, before: object, after: object) -> None:
        """Sort one thing into its list."""
        if before is None:
            self.created.append(what)
        elif before != after:
            self.changed.append(what)
        else:
            self.unchanged += 1


async def apply(engine: AsyncEngine, catalog: Catalog, *, clock: Clock, pin_key: bytes) -> Applied:
    """Bring the database to what the catalog says.

    Raises:
        CatalogConflict: an account exists with another mode or currency, or a phone or number
            belongs to another account.
        BillingError: the ledger refused an opening balance.

    """
    hashes = await _hash_pins(engine, catalog, pin_key)
    now_us = microseconds_of(clock.now())
    applied = Applied()
    connection = await for_writing(engine)
    try:
        async with connection.begin():
            await _tariffs(connection, catalog.tariffs, now_us, applied)
            for client in catalog.clients:
                await _client(connection, client, now_us, applied)
            for did in catalog.dids:
                await _did(connection, did, applied)
            for account in catalog.accounts:
                await _account(connection, account, catalog.currency, now_us, applied)
            await _pins(connection, hashes)
            await _open_balances(connection, catalog, clock, applied)
            if applied.created or applied.changed or hashes:
                await bump_stamp(connection)
    finally:
        await connection.close()
    return applied


async def _hash_pins(engine: AsyncEngine, catalog: Catalog, key: bytes) -> dict[str, str]:
    """Hash what changed, in a thread and before the transaction: it is slow on purpose."""
    async with engine.connect() as connection:
        stored = {row.account: row.pin_hash for row in await connection.execute(select(pins))}

    def changed() -> dict[str, str]:
        return {
            account.code: hash_pin(account.pin, key=key)
            for account in catalog.accounts
            if account.pin and not verify_pin(stored.get(account.code), account.pin, key=key)
        }

    return await asyncio.to_thread(changed)


async def _tariffs(
    connection: AsyncConnection, wanted: tuple[Tariff, ...], now_us: int, applied: Applied
) -> None:
    newest = await load_tariffs(connection)
    for tariff in wanted:
        before = newest.get(tariff.name)
        body = tariff.to_json()
        applied.note(f"tariff {tariff.name}", before=before and before.tariff.to_json(), after=body)
        if before is None or before.tariff != tariff:
            await connection.execute(
                insert(tariff_versions),
                {
                    "name": tariff.name,
                    "version": before.version + 1 if before else 1,
                    "currency": tariff.currency,
                    "body": body,
                    "body_hash": hashlib.sha256(body.encode()).hexdigest(),
                    "in_force_us": now_us,
                    "created_us": now_us,
                },
            )


async def _client(
    connection: AsyncConnection, client: Client, now_us: int, applied: Applied
) -> None:
    row = {"title": client.title, "currency": client.currency, "shares": shares_json(client.shares)}
    before = await _row(connection, clients, clients.c.code == client.code, row)
    if before and before["currency"] != client.currency:
        raise CatalogConflict(f"client {client.code} is kept in {before['currency']}")
    applied.note(f"client {client.code}", before=before, after=row)
    if before is None:
        await connection.execute(
            insert(clients), {"code": client.code, "created_us": now_us, **row}
        )
    elif before != row:
        await connection.execute(update(clients).where(clients.c.code == client.code), row)


async def _did(connection: AsyncConnection, did: Did, applied: Applied) -> None:
    row: Row = {
        "client": did.client,
        "kind": did.kind,
        "monthly_fee": did.monthly_fee,
        "timezone": did.timezone,
        "tariff": did.tariff,
        "trust_caller_id": did.access.trust_caller_id,
        "pin": did.access.pin,
    }
    menu = [
        {
            "did": did.number,
            "digit": topic.digit,
            "name": topic.name,
            "destination": str(topic.destination),
            "tariff": topic.tariff,
        }
        for topic in sorted(did.topics, key=lambda topic: topic.digit)
    ]
    before = await _row(connection, dids, dids.c.number == did.number, row)
    menu_before = [
        dict(item._mapping)  # noqa: SLF001 - SQLAlchemy's public name
        for item in await connection.execute(
            select(topics).where(topics.c.did == did.number).order_by(topics.c.digit)
        )
    ]
    applied.note(f"DID {did.number}", before=before and (before, menu_before), after=(row, menu))
    if before is None:
        await connection.execute(insert(dids), {"number": did.number, **row})
    elif before != row:
        await connection.execute(update(dids).where(dids.c.number == did.number), row)
    if menu != menu_before:
        await connection.execute(delete(topics).where(topics.c.did == did.number))
        if menu:
            await connection.execute(insert(topics), menu)


async def _account(
    connection: AsyncConnection,
    account: CatalogAccount,
    currency: str,
    now_us: int,
    applied: Applied,
) -> None:
    mine = (accounts.c.kind == "caller") & (accounts.c.code == account.code)
    names = {"mode": None, "currency": None, "number": None, "credit_limit": None}
    before = await _row(connection, accounts, mine, names)
    row: Row = {
        "mode": account.mode,
        "currency": currency,
        "number": account.number or (before["number"] if before else None),
        "credit_limit": account.credit_limit,
    }
    if before and (before["mode"], before["currency"]) != (row["mode"], row["currency"]):
        raise CatalogConflict(
            f"account {account.code} is {before['mode']} in {before['currency']} already; "
            "mode and currency of an account cannot change"
        )
    if row["number"] is None:
        row["number"] = await next_number(connection)
    applied.note(f"account {account.code}", before=before, after=row)
    if before is None:
        await connection.execute(
            insert(accounts),
            {"kind": "caller", "code": account.code, "created_us": now_us, **row},
        )
    elif before != row:
        await connection.execute(update(accounts).where(mine), row)
    await _phones(connection, account, applied)


async def _phones(connection: AsyncConnection, account: CatalogAccount, applied: Applied) -> None:
    for number in account.phones:
        owner = await connection.scalar(select(phones.c.account).where(phones.c.number == number))
        if owner not in {None, account.code}:
            raise CatalogConflict(f"the phone {number} belongs to account {owner}")
        applied.note(f"phone {number}", before=owner, after=account.code)
        if owner is None:
            await connection.execute(insert(phones), {"number": number, "account": account.code})


async def _pins(connection: AsyncConnection, hashes: dict[str, str]) -> None:
    for code, pin_hash in hashes.items():
        await connection.execute(delete(pins).where(pins.c.account == code))
        await connection.execute(insert(pins), {"account": code, "pin_hash": pin_hash})


async def _open_balances(
    connection: AsyncConnection, catalog: Catalog, clock: Clock, applied: Applied
) -> None:
    """Opening balances are top-ups with a key of their own: posted once, whatever happens."""
    operations = [
        Post(
            key=f"opening:{account.code}",
            transfer_id=new_id(clock),
            kind="opening",
            entries=(
                _entry("caller", account.code, catalog.currency, account.opening_balance),
                _entry("funding", "funding", catalog.currency, -account.opening_balance),
            ),
            at_us=microseconds_of(clock.now()),
            memo="opening balance",
            actor="catalog",
        )
        for account in catalog.accounts
        if account.opening_balance and f"account {account.code}" in applied.created
    ]
    for outcome in await post_batch(connection, operations) if operations else []:
        if isinstance(outcome, BillingError):
            raise outcome


def _entry(kind: str, code: str, currency: str, amount: int) -> PostedEntry:
    return PostedEntry(account=AccountRef(kind=kind, code=code, currency=currency), amount=amount)


async def _row(
    connection: AsyncConnection,
    table: Table,
    where: Any,  # Any: an SQL condition
    names: Row,
) -> Row | None:
    """Read those columns of a row that `names` has; None when there is no row."""
    found = (
        await connection.execute(select(*(table.c[name] for name in names)).where(where))
    ).one_or_none()
    return None if found is None else dict(found._mapping)  # noqa: SLF001 - public name
