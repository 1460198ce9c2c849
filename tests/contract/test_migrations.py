from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

import ivr.tables  # noqa: F401 - registers the application's tables
from billing.storage.tables import metadata
from ivr.migrations import current, downgrade, newest, upgrade


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))


async def test_all_migrations_together_make_exactly_the_tables_of_the_code(
    engine: AsyncEngine,
) -> None:
    async with engine.connect() as connection:
        found = await connection.run_sync(differences)

    assert found == []


async def test_a_database_can_go_down_to_nothing_and_up_again(engine: AsyncEngine) -> None:
    await downgrade(engine, "base")
    async with engine.connect() as connection:
        tables = await connection.run_sync(lambda sync: set(inspect(sync).get_table_names()))
    await upgrade(engine)

    assert tables == {"alembic_version"}
    assert await current(engine) == newest()


async def test_upgrading_twice_changes_nothing(engine: AsyncEngine) -> None:
    await upgrade(engine)

    assert await current(engine) == newest()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE transfers SET memo = 'changed'",
        "DELETE FROM transfers",
        "UPDATE entries SET amount = amount + 1",
        "DELETE FROM entries",
    ],
)
async def test_what_is_booked_can_never_be_changed(engine: AsyncEngine, statement: str) -> None:
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO accounts (kind, code, currency, created_us) "
                "VALUES ('funding', 'funding', 'USD', 0)"
            )
        )
        await connection.execute(
            text(
                "INSERT INTO transfers (id, key, input_hash, kind, at_us) "
                "VALUES ('t', 'k', 'h', 'top_up', 0)"
            )
        )
        await connection.execute(
            text(
                "INSERT INTO entries (account_id, seq, transfer_id, amount, balance_after) "
                "SELECT id, 1, 't', 5, 5 FROM accounts"
            )
        )

    with pytest.raises(DBAPIError, match="never changed"):
        async with engine.begin() as connection:
            await connection.execute(text(statement))
