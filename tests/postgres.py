"""A private PostgreSQL for the tests: one server a worker, on a free port of loopback, fsync on."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ivr.sandbox.configure import free_port

# After an immediate stop the server first syncs every file of every test.
STARTED_WITHIN_SECONDS = 100


@dataclass(frozen=True)
class PostgresServer:
    """A running server. `stop` and `start` play the part of an outage."""

    bin: Path
    data: Path
    port: int
    durable: bool = True

    def url(self, name: str) -> str:
        return f"postgresql+asyncpg://talkmeter@127.0.0.1:{self.port}/{name}"

    def create(self, name: str, *, template: str = "template1") -> str:
        host = ["-h", "127.0.0.1", "-p", self.port, "-U", "talkmeter"]
        _run([self.bin / "createdb", *host, "-T", template, name])
        return self.url(name)

    def start(self) -> None:
        _run(
            [
                self.bin / "pg_ctl", "-D", self.data, "-w", "-t", STARTED_WITHIN_SECONDS, "-s",
                "-l", self.data / "log",
                "-o", " ".join(self._settings()), "start",
            ]
        )  # fmt: skip

    def stop(self, mode: str = "immediate") -> None:
        _run(
            [
                self.bin / "pg_ctl", "-D", self.data, "-w", "-t", STARTED_WITHIN_SECONDS, "-s",
                "-m", mode, "stop",
            ]
        )  # fmt: skip

    @asynccontextmanager
    async def down(self, mode: str = "immediate") -> AsyncIterator[None]:
        """Be without a server for a while; whoever comes later finds it, whatever happens here."""
        try:
            await asyncio.to_thread(self.stop, mode)
            yield
        finally:
            await asyncio.to_thread(self.start)

    def _settings(self) -> Iterator[str]:
        yield f"-p {self.port} -k {self.data} -c listen_addresses=127.0.0.1"
        if not self.durable:
            yield "-c fsync=off -c full_page_writes=off"


def find_binaries() -> Path | None:
    """Return the folder with initdb, newest version first; None when there is no server."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    if folders:
        return folders[0].parent
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


@contextmanager
def running_postgres(*, durable: bool = True) -> Iterator[PostgresServer]:
    """Start a server of our own and remove it afterwards.

    One that is not `durable` survives its own death, as tests want it to, and not the machine's.
    """
    binaries = find_binaries()
    assert binaries is not None
    folder = Path(tempfile.mkdtemp(prefix="talkmeter-pg-", dir="/tmp"))
    if os.getuid() == 0:
        nobody = pwd.getpwnam(_user())
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    data = folder / "data"
    server = PostgresServer(bin=binaries, data=data, port=free_port(), durable=durable)
    try:
        _run([binaries / "initdb", "-D", data, "-U", "talkmeter", "-A", "trust", "-N"])
        server.start()
        yield server
    finally:
        if (data / "postmaster.pid").exists():
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _user() -> str:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _run(command: list[object]) -> None:
    words = [str(word) for word in command]
    if os.getuid() == 0:
        # PostgreSQL refuses to run as root.
        words = ["setpriv", "--reuid", _user(), "--regid", "nogroup", "--clear-groups", *words]
    done = subprocess.run(
        words,
        cwd="/tmp",
        env={"PATH": os.defpath, "LC_ALL": "C.UTF-8", "HOME": "/tmp"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=STARTED_WITHIN_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout
