"""Databases that are migrated already: the history runs once a process, each test gets a copy.

Those with the demo catalog are made by the command line.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from billing.storage.engine import create
from ivr.migrations import upgrade
from tests.postgres import PostgresServer

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "ivr" / "sandbox" / "demo-catalog.yaml"


def sqlite_url(folder: Path) -> str:
    """Lay a migrated database into a folder, and return its address."""
    file = folder / "talkmeter.db"
    shutil.copyfile(_sqlite(), file)
    return f"sqlite+aiosqlite:///{file}"


def demo_state(folder: Path) -> Path:
    """Lay the state of an installation with the demo catalog into a folder; its keys come along."""
    shutil.copytree(_demo_state(), folder, dirs_exist_ok=True)
    return folder


def postgres_url(server: PostgresServer, name: str) -> str:
    """Make a migrated database on a server, and return its address."""
    return server.create(name, template=_postgres(server))


@cache
def _sqlite() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="talkmeter-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    file = folder / "talkmeter.db"
    _migrate(f"sqlite+aiosqlite:///{file}")
    # The last connection that closed wrote everything into the one file.
    assert [path.name for path in folder.iterdir()] == [file.name]
    return file


@cache
def _demo_state() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="talkmeter-demo-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for words in (["db", "upgrade"], ["catalog", "apply", str(DEMO)]):
        subprocess.run(
            [sys.executable, "-m", "ivr", *words],
            cwd=ROOT,
            env=os.environ | {"TALKMETER_STATE_DIR": str(folder)},
            check=True,
            capture_output=True,
        )
    return folder


@cache
def _postgres(server: PostgresServer) -> str:
    name = "migrated"
    _migrate(server.create(name))
    return name


def _migrate(url: str) -> None:
    async def run() -> None:
        engine = create(url)
        await upgrade(engine)
        await engine.dispose()

    # In a thread: the caller's event loop runs already.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, run()).result()
