"""Phones and PINs of callers' accounts, and their place in queues."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.domain.plans import Plan
from billing.errors import InvalidInput
from billing.storage.engine import for_writing
from billing.storage.plan_tables import plan_versions, subscriptions
from ivr.directory.gate import unlock
from ivr.directory.model import NUMBER, PIN
from ivr.directory.pins import hash_pin
from ivr.directory.store import bump_stamp, lock_directory
from ivr.tables import phones, pins

# Asterisk's queues know no bound; nobody needs more steps.
PRIORITY_MAX: Final = 100


async def queue_priority(engine: AsyncEngine, account: str) -> int:
    """Read an account's place in queues by its plan; the higher comes first, without one 0."""
    query = (
        select(plan_versions.c.body)
        .join(subscriptions, subscriptions.c.plan_version_id == plan_versions.c.id)
        .where(subscriptions.c.account == account, subscriptions.c.state == "active")
    )
    async with engine.connect() as connection:
        body = await connection.scalar(query)
    return min(PRIORITY_MAX, Plan.from_json(body).priority) if body else 0


async def set_phones_and_pin(
    engine: AsyncEngine, account: str, *, numbers: Sequence[str], pin: str | None, key: bytes
) -> None:
    """Register phones and set the PIN of an account, in one transaction.

    Raises:
        InvalidInput: not a number, not a PIN, or somebody else's phone.

    """
    for number in numbers:
        if not NUMBER.fullmatch(number):
            raise InvalidInput(reason="a phone number is 2 to 20 digits")
    if pin is not None and not PIN.fullmatch(pin):
        raise InvalidInput(reason="a PIN is 4 to 12 digits")
    hashed = await asyncio.to_thread(hash_pin, pin, key=key) if pin else None
    connection = await for_writing(engine)
    try:
        async with connection.begin():
            await lock_directory(connection)
            for number in (number.removeprefix("+") for number in numbers):
                owner = await connection.scalar(
                    select(phones.c.account).where(phones.c.number == number)
                )
                if owner not in {None, account}:
                    raise InvalidInput(reason=f"the phone {number} belongs to account {owner}")
                if owner is None:
                    await connection.execute(insert(phones), {"number": number, "account": account})
            if hashed:
                await connection.execute(delete(pins).where(pins.c.account == account))
                await connection.execute(insert(pins), {"account": account, "pin_hash": hashed})
                await unlock(connection, account)
            await bump_stamp(connection)
    finally:
        await connection.close()


async def remove_phone(engine: AsyncEngine, account: str, number: str) -> bool:
    """Forget a phone of an account; False where it is not its own."""
    mine = (phones.c.number == number) & (phones.c.account == account)
    connection = await for_writing(engine)
    try:
        async with connection.begin():
            await lock_directory(connection)
            if not (await connection.execute(delete(phones).where(mine))).rowcount:
                return False
            await bump_stamp(connection)
    finally:
        await connection.close()
    return True
