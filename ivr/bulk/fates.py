"""What will become of each row of a file, as it is shown before anything is done.

    new · changed (field by field) · unchanged · refused (with column and reason)

A row is applied only if its fate is still the one that was shown: `token` tells them apart.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

What = Literal["new", "changed", "unchanged", "refused"]
WHATS: Final = ("new", "changed", "unchanged", "refused")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field: what it is, and what it becomes; secrets are named, never shown."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of one row, which begins on `line` of its file."""

    line: int
    subject: str
    what: What
    changes: tuple[Change, ...] = ()
    column: str = ""
    reason: str = ""

    @property
    def token(self) -> str:
        """Tell this fate from any other of the same row."""
        told = [self.what, self.subject, [[c.field, c.before, c.after] for c in self.changes]]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]

    @property
    def acts(self) -> bool:
        """Tell whether anything is to be done."""
        return self.what in {"new", "changed"}


def refused(line: int, subject: str, column: str, reason: str) -> Fate:
    """Refuse a row, and say where and why."""
    return Fate(line=line, subject=subject, what="refused", column=column, reason=reason)


def counted(fates: Iterable[Fate]) -> dict[str, int]:
    """Count the fates of each kind."""
    found = Counter(fate.what for fate in fates)
    return {what: found[what] for what in WHATS}


def fates_json(fates: Sequence[Fate]) -> str:
    """Write fates for the database."""
    return json.dumps(
        [
            [
                fate.line, fate.subject, fate.what,
                [[c.field, c.before, c.after] for c in fate.changes], fate.column, fate.reason,
            ]
            for fate in fates
        ]
    )  # fmt: skip


def fates_from_json(text: str) -> list[Fate]:
    """Read what `fates_json` wrote."""
    return [
        Fate(
            line=line,
            subject=subject,
            what=what,
            changes=tuple(Change(field=f, before=b, after=a) for f, b, a in changes),
            column=column,
            reason=reason,
        )
        for line, subject, what, changes, column, reason in json.loads(text)
    ]
