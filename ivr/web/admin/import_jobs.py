"""Imports that run while their page polls: tasks with names, owned by the web, ended with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from aiohttp import web

from ivr.bulk.run import Actor, Importer
from ivr.bulk.uploads import Upload, Uploads
from ivr.web.admin.accounts import currencies
from ivr.web.state import Web, web_of

AT_ONCE_MAX: Final = 2


class Imports:
    """The imports of this process."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[None]] = {}
        self._turns = asyncio.Semaphore(AT_ONCE_MAX)

    def start(self, importer: Importer, upload: Upload, known: list[str], actor: Actor) -> None:
        """Run an import that was started in the database."""
        name = f"import:{upload.digest[:12]}:{len(self._running)}"
        task = asyncio.create_task(self._run(importer, upload, known, actor), name=name)
        self._running[name] = task
        task.add_done_callback(lambda _task: self._running.pop(name, None))

    async def _run(
        self, importer: Importer, upload: Upload, known: list[str], actor: Actor
    ) -> None:
        async with self._turns:
            await importer.run(upload, known, actor)

    async def close(self) -> None:
        """End what runs: what is done is written down, and another run can go on behind it."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


IMPORTS: Final = web.AppKey("imports", Imports)


async def imports(app: web.Application) -> AsyncIterator[None]:
    """Own the imports for as long as the web is served."""
    app[IMPORTS] = running = Imports()
    yield
    await running.close()


def importer_of(running: Web) -> Importer:
    """Return what looks at files and applies them."""
    deps = running.deps
    return Importer(
        engine=deps.engine,
        wallet=deps.wallet,
        clock=deps.clock,
        pin_key=deps.pin_key,
        uploads=Uploads(engine=deps.engine, clock=deps.clock, key=deps.web_key),
    )


def start(request: web.Request, upload: Upload, actor: Actor) -> None:
    """Run an import that was started in the database, beside this request."""
    running = web_of(request)
    request.config_dict[IMPORTS].start(importer_of(running), upload, currencies(running), actor)
