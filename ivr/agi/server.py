"""The FastAGI listener: panoramisk's `Application` and `Request`, with every known fault contained.

    connection -> allowed peer? room? -> header block (deadline, size) -> leg -> handler -> close

What a peer does can end its own connection only: end of file ends it, junk ends it, silence ends
it. After a timeout or a cancelled command the socket is never used again, since the next reply
would belong to the command before.
"""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Final, Self

import structlog
from panoramisk.fast_agi import Application, Request

from ivr.agi.deadlines import SWEEP_SECONDS, Deadline, Deadlines
from ivr.agi.leg import AgiLeg
from ivr.agi.wire import (
    BLOCK_BYTES_MAX,
    HANGUP_LINE,
    Reply,
    WireError,
    check_command,
    parse_headers,
    parse_reply,
)
from ivr.telephony import CallerHungUp, CallLeg, LegFailed, TelephonyError

HEADER_SECONDS: Final = 5.0
CONNECTIONS_MAX: Final = 4_000
# Kept for the database, the manager link, the web and logs when files run short.
FILES_RESERVED: Final = 128
LINES_PER_REPLY_MAX: Final = 100
BACKLOG: Final = 1024
KEEPALIVE: Final = (
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 30),
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 10),
    (socket.IPPROTO_TCP, "TCP_KEEPCNT", 3),
    (socket.IPPROTO_TCP, "TCP_NODELAY", 1),
)

log = structlog.get_logger()

Handler = Callable[[CallLeg, str], Awaitable[None]]


class AgiRequest(Request):  # type: ignore[misc]  # panoramisk has no types
    """One FastAGI session: commands out, replies in, one at a time."""

    def __init__(
        self,
        app: Application,
        headers: Mapping[str, str],
        writer: asyncio.StreamWriter,
        deadline: Deadline,
    ) -> None:
        super().__init__(app, headers, deadline.reader, writer)
        self._deadline = deadline
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
                reply = await self._exchange(encoded, seconds_max)
            except (WireError, TimeoutError, ValueError) as error:
                raise LegFailed(type(error).__name__) from error
            except OSError as error:
                self.hung_up = True
                raise CallerHungUp from error
            # A deadline that passed while the reply arrived has spoilt the reader.
            self._broken = self.reader.exception() is not None
        if reply.code == 511 or (reply.failed and self.hung_up):
            self.hung_up = True
            raise CallerHungUp
        return reply

    async def _exchange(self, encoded: bytes, seconds_max: float) -> Reply:
        self._deadline.begin(seconds_max)
        try:
            self.writer.write(encoded)
            for _ in range(LINES_PER_REPLY_MAX):
                line = await self._read_line()
                if line == HANGUP_LINE:
                    self.hung_up = True
                    continue
                reply = parse_reply(line)
                if reply.more:
                    await self._skip_usage(b"%d " % reply.code)
                if reply.code != 100:
                    return reply
            raise WireError("lines without end and no reply")
        finally:
            self._deadline.end()

    async def _skip_usage(self, last: bytes) -> None:
        for _ in range(LINES_PER_REPLY_MAX):
            if (await self._read_line()).startswith(last):
                return
        raise WireError("a usage text without an end")

    async def _read_line(self) -> bytes:
        line: bytes = await self.reader.readline()
        if line.endswith(b"\n"):
            return line
        if line and not self.hung_up:
            raise WireError("half a reply")
        # Asterisk closes the session when the channel is gone (AGIEXITONHANGUP).
        raise ConnectionResetError


