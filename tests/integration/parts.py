"""The two ends of a real Asterisk, as bare as can be: a scripted FastAGI service and a manager.

They share no code with the product, so what they measure is what Asterisk does.
"""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ivr.sandbox.asterisk import PrivateAsterisk


@dataclass
class Session:
    """One FastAGI session: commands out, reply lines in."""

    headers: dict[str, str]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    lines: list[str] = field(default_factory=list)

    @property
    def path(self) -> str:
        return self.headers["agi_network_script"]

    async def do(self, command: str, *, seconds_max: float = 30) -> str:
        """Returns the reply; empty when Asterisk closed the session."""
        async with asyncio.timeout(seconds_max):
            try:
                self.writer.write(command.encode() + b"\n")
                line = (await self.reader.readline()).decode().rstrip("\n")
            except ConnectionError:  # closed while we spoke
                line = ""
            self.lines.append(line)
            return line

    async def variable(self, name: str) -> str:
        reply = await self.do(f"GET VARIABLE {name}")
        return reply.partition("(")[2].rstrip(")")

    async def rest(self) -> str:
        """Everything that still comes until Asterisk closes the session."""
        async with asyncio.timeout(10):
            return (await self.reader.read()).decode()


Script = Callable[[Session], Awaitable[None]]


@asynccontextmanager
async def service(port: int, script: Script) -> AsyncIterator[asyncio.Queue[Session]]:
    """Plays the script for each call; the queue tells the sessions that are over."""
    over: asyncio.Queue[Session] = asyncio.Queue()
    errors: list[Exception] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        headers: dict[str, str] = {}
        while (line := (await reader.readline()).decode().rstrip("\n")) != "":
            name, _, value = line.partition(": ")
            headers[name] = value
        session = Session(headers=headers, reader=reader, writer=writer)
        try:
            await script(session)
        except (AssertionError, TimeoutError, OSError) as error:
            errors.append(error)
        finally:
            writer.close()
            over.put_nowait(session)

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield over
    finally:
        server.close()
        await server.wait_closed()
        assert not errors, errors


@dataclass
class AmiConnection:
    """A manager session that keeps every event."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    events: list[dict[str, str]] = field(default_factory=list)
    _replies: asyncio.Queue[dict[str, str]] = field(default_factory=asyncio.Queue)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def do(self, **fields: str) -> dict[str, str]:
        text = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.writer.write(f"{text}\r\n".encode())
        async with asyncio.timeout(5):
            return await self._replies.get()

    async def event(self, name: str, **facts: str) -> dict[str, str]:
        """Wait for an event whose fields begin like these."""
        async with asyncio.timeout(20):
            while True:
                self._arrived.clear()
                for event in self.events:
                    if event["Event"] == name and all(
                        event.get(field, "").startswith(value) for field, value in facts.items()
                    ):
                        return event
                await self._arrived.wait()

    async def read(self) -> None:
        await self.reader.readline()
        while block := await self.reader.readuntil(b"\r\n\r\n"):
            message = dict(
                line.partition(": ")[::2] for line in block.decode().strip().split("\r\n")
            )
            if "Event" in message:
                self.events.append(message)
                self._arrived.set()
            else:
                self._replies.put_nowait(message)


@asynccontextmanager
async def manager(asterisk: PrivateAsterisk) -> AsyncIterator[AmiConnection]:
    """A session logged in as the service would be."""
    reader, writer = await asyncio.open_connection("127.0.0.1", asterisk.ami_port)
    connection = AmiConnection(reader, writer)
    task = asyncio.create_task(connection.read(), name="manager")
    reply = await connection.do(Action="Login", Username="talkmeter", Secret=asterisk.ami_secret)
    assert reply["Response"] == "Success"
    try:
        yield connection
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        writer.close()


def cel(file: Path, linkedid: str) -> list[dict[str, Any]]:
    """The rows of one call in the channel event log."""
    names = ("kind", "at", "uniqueid", "linkedid", "channel", "extra")
    with file.open() as rows:
        found = [dict(zip(names, row, strict=True)) for row in csv.reader(rows)]
    return [
        row | {"at": float(row["at"]), "bridge": (json.loads(row["extra"]) or {}).get("bridge_id")}
        if row["kind"].startswith("BRIDGE")
        else row
        for row in found
        if row["linkedid"] == linkedid
    ]
