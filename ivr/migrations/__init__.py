"""One history for all tables, run by the command line and by the tests."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

FOLDER: Final = Path(__file__).parent


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    return config


def newest() -> str:
    """Return the revision that this code needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


async def current(engine: AsyncEngine) -> str | None:
    """Return the revision of a database; None for an empty one."""
    async with engine.connect() as connection:
        return await connection.run_sync(
            lambda sync: MigrationContext.configure(sync).get_current_revision()
        )


async def upgrade(engine: AsyncEngine, revision: str = "head") -> None:
    """Bring a database to the newest revision; harmless when it is there already."""
    async with engine.connect() as connection:
        await connection.run_sync(_run, command.upgrade, revision)
        await connection.commit()


async def downgrade(engine: AsyncEngine, revision: str) -> None:
    """Take a database back; for tests."""
    async with engine.connect() as connection:
        await connection.run_sync(_run, command.downgrade, revision)
        await connection.commit()


def _run(connection: Connection, work: object, revision: str) -> None:
    assert callable(work)
    config = _config()
    config.attributes["connection"] = connection
    work(config, revision)