class AgiServer(Application):  # type: ignore[misc]  # panoramisk has no types
    """Listens, guards, and hands each session to the handler as a `CallLeg`.

    Args:
        host: Where to listen.
        port: Its port; 0 chooses a free one.
        on_call: Gets the leg and the path that the dialplan asked for, without a query.
        node: Name of the Asterisk that calls, for `CallFacts`.
        peers: Addresses that may connect; FastAGI has no other proof of who speaks.
        connections_max: How many sessions at once, less where the system allows fewer files.
        header_seconds: How long a peer may take to say what it wants.
        sweep_seconds: How late a deadline may be noticed.

    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        on_call: Handler,
        node: str = "",
        gateway: str = "",
        shared: str = "",
        peers: frozenset[str] = frozenset({"127.0.0.1", "::1"}),
        connections_max: int = CONNECTIONS_MAX,
        header_seconds: float = HEADER_SECONDS,
        sweep_seconds: float = SWEEP_SECONDS,
    ) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self._address = (host, port)
        self._on_call = on_call
        self._node = node
        self._gateway = gateway
        self._shared = shared
        self._peers = peers
        files_max = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._connections_max = min(connections_max, max(1, files_max - FILES_RESERVED))
        self._header_seconds = header_seconds
        self._deadlines = Deadlines(sweep_seconds)
        self._sessions: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def sessions(self) -> int:
        """How many sessions are open."""
        return len(self._sessions)

    async def __aenter__(self) -> Self:
        listener = _listener(*self._address)
        self._server = await asyncio.start_server(
            self._accept, sock=listener, limit=BLOCK_BYTES_MAX, backlog=BACKLOG
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

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Give each welcome connection a task of ours: one that is cancelled ends in silence."""
        if not self._welcome(writer):
            writer.close()
            return
        session = asyncio.create_task(self.handler(reader, writer), name="agi-session")
        self._sessions.add(session)
        session.add_done_callback(partial(self._over, writer))

    def _over(self, writer: asyncio.StreamWriter, session: asyncio.Task[None]) -> None:
        """Close the connection, also of a session that was cancelled before it began."""
        self._sessions.discard(session)
        with suppress(OSError, RuntimeError):
            writer.close()

    async def handler(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection. Nothing a peer sends gets further than this."""
        deadline = self._deadlines.add(reader)
        try:
            _acknowledge_at_once(writer)
            headers = await self._headers(deadline)
            if headers is not None:
                await self._serve(headers, writer, deadline)
        finally:
            self._deadlines.remove(deadline)

    def _welcome(self, writer: asyncio.StreamWriter) -> bool:
        if self._server is None or not self._server.is_serving():
            return False  # it came as we went
        peer = writer.get_extra_info("peername")
        if not peer or peer[0] not in self._peers:
            log.warning("agi peer refused", reason="not on the list")
            return False
        if len(self._sessions) >= self._connections_max:
            log.warning("agi peer refused", reason="too many connections")
            return False
        return True

    async def _headers(self, deadline: Deadline) -> dict[str, str] | None:
        """Read up to the empty line; an end of file before it ends the session, never a spin."""
        deadline.begin(self._header_seconds)
        try:
            return parse_headers((await deadline.reader.readuntil(b"\n\n"))[:-1])
        except (WireError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as why:
            log.warning("agi header refused", reason=type(why).__name__)
            return None
        finally:
            deadline.end()

    async def _serve(
        self, headers: dict[str, str], writer: asyncio.StreamWriter, deadline: Deadline
    ) -> None:
        request = AgiRequest(self, headers, writer, deadline)
        leg = AgiLeg(request, headers, node=self._node, gateway=self._gateway, shared=self._shared)
        path = headers.get("agi_network_script", "").partition("?")[0]
        try:
            await self._on_call(leg, path)
        except TelephonyError as error:
            log.info("agi session over", reason=type(error).__name__)
        except Exception:  # one call may fail; the service may not
            log.exception("agi session failed")


def _listener(host: str, port: int) -> socket.socket:
    """Listen; what accepted sockets shall have is set here once, Linux hands it down."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    for level, name, value in KEEPALIVE:
        if hasattr(socket, name):
            listener.setsockopt(level, getattr(socket, name), value)
    return listener


def _acknowledge_at_once(writer: asyncio.StreamWriter) -> None:
    """Acknowledge the header at once: Asterisk writes it in pieces, each waits 40 ms otherwise."""
    if hasattr(socket, "TCP_QUICKACK"):
        handle = writer.get_extra_info("socket")
        handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
