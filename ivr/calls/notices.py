"""What a caller is told in the middle of a talk: that it will end, and that it gets dearer.

    money or time ends    one minute before, and again when a top-up moved the end by a minute
    a dearer tier begins  fifteen seconds before, once each

Everything is worked out anew after each slice, so a top-up, a second call or a new credit limit
counts from the next slice on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from billing.domain.tariffs import Tier
from ivr.calls.call import Call

END_SECONDS: Final = 60
# Shorter than this it is over before it is said.
END_SECONDS_MIN: Final = 8
MOVED_SECONDS: Final = 60
DEARER_SECONDS: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something to say at a second of the talk: how much is left, or the tier that begins."""

    at_seconds: int
    left_seconds: int = 0
    tier: Tier | None = None


class Notices:
    """What one call was told already."""

    __slots__ = ("_dearer_at", "_end_told")

    def __init__(self) -> None:
        self._end_told: int | None = None
        self._dearer_at = -1

    def next(self, call: Call, talked: float) -> Notice | None:
        """Find what is to be said next, as it looks now; its second may be over already."""
        found = [
            notice for notice in (self._end(call, talked), self._dearer(call, talked)) if notice
        ]
        return min(found, key=lambda notice: notice.at_seconds, default=None)

    def told(self, call: Call, notice: Notice) -> None:
        """Note that it was said."""
        if notice.tier is None:
            self._end_told = call.ends_after_seconds
        else:
            self._dearer_at = notice.at_seconds + DEARER_SECONDS

    def _end(self, call: Call, talked: float) -> Notice | None:
        end = call.ends_after_seconds
        # Who could talk less than this was told so before the talk began.
        if end is None or end <= END_SECONDS + END_SECONDS_MIN:
            return None
        if self._end_told is not None and end < self._end_told + MOVED_SECONDS:
            return None
        at_seconds = max(end - END_SECONDS, int(talked))
        left = end - at_seconds
        return Notice(at_seconds=at_seconds, left_seconds=left) if left >= END_SECONDS_MIN else None

    def _dearer(self, call: Call, talked: float) -> Notice | None:
        assert call.terms is not None
        covered = call.granted.covered_seconds
        paid = max(0, int(talked) - covered, self._dearer_at - covered)
        dearer = call.terms.table.dearer_after(paid)
        if dearer is None:
            return None
        at_seconds = covered + dearer.at_seconds - DEARER_SECONDS
        # A tier that begins at once was told with the price.
        if at_seconds < 0 or at_seconds + DEARER_SECONDS <= talked:
            return None
        return Notice(at_seconds=max(at_seconds, int(talked)), tier=dearer.tier)
