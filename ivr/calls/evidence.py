"""How long did they talk? The choice between witnesses, without any I/O.

Three witnesses measure the same talk: Asterisk's event timestamps, Asterisk's written record (CEL)
and our own monotonic clock. Asterisk's moments are exact but follow its wall clock, which may
step; ours never steps but sees late when our process stood still. So Asterisk's word counts
unless ours, seen without a stall, differs by more than a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ivr.telephony import TalkRecord

DISAGREEMENT_MAX_US: Final = 1_000_000
MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkEvidence:
    """A measured talk: its moments by the switch's clock, its length, and how sure we are."""

    started_us: int
    ended_us: int
    talk_us: int
    source: str  # ami | cel | monotonic | estimate
    review: bool = False
    note: str | None = None


def weigh(
    *, started_us: int, ended_us: int, own_us: int | None, own_stalled: bool, source: str
) -> TalkEvidence:
    """Choose between the switch's moments and our own measure of the same talk.

    Args:
        started_us: Talk began, by the switch's clock.
        ended_us: Talk ended, by the switch's clock.
        own_us: The length by our monotonic clock; None when we did not witness both ends.
        own_stalled: Our process stood still in between, so that our measure is late.
        source: Where the switch's moments were read: `ami` or `cel`.

    """
    talk_us = ended_us - started_us
    if own_us is None or own_stalled:
        return TalkEvidence(
            started_us=started_us,
            ended_us=max(started_us, ended_us),
            talk_us=max(0, talk_us),
            source=source,
            review=talk_us < 0,
            note="the clock of the switch went backwards" if talk_us < 0 else None,
        )
    if abs(talk_us - own_us) > DISAGREEMENT_MAX_US:
        return TalkEvidence(
            started_us=started_us,
            ended_us=started_us + own_us,
            talk_us=own_us,
            source="monotonic",
            review=True,
            note=f"the switch measured {talk_us} us, we measured {own_us} us",
        )
    return TalkEvidence(started_us=started_us, ended_us=ended_us, talk_us=talk_us, source=source)


def from_record(record: TalkRecord) -> TalkEvidence | None:
    """Read a talk from the written record; None when nobody talked or the end is unknown."""
    if record.started_us is None or record.ended_us is None:
        return None
    return weigh(
        started_us=record.started_us,
        ended_us=record.ended_us,
        own_us=None,
        own_stalled=False,
        source="cel",
    )


def estimated(*, started_us: int | None, proven_us: int, opened_us: int) -> TalkEvidence:
    """Fall back on the talk that was proven when the hold was last extended.

    Never more than that: where no witness is left, doubt is in the caller's favour.
    """
    began_us = started_us if started_us is not None else opened_us
    return TalkEvidence(
        started_us=began_us,
        ended_us=began_us + proven_us,
        talk_us=proven_us,
        source="estimate",
        review=True,
        note="no record of the end; charged up to the last proven second",
    )
