"""Callers' accounts of a catalog: numbers, phones, PINs, and the opening balance of a new one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import Clock, microseconds_of
from billing.domain.operations import AccountRef, Post, PostedEntry
from billing.errors import BillingError
from billing.ids import new_id
from billing.money import Micros, format_amount
from billing.storage.ledger import post_batch
from billing.storage.tables import accounts
from billing.wallet import next_number
from ivr.directory.catalog_file import Catalog, CatalogAccount
from ivr.directory.pins import hash_pin, verify_pin
from ivr.directory.rows import Applied, Row, stored, write
from ivr.tables import account_languages, phones, pins

POSTS_PER_BATCH: Final = 256
_IS_CALLER: Final = accounts.c.kind == "caller"
_COLUMNS: Final = ("mode", "currency", "number", "credit_limit")


class CatalogConflict(Exception):
    """The file and the database disagree in a way that only a person can decide."""


async def apply_accounts(
    connection: AsyncConnection,
    catalog: Catalog,
    clock: Clock,
    applied: Applied,
    *,
    actor: str = "catalog",
) -> None:
    """Open accounts that are new, with their opening balances, and change the others."""
    codes = [account.code for account in catalog.accounts]
    before = await stored(connection, accounts.c.code, codes, _COLUMNS, only=_IS_CALLER)
    await _refuse_taken_numbers(connection, catalog.accounts)
    numbers = await _numbers(connection, catalog.accounts, before)
    wanted: dict[str, Row] = {
        account.code: {
            "mode": account.mode,
            "currency": account.currency,
            "number": numbers[account.code],
            "credit_limit": account.credit_limit,
        }
        for account in catalog.accounts
    }
    changed = {code: row for code, row in wanted.items() if code in before and before[code] != row}
    await _refuse_conflicts(connection, changed, before)
    for code, row in wanted.items():
        applied.note(f"account {code}", before=before.get(code), after=row)
    created_us = microseconds_of(clock.now())
    await write(
        connection,
        accounts,
        "code",
        wanted=wanted,
        before=before,
        new={"kind": "caller", "created_us": created_us},
        only=_IS_CALLER,
    )
    new = [code for code in codes if code not in before]
    await _post_openings(connection, catalog, clock, new, actor)


async def _refuse_taken_numbers(
    connection: AsyncConnection, listed: Sequence[CatalogAccount]
) -> None:
    wished = {account.number: account.code for account in listed if account.number}
    owners = await stored(connection, accounts.c.number, wished, ("code",))
    for number, row in owners.items():
        if row["code"] != wished[number]:
            raise CatalogConflict(f"the account number {number} belongs to {row['code']}")


async def _numbers(
    connection: AsyncConnection, listed: Sequence[CatalogAccount], before: Mapping[str, Row]
) -> dict[str, str]:
    """Keep the numbers that accounts have; others get what the file says, or the next free one."""
    wished = {account.number for account in listed}
    following = int(await next_number(connection))
    found: dict[str, str] = {}
    for account in listed:
        number = account.number or (
            before[account.code]["number"] if account.code in before else ""
        )
        while not number:
            number = "" if str(following) in wished else str(following)
            following += 1
        found[account.code] = number
    return found


async def _refuse_conflicts(
    connection: AsyncConnection,
    changed: Mapping[str, Row],
    before: Mapping[str, Row],
) -> None:
    for code, row in changed.items():
        old = before[code]
        if (old["mode"], old["currency"]) != (row["mode"], row["currency"]):
            raise CatalogConflict(
                f"account {code} is {old['mode']} in {old['currency']} already; "
                "mode and currency of an account cannot change"
            )
    if not changed:
        return
    # Locked by id, as the ledger does, and the funding accounts: no deadlock with a batch.
    rows = await connection.execute(
        select(accounts)
        .where((_IS_CALLER & accounts.c.code.in_(changed)) | (accounts.c.kind == "funding"))
        .order_by(accounts.c.id)
        .with_for_update()
    )
    for account in rows:
        limit: Micros = changed.get(account.code, {}).get("credit_limit", 0)
        missing = account.held - account.posted - limit
        if account.kind == "caller" and missing > 0:
            raise CatalogConflict(
                f"account {account.code} owes {format_amount(missing)} more than the credit limit"
            )


async def _post_openings(
    connection: AsyncConnection, catalog: Catalog, clock: Clock, new: Iterable[str], actor: str
) -> None:
    """Opening balances have a key of their own: posted once, whatever happens."""
    codes = frozenset(new)
    posts = [
        Post(
            key=f"opening:{account.code}",
            transfer_id=new_id(clock),
            kind="opening",
            entries=(
                _entry("caller", account.code, account.currency, account.opening_balance),
                _entry("funding", "funding", account.currency, -account.opening_balance),
            ),
            at_us=microseconds_of(clock.now()),
            memo="opening balance",
            actor=actor,
        )
        for account in catalog.accounts
        if account.opening_balance and account.code in codes
    ]
    for start in range(0, len(posts), POSTS_PER_BATCH):
        for outcome in await post_batch(connection, posts[start : start + POSTS_PER_BATCH]):
            if isinstance(outcome, BillingError):
                raise outcome


def _entry(kind: str, code: str, currency: str, amount: Micros) -> PostedEntry:
    return PostedEntry(account=AccountRef(kind=kind, code=code, currency=currency), amount=amount)


async def apply_phones(
    connection: AsyncConnection, listed: Sequence[CatalogAccount], applied: Applied
) -> None:
    """Register phones; one that belongs to somebody else stays there and is a conflict."""
    wanted: dict[str, Row] = {
        number: {"account": account.code} for account in listed for number in account.phones
    }
    before = await stored(connection, phones.c.number, wanted, ("account",))
    for number, row in wanted.items():
        old = before.get(number)
        if old not in (None, row):
            raise CatalogConflict(f"the phone {number} belongs to account {old['account']}")
        applied.note(f"phone {number}", before=old, after=row)
    await write(connection, phones, "number", wanted=wanted, before=before)


async def hash_pins(
    engine: AsyncEngine, given: Mapping[str, str], key: bytes
) -> dict[str, str | None]:
    """Hash the PINs (whose: which) that are new or other than stored; None: it is right already.

    Each takes some ten milliseconds, in a thread.
    """
    async with engine.connect() as connection:
        before = await stored(connection, pins.c.account, given, ("pin_hash",))

    def work() -> dict[str, str | None]:
        return {
            code: None
            if code in before and verify_pin(before[code]["pin_hash"], pin, key=key)
            else hash_pin(pin, key=key)
            for code, pin in given.items()
        }

    return await asyncio.to_thread(work)


async def apply_pins(
    connection: AsyncConnection, hashes: Mapping[str, str | None], applied: Applied
) -> None:
    """Store the PINs that changed."""
    before = await stored(connection, pins.c.account, hashes, ("pin_hash",))
    wanted: dict[str, Row] = {code: {"pin_hash": new} for code, new in hashes.items() if new}
    for code in hashes:
        old = before.get(code)
        applied.note(f"PIN of {code}", before=old, after=wanted.get(code, old))
    await write(connection, pins, "account", wanted=wanted, before=before)


async def apply_languages(
    connection: AsyncConnection, listed: Iterable[CatalogAccount], applied: Applied
) -> None:
    """Keep in which language accounts are spoken to; what the file does not say stays."""
    wanted: dict[str, Row] = {
        each.code: {"language": each.language} for each in listed if each.language
    }
    before = await stored(connection, account_languages.c.account, wanted, ("language",))
    for code, row in wanted.items():
        applied.note(f"language of {code}", before=before.get(code), after=row)
    await write(connection, account_languages, "account", wanted=wanted, before=before)
