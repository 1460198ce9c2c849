"""Start, adopt and stop a private Asterisk.

It runs in a session of its own and survives us: calls go on while the service is down. Who comes
next with the same state folder and ports adopts the running one; `running.json` names it.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

from ivr import secrets
from ivr.sandbox.configure import PROMPTS, Home, Ports, free_port, write
from ivr.sandbox.fetch import AsteriskBinary, Progress
from ivr.sandbox.ready import LOOK_SECONDS, sip_port_is_free, until_ready

READY_SECONDS: Final = 20.0
STOP_SECONDS: Final = 5.0
LOG_LINES_SHOWN: Final = 5


class AsteriskFailed(Exception):
    """The private Asterisk did not start; the text holds its own last words."""


class PrivateAsterisk:
    """One private Asterisk on loopback.

    Args:
        folder: Everything it writes stays in here; two folders, two Asterisks.
        binary: Which program to run.
        sip_port: UDP port for SIP.
        rtp_ports: Range of UDP ports for audio, such as 20000-20999.
        agi_host: Where the service listens for calls.
        agi_port: Its port.
        prompts: Folder with one folder of sound files per language.
        extra_dialplan: Appended to extensions.conf.
        die_with_parent: Kill it when the thread that started it ends, however it ends.

    """

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
        die_with_parent: bool = False,
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
        self._leash = ("setpriv", "--pdeathsig", "KILL", "--") if die_with_parent else ()
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
            AsteriskFailed: a port is taken, it ended at once, or is not ready in time.

        """
        self.home.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        async with self._alone():
            if self._adopt():
                progress("adopting the private Asterisk that runs already")
                await self._ready()
                return
            if not sip_port_is_free(self.wanted.sip):
                raise AsteriskFailed(
                    f"UDP port {self.wanted.sip} is in use, so SIP cannot listen there: "
                    "choose another TALKMETER_SIP_PORT"
                )
            progress("starting the private Asterisk")
            self._spawn()
            ready = False
            try:
                await self._ready()
                ready = True
            finally:
                if not ready:
                    await self.stop()

    @property
    def adopted(self) -> bool:
        """Whether it ran before this process came: calls of another start may talk in it."""
        return self._process is None

    async def stop(self) -> None:
        """End it, politely first; only the process that this folder's state names."""
        if not self.pid:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not self._alive():
                break
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    while self._alive():  # noqa: ASYNC110 - a process tells nobody when it ends
                        await asyncio.sleep(LOOK_SECONDS)
                    break
        self._state_file.unlink(missing_ok=True)
        self.pid, self._process = 0, None

    @property
    def _config(self) -> Path:
        return self.home.etc / "asterisk.conf"

    @property
    def _state_file(self) -> Path:
        return self.home.root / "running.json"

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Let one process at a time decide whether to start or to adopt."""
        with (self.home.root / ".start.lock").open("w", encoding="ascii") as file:
            try:
                async with asyncio.timeout(READY_SECONDS):
                    while not _locked(file.fileno()):  # noqa: ASYNC110 - a lock tells nobody
                        await asyncio.sleep(LOOK_SECONDS)
            except TimeoutError:
                raise AsteriskFailed(
                    f"another process is starting the private Asterisk in {self.home.root}"
                ) from None
            yield

    def _adopt(self) -> bool:
        try:
            state = json.loads(self._state_file.read_text(encoding="ascii"))
            pid, ami_port, wanted = int(state["pid"]), int(state["ami"]), state["wanted"]
        except (OSError, ValueError, KeyError, TypeError):
            return False
        if not self._runs(pid):
            return False
        if wanted != asdict(self.wanted):
            raise AsteriskFailed(
                f"another private Asterisk (process {pid}) uses {self.home.root} with other "
                "ports: stop its service, or choose another TALKMETER_STATE_DIR"
            )
        self.pid, self.ami_port = pid, ami_port
        return True

    def _spawn(self) -> None:
        """Write the configuration, start the process, and note at once who it is."""
        self.ami_port = free_port()
        ports = replace(self.wanted, ami=self.ami_port)
        write(self.home, ports, self._binary, prompts=self._prompts)
        if self._extra_dialplan:
            with (self.home.etc / "extensions.conf").open("a", encoding="utf-8") as file:
                file.write(self._extra_dialplan)
        with (self.home.log / "console.log").open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - fixed program
                [*self._leash, *self._binary.command, "-fn", "-C", str(self._config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._process.pid
        state = {"pid": self.pid, "ami": self.ami_port, "wanted": asdict(self.wanted)}
        secrets.write(self._state_file, json.dumps(state))

    async def _ready(self) -> None:
        """Wait until it takes calls; fail when it ends or takes too long."""
        waiting = asyncio.create_task(
            until_ready(
                self._binary.command,
                self._config,
                ami_port=self.ami_port,
                sip_port=self.wanted.sip,
            ),
            name="asterisk-ready",
        )
        try:
            async with asyncio.timeout(READY_SECONDS):
                while not waiting.done():
                    if not self._alive():
                        raise AsteriskFailed(f"the private Asterisk ended: {self._last_words()}")
                    await asyncio.wait([waiting], timeout=LOOK_SECONDS)
                await waiting
        except TimeoutError:
            raise AsteriskFailed(
                f"the private Asterisk was not ready in {READY_SECONDS:g} s: {self._last_words()}"
            ) from None
        finally:
            waiting.cancel()
            await asyncio.wait([waiting])

    def _alive(self) -> bool:
        if self._process is not None:
            return self._process.poll() is None
        return self._runs(self.pid)

    def _runs(self, pid: int) -> bool:
        """Tell whether this process is the Asterisk of this folder: ids are used again."""
        try:
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return str(self._config).encode() in arguments

    def _last_words(self) -> str:
        try:
            text = (self.home.log / "console.log").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return "it left no log"
        errors = [line for line in text.splitlines() if "ERROR" in line] or text.splitlines()
        return " / ".join(line.strip() for line in errors[-LOG_LINES_SHOWN:])


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
