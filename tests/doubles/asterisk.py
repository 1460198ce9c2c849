"""A scripted Asterisk on real loopback sockets: the caller's side of FastAGI, a manager's of AMI.

It says only what the test tells it to say, at the byte. Every wait has an end, and a wait that
ends in vain names what did not come.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

WAIT_SECONDS: Final = 5.0
EOL: Final = "\r\n"
BOOT: Final = ("2026-11-20", "09:00:00")
HEADERS: Final = {
    "agi_network": "yes",
    "agi_network_script": "call",
    "agi_channel": "PJSIP/trunk-00000001",
    "agi_uniqueid": "1700000000.7",
    "agi_callerid": "4930123456",
    "agi_calleridname": "Eve",
    "agi_dnid": "30900",
    "agi_arg_1": "30900",
}


def header_block(**changed: str) -> bytes:
    """The block that opens a FastAGI session, with its empty line."""
    lines = [f"{name}: {value}\n" for name, value in (HEADERS | changed).items()]
    return "".join([*lines, "\n"]).encode()


async def until(claim: Callable[[], object], *, seconds: float = WAIT_SECONDS) -> None:
    """Wait for what will be true soon; polls, since what is watched tells nobody."""
    async with asyncio.timeout(seconds):
        while not claim():  # noqa: ASYNC110 - foreign code sets no event
            await asyncio.sleep(0.002)


class AgiCaller:
    """Asterisk's end of one FastAGI session."""

    def __init__(self, port: int, block: bytes | None = None) -> None:
        self._port = port
        self._block = header_block() if block is None else block

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self.say(self._block)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()

    def say(self, data: bytes) -> None:
        """Write bytes as they are."""
        self._writer.write(data)

    async def command(self) -> str:
        """Wait for the next command."""
        async with asyncio.timeout(WAIT_SECONDS):
            line = await self._reader.readline()
        assert line.endswith(b"\n"), f"no command, but {line!r} and the end"
        return line[:-1].decode()

    async def answer(self, *lines: str) -> str:
        """Wait for the next command and answer it."""
        command = await self.command()
        self.say("".join(f"{line}\n" for line in lines).encode())
        return command

    async def end(self) -> bytes:
        """Wait until the other side closes; returns what it still said."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                return await self._reader.read()
        except ConnectionResetError:
            return b""

    def hang_up(self) -> None:
        """Say that no more will be said (FIN), and go on listening."""
        self._writer.write_eof()

    def reset(self) -> None:
        """Break the connection off (RST)."""
        handle = self._writer.get_extra_info("socket")
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self._writer.transport.abort()


@dataclass
class Action:
    """One action as the manager got it."""

    connection: int
    fields: list[tuple[str, str]]
    at: float

    def __getitem__(self, name: str) -> str:
        return next((value for known, value in self.fields if known.lower() == name.lower()), "")


Answer = Callable[[Action], Sequence[str]]


def message(*lines: str) -> str:
    """One message, with its empty line."""
    return EOL.join((*lines, "", ""))


def success(action: Action, *lines: str) -> str:
    """A good answer, in Asterisk's order of lines."""
    return message("Response: Success", f"ActionID: {action['ActionID']}", *lines)


def error(action: Action, reason: str) -> str:
    """A refusal."""
    return message("Response: Error", f"ActionID: {action['ActionID']}", f"Message: {reason}")


def event(name: str, *lines: str, at: str = "1700000000.123456") -> str:
    """An event, with the lines that Asterisk writes first."""
    return message(f"Event: {name}", "Privilege: call,all", f"Timestamp: {at}", *lines)


def hangup_event(channel: str, **changed: str) -> str:
    """The event that a channel is gone."""
    lines = {"Channel": channel, "Uniqueid": "1.1", "Linkedid": "1.1"} | changed
    return event("Hangup", *(f"{name}: {value}" for name, value in lines.items()))


@dataclass
class AmiAsterisk:
    """Asterisk's manager. Answers what it was taught, and `Success` to all else."""

    secret: str = "secret"
    greeting: str = f"Asterisk Call Manager/9.0.0{EOL}"
    boot: tuple[str, str] = BOOT
    answers: dict[str, Answer] = field(default_factory=dict)
    actions: list[Action] = field(default_factory=list)
    connections: list[float] = field(default_factory=list)
    open_connections: int = 0

    async def __aenter__(self) -> Self:
        self._writers: list[asyncio.StreamWriter] = []
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await until(lambda: self.open_connections == 0)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.sockets[0].getsockname()[1])

    def names(self) -> list[str]:
        """The names of all actions so far, on every connection."""
        return [action["Action"] for action in self.actions]

    async def action(self, name: str, *, times: int = 1) -> Action:
        """Wait until an action came so many times; returns the last of these."""
        await until(lambda: self.names().count(name) >= times)
        return [action for action in self.actions if action["Action"] == name][times - 1]

    async def connected(self, times: int) -> None:
        """Wait for the connection of that number, counted from one."""
        await until(lambda: len(self.connections) >= times)

    def mute(self, *names: str) -> None:
        """Answer these actions no more."""
        self.answers |= dict.fromkeys(names, lambda _action: ())

    def say(self, text: str | bytes) -> None:
        """Write to the newest connection."""
        self._writers[-1].write(text if isinstance(text, bytes) else text.encode())

    def drop(self) -> None:
        """Break the newest connection off."""
        self._writers[-1].transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self.connections.append(asyncio.get_running_loop().time())
        number = len(self.connections)
        self.open_connections += 1
        writer.write(self.greeting.encode())
        try:
            while True:
                block = await reader.readuntil(EOL.encode() * 2)
                lines = [line.partition(": ") for line in block.decode().split(EOL)]
                action = Action(
                    connection=number,
                    fields=[(name, value) for name, found, value in lines if found],
                    at=asyncio.get_running_loop().time(),
                )
                self.actions.append(action)
                for text in self.answers.get(action["Action"], self._default)(action):
                    writer.write(text.encode())
                if action["Action"] == "Login" and action["Secret"] != self.secret:
                    break
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            self.open_connections -= 1
            writer.close()

    def _default(self, action: Action) -> Sequence[str]:
        if action["Action"] == "Login" and action["Secret"] != self.secret:
            return [error(action, "Authentication failed")]
        if action["Action"] == "CoreStatus":
            day, time = self.boot
            return [success(action, f"CoreStartupDate: {day}", f"CoreStartupTime: {time}")]
        return [success(action)]
