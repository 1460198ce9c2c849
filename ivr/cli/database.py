"""How a command opens the database, and what it says when it cannot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.clock import SystemClock
from billing.storage.engine import STATEMENT_SECONDS, create
from billing.storage.writer import GroupWriter
from billing.wallet import Wallet
from ivr.migrations import current, newest
from ivr.settings import Settings, SettingsError

# What reads or rewrites every row of a large database may take so long for one statement.
PATIENT_SECONDS: Final = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What most commands need."""

    engine: AsyncEngine
    writer: GroupWriter
    wallet: Wallet
    clock: SystemClock


@asynccontextmanager
async def database(
    settings: Settings,
    *,
    any_revision: bool = False,
    statement_seconds: int = STATEMENT_SECONDS,
) -> AsyncIterator[AsyncEngine]:
    """Open the database.

    Raises:
        SettingsError: it cannot be reached, is locked, or is of another revision; the text says
            what to do.

    """
    if settings.url.startswith("sqlite"):
        settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = create(settings.url, statement_seconds=statement_seconds)
    try:
        if not any_revision:
            await check_revision(engine)
        yield engine
    except (OSError, DBAPIError) as error:
        raise SettingsError(explain(error, settings)) from error
    finally:
        await engine.dispose()


@asynccontextmanager
async def books(settings: Settings) -> AsyncIterator[Books]:
    """Open the database with a writer and the use-cases of accounts."""
    clock = SystemClock()
    async with database(settings) as engine, GroupWriter(engine) as writer:
        wallet = Wallet(writer=writer, engine=engine, clock=clock)
        yield Books(engine=engine, writer=writer, wallet=wallet, clock=clock)


async def check_revision(engine: AsyncEngine) -> None:
    """Refuse a database that this version does not fit."""
    found, needed = await current(engine), newest()
    if found is None:
        raise SettingsError(
            "the database is empty: run `talkmeter db upgrade` first, or start with `make run`"
        )
    if found != needed:
        raise SettingsError(
            f"the database has revision {found}, this version needs {needed}: "
            "run `talkmeter db upgrade`"
        )


def explain(error: Exception, settings: Settings) -> str:
    """Say in one sentence why the database cannot be used, and what to do."""
    where = settings.masked()["database_url"]
    text = str(error.orig if isinstance(error, DBAPIError) else error)
    if "locked" in text:
        return f"the database {where} is locked by another program: stop it and try again"
    if isinstance(error, SQLAlchemyError) and "unable to open" in text:
        return f"the database {where} cannot be opened: check that its folder can be written"
    return f"the database {where} cannot be reached ({text.splitlines()[0][:200]})"
