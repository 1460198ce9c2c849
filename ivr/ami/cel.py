"""The channel event log as written by Asterisk itself, read as the record of who talked when.

cel_custom appends one CSV line per event, also while we are dead. The file is followed from the
oldest moment that anybody asked about; what was read is kept per call, bounded.

    "BRIDGE_ENTER","1700000000.123456","<uniqueid>","<linkedid>","<channel>","<bridge id>"
"""

from __future__ import annotations

import asyncio
import csv
import os
import re
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ivr.telephony import SwitchUnavailable, TalkRecord

MICROSECONDS: Final = 1_000_000
CALLS_MAX: Final = 50_000
READ_BYTES: Final = 4 * 1024 * 1024
COLUMNS: Final = 6
_TIME = re.compile(r"(\d{9,11})\.(\d{6})", re.ASCII)
_BRIDGE = re.compile(r"[0-9a-f-]{36}", re.ASCII)


@dataclass(slots=True)
class _Trace:
    """What one call left in the log."""

    entered: dict[str, dict[str, int]] = field(default_factory=dict)  # bridge -> channel -> at
    left: dict[str, dict[str, int]] = field(default_factory=dict)
    over: bool = False

    def record(self) -> TalkRecord:
        """Find the first bridge with two parties: from the later entry to the first exit."""
        talks = [
            (sorted(entries.values())[1], bridge)
            for bridge, entries in self.entered.items()
            if len(entries) > 1
        ]
        if not talks:
            return TalkRecord(started_us=None, ended_us=None, over=self.over)
        started_us, bridge = min(talks)
        exits = self.left.get(bridge)
        ended_us = min(exits.values()) if exits else None
        return TalkRecord(started_us=started_us, ended_us=ended_us, over=self.over)


class CelFile:
    """Follows the file; one reader at a time, in a thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = asyncio.Lock()
        # A reader that is cancelled goes on in its thread: the next one waits for it there.
        self._thread_lock = threading.Lock()
        self._calls: OrderedDict[str, _Trace] = OrderedDict()
        self._inode = 0
        self._offset = 0
        self._rest = b""

    async def of(self, *, uniqueid: str, since_us: int) -> TalkRecord:
        """Read the record of the call that the channel `uniqueid` began.

        Raises:
            SwitchUnavailable: the file cannot be read.

        """
        del since_us  # the whole file is followed; an index by time may come when files grow
        async with self._lock:
            try:
                await asyncio.to_thread(self._follow)
            except OSError as error:
                raise SwitchUnavailable("the channel event log cannot be read") from error
        trace = self._calls.get(uniqueid)
        if trace is None:
            return TalkRecord(started_us=None, ended_us=None, over=False)
        return trace.record()

    def _follow(self) -> None:
        with self._thread_lock, self._path.open("rb") as file:
            inode = os.fstat(file.fileno()).st_ino
            size = file.seek(0, 2)
            if inode != self._inode or size < self._offset:
                self._inode, self._offset, self._rest = inode, 0, b""
            file.seek(self._offset)
            while chunk := file.read(READ_BYTES):
                self._offset += len(chunk)
                *lines, self._rest = (self._rest + chunk).split(b"\n")
                for line in lines:
                    self._take(_fields(line))

    def _take(self, row: list[str]) -> None:
        if len(row) < COLUMNS:
            return
        kind, stamp, uniqueid, linkedid, channel, extra = row[:COLUMNS]
        time = _TIME.fullmatch(stamp)
        if time is None or not linkedid:
            return
        at_us = int(time[1]) * MICROSECONDS + int(time[2])
        trace = self._calls.get(linkedid)
        if trace is None:
            trace = self._calls[linkedid] = _Trace()
            if len(self._calls) > CALLS_MAX:
                self._calls.popitem(last=False)
        bridge = _BRIDGE.search(extra)
        if kind == "BRIDGE_ENTER" and bridge:
            # A row may stand twice: the first one counts.
            trace.entered.setdefault(bridge[0], {}).setdefault(channel, at_us)
        elif kind == "BRIDGE_EXIT" and bridge:
            trace.left.setdefault(bridge[0], {}).setdefault(channel, at_us)
        elif kind in {"CHAN_END", "HANGUP"} and uniqueid == linkedid:
            trace.over = True


def _fields(line: bytes) -> list[str]:
    """Cut one line; one that was torn or is junk has none, and spoils no other."""
    try:
        return next(csv.reader([line.decode("utf-8", "replace")]), [])
    except csv.Error:
        return []
