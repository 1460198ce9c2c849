"""Settlements that could not reach the database: a file each, fsynced, replayed with one key.

    <session>.settle.json    waits to be booked
    <session>.refused.json   could not be booked and never will be: a person must look at it

A settlement never exceeds its grant, so it cannot be refused for lack of money later: writing it
down is as good as booking it, as long as the disk is.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

from billing.domain.operations import AccountRef, SessionResult, Settle
from billing.domain.splits import Part

WAITS: Final = ".settle.json"
REFUSED: Final = ".refused.json"


class JournalDamaged(Exception):
    """A file of the journal does not say what it should."""


class Journal:
    """A folder of settlements to be replayed; blocking calls, to be made in a thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, settle: Settle) -> None:
        """Write one settlement down; it survives a crash once this returns."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path(settle.hold_id)
        fresh = path.with_suffix(".new")
        with fresh.open("w", encoding="utf-8") as file:
            json.dump(_document(settle), file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        self._sync()

    def waiting(self) -> list[str]:
        """List the sessions whose settlement waits, oldest id first."""
        if not self._folder.is_dir():
            return []
        return sorted(path.name.removesuffix(WAITS) for path in self._folder.glob(f"*{WAITS}"))

    def read(self, session_id: str) -> Settle:
        """Read one settlement back.

        Raises:
            JournalDamaged: the file is not one that `keep` wrote.

        """
        try:
            return _settle(json.loads(self._path(session_id).read_text(encoding="utf-8")))
        except (ValueError, KeyError, TypeError) as error:
            raise JournalDamaged(session_id) from error

    def forget(self, session_id: str) -> None:
        """Remove a settlement that is booked."""
        self._path(session_id).unlink(missing_ok=True)

    def set_aside(self, session_id: str) -> Path:
        """Take a settlement that cannot be booked out of the way, for a person to look at."""
        path = self._path(session_id)
        aside = path.with_name(f"{session_id}{REFUSED}")
        path.replace(aside)
        self._sync()
        return aside

    def _path(self, session_id: str) -> Path:
        return self._folder / f"{session_id}{WAITS}"

    def _sync(self) -> None:
        """Make a rename survive a crash."""
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _document(settle: Settle) -> dict[str, Any]:  # Any: JSON values
    result, account = settle.result, settle.account
    return {
        "hold_id": settle.hold_id,
        "account": [account.kind, account.code, account.currency],
        "transfer_id": settle.transfer_id,
        "amount": settle.amount,
        "parts": [[part.kind, part.account, part.amount] for part in settle.parts],
        "at_us": settle.at_us,
        "result": {name: getattr(result, name) for name in result.__slots__},
        "cover": [[ref.kind, ref.code, ref.currency] for ref in settle.cover],
        "covered_seconds": settle.covered_seconds,
    }


def _settle(document: dict[str, Any]) -> Settle:  # Any: JSON values
    kind, code, currency = document["account"]
    return Settle(
        hold_id=document["hold_id"],
        account=AccountRef(kind=kind, code=code, currency=currency),
        transfer_id=document["transfer_id"],
        amount=document["amount"],
        parts=tuple(
            Part(kind=kind, account=account, amount=amount)
            for kind, account, amount in document["parts"]
        ),
        at_us=document["at_us"],
        result=SessionResult(**document["result"]),
        cover=tuple(
            AccountRef(kind=kind, code=code, currency=currency)
            for kind, code, currency in document.get("cover", ())
        ),
        covered_seconds=document.get("covered_seconds", 0),
    )
