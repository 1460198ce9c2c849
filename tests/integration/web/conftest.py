"""A site to visit: over SQLite here, over both databases where a test asks for `site_of_both`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.storage.engine import create
from tests.migrated import sqlite_url
from tests.site import Site, open_site, served


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    engine = create(sqlite_url(tmp_path))
    async with open_site(engine, tmp_path) as site:
        yield site
    left = engine.pool.checkedout()  # type: ignore[attr-defined]  # of every queue pool
    await engine.dispose()
    assert left == 0, "a connection was not given back"


@pytest.fixture
async def site_of_both(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(engine, tmp_path) as site:
        yield site


@pytest.fixture
async def server(site: Site) -> AsyncIterator[TestServer]:
    async with served(site) as server:
        yield server
