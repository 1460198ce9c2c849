"""Shared fixtures: databases of both kinds, each test with its own, and no connection left out."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.storage.engine import create
from tests.migrated import postgres_url, sqlite_url
from tests.postgres import PostgresServer, find_binaries, running_postgres

settings.register_profile(
    "suite", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("suite")

_names = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    if find_binaries() is None:
        pytest.skip("no PostgreSQL server on this machine (Debian package: postgresql)")
    with running_postgres(durable=False) as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return sqlite_url(tmp_path)
    server: PostgresServer = request.getfixturevalue("postgres")
    return postgres_url(server, f"test_{os.getpid()}_{next(_names)}")


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """A migrated database; the test must give every connection back."""
    engine = create(database_url)
    yield engine
    left = engine.pool.checkedout()  # type: ignore[attr-defined]  # of every queue pool
    await engine.dispose()
    assert left == 0, "a connection was not given back"
