"""Start, adopt and stop a private Asterisk.

It runs in a session of its own and survives us: calls go on while the service is down. Who comes
next with the same state folder and ports adopts the running one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

from ivr import secrets
from ivr.sandbox.configure import PROMPTS, Home, Ports, free_port, write
from ivr.sandbox.fetch import AsteriskBinary, Progress

READY_SECONDS: Final = 20.0
STOP_SECONDS: Final = 5.0
LOOK_SECONDS: Final = 0.05
LOG_LINES_SHOWN: Final = 5


class AsteriskFailed(Exception):
    """The private Asterisk did not start; the text holds its own last words."""


class PrivateAsterisk:
    """One private Asterisk on loopback."""

    def __init__(
        self,
        folder: Path,
        binary: AsteriskBinary,
        *,
        sip_port: int,
        rtp_ports: str,
        agi_host: str,
        agi_port: int,
        prompts: Path = PROMPTS,
        extra_dialplan: str = "",
    ) -> None:
        self.home = Home(root=folder.resolve())
        self._binary = binary
        low, _, high = rtp_ports.partition("-")
        self.wanted = Ports(
            sip=sip_port,
            rtp_low=int(low),
            rtp_high=int(high),
            ami=0,
            agi_host=agi_host,
            agi_port=agi_port,
        )
        self._prompts = prompts
        self._extra_dialplan = extra_dialplan
        self._process: subprocess.Popen[bytes] | None = None
        self.pid = 0
        self.ami_port = 0

    @property
    def ami_secret(self) -> str:
        """The secret of the manager account."""
        return secrets.read_or_make(self.home.secret)

    async def start(self, progress: Progress) -> None:
        """Start it, or adopt the one that runs in this folder with the same ports.

        Raises:
            AsteriskFailed: it ended at once, or is not ready in time.

        """
        if self._adopt():
            progress("adopting the private Asterisk that runs already")
            return
        self.ami_port = free_port()
        ports = replace(self.wanted, ami=self.ami_port)
        write(self.home, ports, self._binary, prompts=self._prompts)
        if self._extra_dialplan:
            with (self.home.etc / "extensions.conf").open("a", encoding="utf-8") as file:
                file.write(self._extra_dialplan)
        progress("starting the private Asterisk")
        log = (self.home.log / "console.log").open("wb")
        with log:
            self._process = subprocess.Popen(  # noqa: S603, ASYNC220 - fixed program, once
                [*self._binary.command, "-f", "-C", str(self.home.etc / "asterisk.conf")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._process.pid
        await self._ready()
        state = {"pid": self.pid, "ami": self.ami_port, "wanted": asdict(self.wanted)}
        secrets.write(self._state_file, json.dumps(state))

    async def stop(self) -> None:
        """End it, politely first; only the process that this folder's state names."""
        if not self.pid or not _is_asterisk(self.pid):
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    while self._alive():  # noqa: ASYNC110 - a process tells nobody when it ends
                        await asyncio.sleep(LOOK_SECONDS)
                    break
        self._state_file.unlink(missing_ok=True)

    @property
    def _state_file(self) -> Path:
        return self.home.root / "running.json"

    def _adopt(self) -> bool:
        try:
            state = json.loads(self._state_file.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return False
        if not _is_asterisk(state["pid"]):
            return False
        self.pid = state["pid"]
        if state["wanted"] != asdict(self.wanted):
            raise AsteriskFailed(
                f"another private Asterisk (process {self.pid}) uses {self.home.root} with other "
                "ports: stop its service, or choose another TALKMETER_STATE_DIR"
            )
        self.ami_port = state["ami"]
        return True

    async def _ready(self) -> None:
        """Wait until the manager greets: it is the last that Asterisk opens."""
        try:
            async with asyncio.timeout(READY_SECONDS):
                while not await self._greets():
                    if not self._alive():
                        raise AsteriskFailed(f"the private Asterisk ended: {self._last_words()}")
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            await self.stop()
            raise AsteriskFailed(
                f"the private Asterisk was not ready in {READY_SECONDS:g} s: {self._last_words()}"
            ) from None

    async def _greets(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.ami_port)
        except OSError:
            return False
        line = await reader.readline()
        writer.close()
        return line.startswith(b"Asterisk Call Manager/")

    def _alive(self) -> bool:
        if self._process is not None:
            return self._process.poll() is None
        return _is_asterisk(self.pid)

    def _last_words(self) -> str:
        try:
            text = (self.home.log / "console.log").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return "it left no log"
        errors = [line for line in text.splitlines() if "ERROR" in line] or text.splitlines()
        return " / ".join(line.strip() for line in errors[-LOG_LINES_SHOWN:])


def _is_asterisk(pid: int) -> bool:
    """Tell whether this process is an Asterisk, so that a reused id never is mistaken for one."""
    try:
        return b"asterisk" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
