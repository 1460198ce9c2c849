"""Service CPU per call on the FastAGI wire alone: ours beside a raw server, in turns.

The other end is a client that answers like Asterisk and at once, eight commands a call.
"""

from __future__ import annotations

import asyncio
import statistics
import sys

from ivr.sandbox.configure import free_port
from tests.benchmarks.bench_calls import cpu_seconds
from tests.benchmarks.report import Figure

KINDS = ("raw", "ours", "plain")
CALLS = 1000
AT_ONCE = 8
TURNS = 5
COMMANDS = 8
READY_SECONDS = 10

HEADER = (
    "".join(
        f"agi_{name}: {value}\n"
        for name, value in {
            "network": "yes",
            "network_script": "call",
            "request": "agi://127.0.0.1/call",
            "channel": "PJSIP/trunk-00000000",
            "language": "en",
            "type": "PJSIP",
            "uniqueid": "1700000000.0",
            "version": "22.10.1",
            "callerid": "15551230001",
            "calleridname": "caller",
            "callingpres": "0",
            "callingani2": "0",
            "callington": "0",
            "callingtns": "0",
            "dnid": "18005550100",
            "rdnis": "unknown",
            "context": "talkmeter-call",
            "extension": "s",
            "priority": "9",
            "enhanced": "0.0",
            "accountcode": "",
            "threadid": "140070616618688",
            "arg_1": "18005550100",
        }.items()
    ).encode()
    + b"\n"
)
REPLIES = {
    b"GET VARIABLE D\n": b"200 result=1 (1)\n",
    b"GET VARIABLE DIALSTATUS\n": b"200 result=1 (ANSWER)\n",
    b"GET VARIABLE TALKMETER_DIGITS\n": b"200 result=1 (1)\n",
    b"HANGUP\n": b"200 result=1\n",
}


async def call(port: int) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEADER)
    commands = 0
    while line := await reader.readline():
        commands += 1
        writer.write(REPLIES.get(line, b"200 result=0\n"))
    writer.close()
    return commands


async def load(port: int, calls: int) -> None:
    async def worker() -> None:
        for _ in range(calls // AT_ONCE):
            assert await call(port) == COMMANDS

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))


async def ready(port: int) -> None:
    async with asyncio.timeout(READY_SECONDS):
        while True:
            try:
                await load(port, AT_ONCE)
                return
            except OSError:
                await asyncio.sleep(0.05)


async def measure() -> dict[str, list[float]]:
    """CPU milliseconds per call, by kind and turn."""
    ports = {kind: free_port() for kind in KINDS}
    servers = {
        kind: await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.benchmarks.agi_servers", kind, str(port),
            stderr=asyncio.subprocess.DEVNULL,
        )
        for kind, port in ports.items()
    }  # fmt: skip
    found: dict[str, list[float]] = {kind: [] for kind in KINDS}
    try:
        for port in ports.values():
            await ready(port)
        for _ in range(TURNS):
            for kind, port in ports.items():
                before = cpu_seconds(servers[kind].pid)
                await load(port, CALLS)
                found[kind].append((cpu_seconds(servers[kind].pid) - before) * 1000 / CALLS)
    finally:
        for server in servers.values():
            server.terminate()
            await server.wait()
    return found


def figures() -> list[Figure]:
    found = {kind: statistics.median(values) for kind, values in asyncio.run(measure()).items()}
    return [
        Figure("CPU of the wire per call (ms)", found["ours"], "raw asyncio", found["raw"], 2, 1.5),
        Figure("panoramisk as it comes (ms)", found["plain"], "raw asyncio", found["raw"], 9, 9),
    ]


if __name__ == "__main__":
    for figure in figures():
        print(figure.line())
