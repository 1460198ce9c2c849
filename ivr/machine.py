"""How this process and its machine are, at this moment: for the page of system health and alarms.

Every figure is read from memory, by one short question to Asterisk, or by one look at a folder.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final, Protocol

from billing.clock import Clock
from billing.journal import WAITS
from ivr.alarms.findings import Condition

ASK_SECONDS: Final = 2.0
PERCENT: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class AsteriskFacts:
    """An Asterisk node as its service sees it."""

    linked: bool
    refused: bool = False
    boot: str = ""
    version: str = ""
    channels: int | None = None
    heard_seconds: float | None = None
    down_seconds: float | None = None
    drift_seconds: float | None = None
    outages: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineFacts:
    """Everything that is known without the database; seconds ago where a name says so."""

    node: str
    version: str
    asterisk: AsteriskFacts
    live_calls: int
    accepting: bool
    ledger_waiting: int
    ledger_batches: int
    ledger_operations: int
    ledger_last_size: int
    ledger_last_seconds: float
    journal_waiting: int
    journal_seconds: float
    late_slices: int
    directory_seconds: float
    jobs: tuple[tuple[str, bool], ...]
    disk_percent: int | None
    disk_free_bytes: int | None
    alarms_looked_us: int | None


class Switching(Protocol):
    """The link to Asterisk."""

    boot: str
    refused: bool
    drift_seconds: float | None

    @property
    def heard_seconds(self) -> float | None:
        """How long ago it said anything."""
        ...

    @property
    def down_seconds(self) -> float | None:
        """Since when there is no link; None while there is."""
        ...

    async def about(self) -> Mapping[str, str]:
        """Ask for its version and its channels."""
        ...


class Ledger(Protocol):
    """The writer of the ledger."""

    batches: int
    operations: int
    last_size: int
    last_seconds: float

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Where the figures come from."""

    node: str
    clock: Clock
    state_dir: Path
    switching: Switching
    ledger: Ledger
    live_calls: Callable[[], int]
    accepting: Callable[[], bool]
    outages: Callable[[], int]
    late_slices: Callable[[], int]


class Machine:
    """Looks at the parts."""

    def __init__(
        self,
        parts: Parts,
        *,
        directory_seconds: Callable[[], float],
        jobs: Callable[[], tuple[tuple[str, bool], ...]],
        alarms: Callable[[], Mapping[tuple[str, str], int]],
        alarms_looked_us: Callable[[], int | None],
    ) -> None:
        self._parts = parts
        self._directory_seconds = directory_seconds
        self._jobs = jobs
        self._alarms = alarms
        self._alarms_looked_us = alarms_looked_us

    def alarms_on(self) -> Mapping[tuple[str, str], int]:
        """Count alarms that are on by kind and severity, as of the last look."""
        return self._alarms()

    async def look(self) -> MachineFacts:
        """Read everything."""
        parts = self._parts
        about, (disk, free), (waiting, oldest) = await asyncio.gather(
            _about(parts.switching),
            asyncio.to_thread(disk_of, parts.state_dir),
            asyncio.to_thread(self._journal),
        )
        switching = parts.switching
        return MachineFacts(
            node=parts.node,
            version=own_version(),
            asterisk=AsteriskFacts(
                linked=bool(switching.boot),
                refused=switching.refused,
                boot=switching.boot,
                version=about.get("AsteriskVersion", ""),
                channels=int(channels) if (channels := about.get("channels", "")) else None,
                heard_seconds=switching.heard_seconds,
                down_seconds=switching.down_seconds,
                drift_seconds=switching.drift_seconds,
                outages=parts.outages(),
            ),
            live_calls=parts.live_calls(),
            accepting=parts.accepting(),
            ledger_waiting=parts.ledger.waiting,
            ledger_batches=parts.ledger.batches,
            ledger_operations=parts.ledger.operations,
            ledger_last_size=parts.ledger.last_size,
            ledger_last_seconds=parts.ledger.last_seconds,
            journal_waiting=waiting,
            journal_seconds=oldest,
            late_slices=parts.late_slices(),
            directory_seconds=self._directory_seconds(),
            jobs=self._jobs(),
            disk_percent=disk,
            disk_free_bytes=free,
            alarms_looked_us=self._alarms_looked_us(),
        )

    async def condition(self, webhooks_late: int) -> Condition:
        """Read what alarms are found in."""
        parts = self._parts
        (disk, _), (waiting, oldest) = await asyncio.gather(
            asyncio.to_thread(disk_of, parts.state_dir), asyncio.to_thread(self._journal)
        )
        return Condition(
            node=parts.node,
            link_down_seconds=parts.switching.down_seconds,
            journal_waiting=waiting,
            journal_seconds=oldest,
            webhooks_late=webhooks_late,
            disk_percent=disk,
            drift_seconds=parts.switching.drift_seconds,
        )

    def _journal(self) -> tuple[int, float]:
        """Count settlements that wait, and how long the oldest does."""
        folder = self._parts.state_dir / "journal"
        now = self._parts.clock.now().timestamp()
        ages = []
        for path in folder.glob(f"*{WAITS}"):
            try:
                ages.append(now - path.stat().st_mtime)
            except FileNotFoundError:
                continue
        return len(ages), max(ages, default=0.0)


def disk_of(folder: Path) -> tuple[int | None, int | None]:
    """Tell how full the disk of a folder is, in percent, and how many bytes are free."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None, None
    return PERCENT - usage.free * PERCENT // max(1, usage.total), usage.free


def own_version() -> str:
    """Say which version this is."""
    try:
        return version("talkmeter")
    except PackageNotFoundError:
        return "development"


async def _about(switching: Switching) -> Mapping[str, str]:
    ask: Awaitable[Mapping[str, str]] = switching.about()
    try:
        async with asyncio.timeout(ASK_SECONDS):
            return await ask
    except TimeoutError:
        return {}
