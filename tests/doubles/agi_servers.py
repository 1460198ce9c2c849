"""Both FastAGI servers on real sockets, ours and plain panoramisk's, and what handlers got."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from panoramisk.fast_agi import Application, Request

from ivr.agi.server import AgiRequest, AgiServer
from ivr.telephony import CallLeg
from tests.doubles.asterisk import WAIT_SECONDS

OnCall = Callable[[CallLeg, str], Awaitable[None]]
Route = Callable[[Request], Awaitable[None]]
Session = Callable[[AgiRequest], Awaitable[None]]


def ours(on_call: OnCall, **options: Any) -> AgiServer:  # Any: the options of AgiServer
    return AgiServer("127.0.0.1", 0, on_call=on_call, node="node-1", **options)


def commands(session: Session) -> OnCall:
    """Make a handler that speaks bare commands, below the verbs."""

    async def on_call(leg: CallLeg, _path: str) -> None:
        await session(leg._request)  # type: ignore[attr-defined]  # white-box: of AgiLeg

    return on_call


@contextlib.asynccontextmanager
async def plain(route: Route) -> AsyncIterator[int]:
    """Serve with panoramisk as it is."""
    app = Application(loop=asyncio.get_running_loop())
    app.add_route("call", route)
    server = await asyncio.start_server(app.handler, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


class Kept:
    """What a handler got, or how it failed."""

    def __init__(self) -> None:
        self.values: list[Any] = []  # Any: replies of two libraries, and errors
        self.done = asyncio.Event()

    async def end(self) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            await self.done.wait()

    async def of(self, *work: Awaitable[Any]) -> None:
        """Await one after the other and keep what comes of each."""
        for each in work:
            try:
                self.values.append(await each)
            except Exception as error:  # noqa: BLE001 - the test judges it
                self.values.append(type(error))
        self.done.set()
