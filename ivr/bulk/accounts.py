"""Import of accounts: look at all rows, then apply them chunk by chunk, each in one transaction.

Each row stands for itself: one that is refused stops no other. A chunk is decided again while
nobody else can change the directory or move the money of its accounts; a row whose fate is not
the one that was shown is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import Clock
from billing.storage.tables import accounts
from ivr.bulk.account_rows import (
    PinSeen,
    Stored,
    Taken,
    Wanted,
    decide,
    load,
    lock,
    read_row,
)
from ivr.bulk.fates import Fate, refused
from ivr.directory.catalog_accounts import (
    apply_accounts,
    apply_languages,
    apply_phones,
    apply_pins,
)
from ivr.directory.catalog_file import Catalog, CatalogAccount
from ivr.directory.pins import hash_pin, verify_pin
from ivr.directory.rows import Applied
from ivr.directory.store import bump_stamp, lock_directory

CHUNK: Final = 500
# Comparing and hashing a PIN takes some ten milliseconds, on purpose.
PINS_MAX: Final = 2_000
MOVED: Final = "This changed since it was shown. Look at the file again."

SheetRow = tuple[int, Mapping[str, str]]


async def look(
    engine: AsyncEngine, rows: Sequence[SheetRow], currencies: Collection[str], *, pin_key: bytes
) -> list[Fate]:
    """Tell what would become of each row now."""
    fates: list[Fate] = []
    taken = Taken()
    pins_left = PINS_MAX
    for start in range(0, len(rows), CHUNK):
        read = [read_row(line, row, currencies) for line, row in rows[start : start + CHUNK]]
        wanted = [one for one in read if isinstance(one, Wanted)]
        async with engine.connect() as connection:
            held = await load(connection, wanted)
        seen = await compare_pins(wanted, held, pin_key)
        for one in read:
            if isinstance(one, Fate):
                fates.append(one)
                continue
            pins_left -= 1 if one.pin else 0
            if one.pin and pins_left < 0:
                many = f"A file has at most {PINS_MAX:,} PINs. Cut it in pieces."
                fates.append(refused(one.line, one.code, "pin", many))
                continue
            fates.append(decide(one, held, seen, taken))
    return fates


async def compare_pins(
    wanted: Sequence[Wanted], held: Stored, pin_key: bytes
) -> dict[str, PinSeen]:
    """Compare the PINs of the file with those of accounts that have one; in a thread."""
    pairs = [
        (one.code, one.pin, held.pins[one.code]["pin_hash"])
        for one in wanted
        if one.pin and one.code in held.pins
    ]

    def work() -> dict[str, PinSeen]:
        return {
            code: PinSeen(stored=was, same=verify_pin(was, pin, key=pin_key))
            for code, pin, was in pairs
        }

    return await asyncio.to_thread(work) if pairs else {}


async def prepare(
    engine: AsyncEngine, wanted: Sequence[Wanted], pin_key: bytes
) -> tuple[dict[str, PinSeen], dict[str, str | None]]:
    """Do what is slow before the transaction: compare PINs, and hash those that are others."""
    async with engine.connect() as connection:
        held = await load(connection, wanted)
    seen = await compare_pins(wanted, held, pin_key)
    fresh = {
        one.code: one.pin
        for one in wanted
        if one.pin and not (one.code in seen and seen[one.code].same)
    }

    def work() -> dict[str, str | None]:
        return {code: hash_pin(pin, key=pin_key) for code, pin in fresh.items()}

    return seen, await asyncio.to_thread(work) if fresh else {}


async def apply_chunk(
    connection: AsyncConnection,
    wanted: Sequence[Wanted],
    shown: Mapping[int, Fate],
    prepared: tuple[dict[str, PinSeen], dict[str, str | None]],
    *,
    clock: Clock,
    actor: str,
) -> list[Fate]:
    """Apply rows in the caller's transaction; returns what became of those that were to act."""
    seen, hashes = prepared
    await lock_directory(connection)
    await lock(connection, [one.code for one in wanted])
    held, taken = await load(connection, wanted), Taken()
    done: list[Fate] = []
    good: list[Wanted] = []
    for one in wanted:
        now = decide(one, held, seen, taken)
        if now.token != shown[one.line].token:
            done.append(refused(one.line, one.code, now.column, now.reason or MOVED))
        else:
            done.append(now)
            good.append(one)
    if good:
        await _write(connection, good, held, hashes, clock=clock, actor=actor)
    return done


async def _write(
    connection: AsyncConnection,
    good: Sequence[Wanted],
    held: Stored,
    hashes: Mapping[str, str | None],
    *,
    clock: Clock,
    actor: str,
) -> None:
    listed = tuple(_account(one, held) for one in good)
    catalog = Catalog(currency="", tariffs=(), clients=(), dids=(), accounts=listed)
    applied = Applied()
    await apply_accounts(connection, catalog, clock, applied, actor=actor)
    await apply_phones(connection, listed, applied)
    mine = {one.code for one in good}
    fresh = {code: new for code, new in hashes.items() if code in mine}
    await apply_pins(connection, fresh, applied)
    await apply_languages(connection, listed, applied)
    for status in ("active", "blocked"):
        codes = [one.code for one in good if one.status == status]
        if codes:
            await connection.execute(
                update(accounts)
                .where(accounts.c.kind == "caller", accounts.c.code.in_(codes))
                .values(status=status)
            )
    await bump_stamp(connection)


def _account(one: Wanted, held: Stored) -> CatalogAccount:
    """Fill what the row leaves open with what is stored."""
    before = held.accounts.get(one.code, {})
    limit = one.credit_limit
    return CatalogAccount(
        code=one.code,
        mode=one.mode or before.get("mode", "prepaid"),
        currency=one.currency or before.get("currency", ""),
        number=one.number,
        credit_limit=before.get("credit_limit") or 0 if limit is None else limit,
        opening_balance=one.opening_balance,
        phones=one.phones,
        pin=None,
        language=one.language,
    )
