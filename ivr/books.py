"""The side that knows money: the database and everything that moves it, and the keys it needs."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from billing.charging import Charging
from billing.clock import Clock
from billing.journal import Journal
from billing.storage.engine import create
from billing.storage.writer import GroupWriter
from billing.wallet import Wallet
from ivr import secrets
from ivr.directory.cache import DirectoryCache
from ivr.payments.desk import CardDesk
from ivr.payments.opening import card_desk
from ivr.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """The side that knows money: the database and everything that moves it."""

    engine: AsyncEngine
    writer: GroupWriter
    charging: Charging
    wallet: Wallet
    directory: DirectoryCache
    cards: CardDesk | None


async def open_books(stack: AsyncExitStack, settings: Settings, clock: Clock) -> Books:
    """Open the database, start its writer, and read the directory."""
    engine = create(settings.url)
    stack.push_async_callback(engine.dispose)
    writer = await stack.enter_async_context(GroupWriter(engine))
    directory = DirectoryCache(engine, clock)
    await directory.load()
    return Books(
        engine=engine,
        writer=writer,
        charging=Charging(
            writer=writer,
            engine=engine,
            clock=clock,
            journal=Journal(settings.state_dir / "journal"),
        ),
        wallet=Wallet(writer=writer, engine=engine, clock=clock),
        directory=directory,
        cards=card_desk(settings, engine, clock),
    )


def pin_key(settings: Settings) -> bytes:
    """Return the key that PIN hashes need; it is never kept in the database."""
    return bytes.fromhex(secrets.read_or_make(settings.state_dir / "pin.key"))


def voucher_key(settings: Settings) -> bytes:
    """Return the key that hashes of vouchers need; it is never kept in the database."""
    return bytes.fromhex(secrets.read_or_make(settings.state_dir / "voucher.key"))
