"""The FastAGI listener: panoramisk's `Application` and `Request`, with every known fault contained.

    connection -> allowed peer? room? -> header block (deadline, size) -> leg -> handler -> close

What a peer does can end its own connection only: end of file ends it, junk ends it, silence ends
it. After a timeout or a cancelled command the socket is never used again, since the next reply
would belong to the command before.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

import structlog
from panoramisk.fast_agi import Application, Request

from ivr.agi.leg import AgiLeg
from ivr.agi.wire import (
    HANGUP_LINE,
    HEADER_BYTES_MAX,
    LINE_BYTES_MAX,
    Reply,
    WireError,
    check_command,
    parse_headers,
    parse_reply,
)
from ivr.telephony import CallerHungUp, CallLeg, LegFailed

HEADER_SECONDS: Final = 5.0
CONNECTIONS_MAX: Final = 4_000
USAGE_LINES_MAX: Final = 100
BACKLOG: Final = 1024

log = structlog.get_logger()

Handler = Callable[[CallLeg, str], Awaitable[None]]


class AgiRequest(Request):  # type: ignore[misc]  # panoramisk has no types
    """One FastAGI session: commands out, replies in, one at a time."""

    def __init__(
        self,
        app: Application,
        headers: Mapping[str, str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        super().__init__(app, headers, reader, writer)
        self._lock = asyncio.Lock()
        self._broken = False
        self.hung_up = False

    async def send_command(self, command: str, *, seconds_max: float = 10.0) -> Reply:
        """Send one command and wait for its reply.

        Raises:
            CallerHungUp: the caller is gone.
            LegFailed: no reply in time, junk, or a connection that broke before.

        """
        try:
            encoded = check_command(command)
        except WireError as error:
            raise LegFailed(str(error)) from error
        async with self._lock:
            if self._broken:
                raise CallerHungUp if self.hung_up else LegFailed("the connection is over")
            # Whatever ends this early leaves a reply on the wire that nobody may take for his.
            self._broken = True
            try:
                async with asyncio.timeout(seconds_max):
                    self.writer.write(encoded)
                    reply = await self._read_reply()
            except (WireError, TimeoutError, ValueError) as error:
                raise LegFailed(type(error).__name__) from error
            except OSError as error:
                self.hung_up = True
                raise CallerHungUp from error
            self._broken = False
        if reply.code == 511 or (reply.failed and self.hung_up):
            self.hung_up = True
            raise CallerHungUp
        return reply

    async def _read_reply(self) -> Reply:
        while True:
            line = await self._read_line()
            if line == HANGUP_LINE:
                self.hung_up = True
                continue
            reply = parse_reply(line)
            if reply.more:
                await self._skip_usage(reply.code)
            if reply.code != 100:
                return reply

    async def _skip_usage(self, code: int) -> None:
        for _ in range(USAGE_LINES_MAX):
            if (await self._read_line()).startswith(f"{code} "):
                return
        raise WireError("a usage text without an end")

    async def _read_line(self) -> str:
        line: bytes = await self.reader.readline()
        if not line.endswith(b"\n"):
            # Asterisk closes the session when the channel is gone (AGIEXITONHANGUP).
            self.hung_up = True
            raise ConnectionResetError
        return line[:-1].decode("utf-8", "replace")


class AgiServer(Application):  # type: ignore[misc]  # panoramisk has no types
    """Listens, guards, and hands each session to the handler as a `CallLeg`."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        on_call: Handler,
        node: str = "",
        peers: frozenset[str] = frozenset({"127.0.0.1", "::1"}),
        connections_max: int = CONNECTIONS_MAX,
    ) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self._host = host
        self._asked_port = port
        self._on_call = on_call
        self._node = node
        self._peers = peers
        self._connections_max = connections_max
        self._sessions: set[asyncio.Task[Any]] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self.handler, self._host, self._asked_port, limit=LINE_BYTES_MAX, backlog=BACKLOG
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for session in tuple(self._sessions):
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)

    async def handler(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection. Nothing a peer sends gets further than this."""
        task = asyncio.current_task()
        assert task is not None
        if not self._welcome(writer):
            writer.close()
            return
        self._sessions.add(task)
        try:
            _answer_at_once(writer)
            async with asyncio.timeout(HEADER_SECONDS):
                headers = parse_headers(await _read_block(reader))
            leg = AgiLeg(AgiRequest(self, headers, reader, writer), headers, node=self._node)
            await self._on_call(leg, headers.get("agi_network_script", ""))
        except WireError as error:
            log.warning("agi peer refused", reason=str(error))
        except TimeoutError:
            log.warning("agi peer refused", reason="no header in time")
        except (OSError, ValueError, asyncio.IncompleteReadError) as error:
            log.warning("agi connection lost", reason=type(error).__name__)
        except Exception:  # one call may fail; the service may not
            log.exception("agi session failed")
        finally:
            self._sessions.discard(task)
            with suppress(OSError, RuntimeError):
                writer.close()

    def _welcome(self, writer: asyncio.StreamWriter) -> bool:
        peer = writer.get_extra_info("peername")
        if not peer or peer[0] not in self._peers:
            log.warning("agi peer refused", reason="not on the list")
            return False
        if len(self._sessions) >= self._connections_max:
            log.warning("agi peer refused", reason="too many connections")
            return False
        return True


async def _read_block(reader: asyncio.StreamReader) -> bytes:
    """Read up to the empty line; an end of file before it is an error, never a spin."""
    block = bytearray()
    while True:
        line = await reader.readline()
        if line == b"\n":
            return bytes(block)
        if not line.endswith(b"\n"):
            raise WireError("the header ended early")
        block += line
        if len(block) > HEADER_BYTES_MAX:
            raise WireError("header block too large")


def _answer_at_once(writer: asyncio.StreamWriter) -> None:
    """Send small packets now and acknowledge at once: a delayed ACK costs Asterisk 40 ms."""
    handle = writer.get_extra_info("socket")
    if handle is not None:
        handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_QUICKACK"):
            handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
