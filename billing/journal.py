"""Settlements that could not reach the database: a file each, fsynced, replayed with one key.

A settlement never exceeds its grant, so it cannot be refused for lack of money later: writing it
down is as good as booking it, as long as the disk is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

ENTRIES_MAX: Final = 100_000
SUFFIX: Final = ".settle.json"


class Journal:
    """A folder of settlements to be replayed; blocking calls, to be made in a thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, session_id: str, document: dict[str, Any]) -> None:  # Any: JSON values
        """Write one settlement down; it survives a crash once this returns."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{session_id}{SUFFIX}"
        fresh = path.with_suffix(".new")
        with fresh.open("w", encoding="utf-8") as file:
            json.dump(document, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def __iter__(self) -> Iterator[tuple[str, dict[str, Any]]]:  # Any: JSON values
        if not self._folder.is_dir():
            return
        for path in sorted(self._folder.glob(f"*{SUFFIX}"))[:ENTRIES_MAX]:
            yield path.name.removesuffix(SUFFIX), json.loads(path.read_text(encoding="utf-8"))

    def forget(self, session_id: str) -> None:
        """Remove a settlement that is booked."""
        (self._folder / f"{session_id}{SUFFIX}").unlink(missing_ok=True)
