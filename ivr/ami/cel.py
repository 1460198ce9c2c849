"""The channel event log as Asterisk itself writes it, read as the record of who talked when.

cel_custom appends one line per event, also while we are dead. The end of the file is followed and
kept by call, bounded; a call from before that is looked for backwards, block by block, also in
files that were rotated away. Nothing is ever written here.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from ivr.ami.talks import COLUMNS, MICROSECONDS, Row, record_of, row_of
from ivr.telephony import SwitchUnavailable, TalkRecord

__all__ = ["COLUMNS", "CelFile"]

CALLS_MAX: Final = 10_000
ROWS_PER_CALL_MAX: Final = 200
BLOCK_BYTES: Final = 1024 * 1024
# How much of an existing file is read at first; older calls are looked for when asked about.
FIRST_BYTES: Final = 4 * BLOCK_BYTES
LOOK_BACK_BYTES_MAX: Final = 1024 * BLOCK_BYTES
# Whoever asks goes by another clock than the one that wrote the file.
CLOCKS_APART_US: Final = 3600 * MICROSECONDS
# Rows that belong together may stand in another order.
DISORDER_US: Final = 5 * MICROSECONDS
COMPRESSED: Final = frozenset({".gz", ".bz2", ".xz", ".zst"})

_EPOCH = re.compile(r"(\d{9,11})\.\d+$", re.ASCII)


class CelFile:
    """Follows the file; one reader at a time, in a thread."""

    def __init__(
        self, path: Path, *, calls_max: int = CALLS_MAX, first_bytes: int = FIRST_BYTES
    ) -> None:
        self._path = path
        self._calls_max = calls_max
        self._first_bytes = first_bytes
        self._lock = asyncio.Lock()
        # A reader that is cancelled goes on in its thread: the next one waits for it there.
        self._thread_lock = threading.Lock()
        self._calls: OrderedDict[str, list[Row]] = OrderedDict()
        self._file_id = (0, 0)
        self._offset = 0
        # Calls that began later than this are kept whole; None before the first look.
        self._known_from_us: int | None = None

    async def of(self, *, uniqueid: str, since_us: int, talk: int = 1) -> TalkRecord:
        """Read the record of the call that the channel `uniqueid` began, after `since_us`.

        The two clocks may be an hour apart. A file that is not there has no records yet.

        Raises:
            SwitchUnavailable: the file cannot be read.

        """
        since_us -= CLOCKS_APART_US
        async with self._lock:
            try:
                rows = await asyncio.to_thread(self._rows, uniqueid, since_us)
            except OSError as error:
                raise SwitchUnavailable("the channel event log cannot be read") from error
        return record_of(rows, uniqueid=uniqueid, since_us=since_us, talk=talk)

    def _rows(self, uniqueid: str, since_us: int) -> list[Row]:
        with self._thread_lock:
            return self._rows_alone(uniqueid, since_us)

    def _rows_alone(self, uniqueid: str, since_us: int) -> list[Row]:
        self._follow()
        began_us = _began_us(uniqueid, default=since_us)
        if self._known_from_us is not None and began_us > self._known_from_us + DISORDER_US:
            return self._calls.get(uniqueid, [])
        return self._look_back(uniqueid, began_us - DISORDER_US)

    def _follow(self) -> None:
        """Read what was written since the last time."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return
        file_id = (status.st_dev, status.st_ino)
        if self._known_from_us is None:
            self._known_from_us = self._begin(status)
        elif file_id != self._file_id:
            self._finish_rotated()
            self._offset = 0
        elif status.st_size < self._offset:
            self._offset = 0
        self._file_id = file_id
        with self._path.open("rb") as file:
            self._read_on(file)

    def _begin(self, status: os.stat_result) -> int:
        """Choose where to start; returns the moment from which on all will be known."""
        self._offset = max(0, status.st_size - self._first_bytes)
        if self._offset == 0 and len(self._files(since_us=0)) == 1:
            return 0
        with self._path.open("rb") as file:
            file.seek(self._offset)
            if self._offset:
                self._offset += len(file.readline(BLOCK_BYTES))
            rows = filter(None, map(row_of, file))
            first = next(rows, None)
        return first.at_us if first is not None else status.st_mtime_ns // 1000

    def _finish_rotated(self) -> None:
        """Read the rest of the file that was followed until it was renamed."""
        for path in self._files(since_us=0):
            try:
                status = path.stat()
                if (status.st_dev, status.st_ino) == self._file_id:
                    with path.open("rb") as file:
                        self._read_on(file)
                    return
            except FileNotFoundError:
                continue

    def _read_on(self, file: BinaryIO) -> None:
        file.seek(self._offset)
        while block := file.read(BLOCK_BYTES):
            whole = block.rfind(b"\n") + 1
            if not whole and len(block) < BLOCK_BYTES:
                return  # a line that is still being written
            # A block without any end of line is no log; it is passed over.
            self._offset += whole or len(block)
            for line in block[:whole].splitlines():
                row = row_of(line)
                if row is not None:
                    self._keep(row)
            file.seek(self._offset)

    def _keep(self, row: Row) -> None:
        rows = self._calls.get(row.linkedid)
        if rows is None:
            rows = self._calls[row.linkedid] = []
            if len(self._calls) > self._calls_max:
                _, oldest = self._calls.popitem(last=False)
                self._known_from_us = max(self._known_from_us or 0, oldest[-1].at_us + 1)
        if len(rows) < ROWS_PER_CALL_MAX:
            rows.append(row)

    def _look_back(self, uniqueid: str, since_us: int) -> list[Row]:
        """Search backwards, newest file and block first, until all is older than `since_us`."""
        needle = uniqueid.encode()
        found: list[Row] = []
        bytes_left = LOOK_BACK_BYTES_MAX
        for path in self._files(since_us=since_us):
            try:
                with path.open("rb") as file:
                    for block in _blocks_backwards(file):
                        bytes_left -= len(block)
                        lines = block.splitlines()
                        if needle in block:
                            rows = [row_of(line) for line in lines if needle in line]
                            found += [row for row in rows if row and row.linkedid == uniqueid]
                        newest = next(filter(None, map(row_of, reversed(lines))), None)
                        if bytes_left < 0 or (newest is not None and newest.at_us < since_us):
                            return found
            except FileNotFoundError:
                continue  # rotated away between two looks
        return found

    def _files(self, *, since_us: int) -> list[Path]:
        """List the file and those it was rotated to, newest first, written since then."""
        ages: list[tuple[int, Path]] = []
        siblings = (
            *self._path.parent.glob(f"{self._path.name}.*"),
            *self._path.parent.glob(f"{self._path.name}-*"),
        )
        for path in (self._path, *siblings):
            if path.suffix in COMPRESSED:
                continue
            try:
                written_us = path.stat().st_mtime_ns // 1000
            except FileNotFoundError:
                continue
            if written_us >= since_us:
                ages.append((written_us, path))
        return [path for _, path in sorted(ages, reverse=True)]


def _blocks_backwards(file: BinaryIO) -> Iterator[bytes]:
    """Cut a file into blocks of whole lines, last block first."""
    end = file.seek(0, os.SEEK_END)
    head = b""
    while end > 0:
        start = max(0, end - BLOCK_BYTES)
        file.seek(start)
        block = file.read(end - start) + head
        head = b""
        if start > 0:
            first = block.find(b"\n") + 1
            if 0 < first <= BLOCK_BYTES:
                head, block = block[:first], block[first:]
        yield block
        end = start


def _began_us(uniqueid: str, *, default: int) -> int:
    """Read when the channel began off its id, by the same clock that wrote the file."""
    match = _EPOCH.search(uniqueid)
    return int(match[1]) * MICROSECONDS if match else default
