"""From rows of the channel event log to who talked when; pure.

    "BRIDGE_ENTER","1700000000.123456","<uniqueid>","<linkedid>","<channel>","{""bridge_id"":…}"

Rows may be cut, stand twice, or come in another order than they happened. Talk begins when the
caller and somebody else are in one bridge, and ends when the first of the two leaves it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ivr.telephony import TalkRecord

MICROSECONDS: Final = 1_000_000
COLUMNS: Final = 6
LINE_BYTES_MAX: Final = 8 * 1024
TALKERS: Final = 2
ENTER: Final = "BRIDGE_ENTER"
EXIT: Final = "BRIDGE_EXIT"
OVER: Final = "HANGUP"

# Found at the end of the line: a row that was cut by a crash has the next one on its own line.
_ROW = re.compile(
    rb'"([A-Z_]{1,30})","(\d{9,11})\.(\d{6})","([^"]*)","([^"]*)","([^"]*)"'
    rb',"((?:[^"]|"")*)"\r?$'
)
_BRIDGE = re.compile(rb"[0-9a-f]{8}-[0-9a-f-]{27}")


@dataclass(frozen=True, slots=True, order=True)
class Row:
    """One event; ordered by time."""

    at_us: int
    kind: str
    uniqueid: str
    linkedid: str
    bridge: str


def row_of(line: bytes) -> Row | None:
    """Read one line; None when it is no whole row, or of a kind that nobody needs."""
    if len(line) > LINE_BYTES_MAX:
        return None
    match = _ROW.search(line)
    if match is None:
        return None
    kind, seconds, micros, uniqueid, linkedid, _channel, extra = match.groups()
    name = kind.decode()
    bridge = _BRIDGE.search(extra) if name in {ENTER, EXIT} else None
    if name != OVER and bridge is None:
        return None
    return Row(
        at_us=int(seconds) * MICROSECONDS + int(micros),
        kind=name,
        uniqueid=uniqueid.decode("utf-8", "replace"),
        linkedid=linkedid.decode("utf-8", "replace"),
        bridge=bridge[0].decode() if bridge else "",
    )


def record_of(rows: Iterable[Row], *, uniqueid: str, since_us: int, talk: int = 1) -> TalkRecord:
    """Find a talk of the call that the channel `uniqueid` began, after `since_us`.

    A call that was put through has several, one after the other; `talk` counts them from 1.
    """
    talks_left = talk
    present: dict[str, set[str]] = defaultdict(set)
    started_us: int | None = None
    ended_us: int | None = None
    bridge = ""
    over = False
    for row in sorted(set(rows)):
        if row.at_us < since_us:
            continue
        if row.kind == OVER:
            over = over or row.uniqueid == uniqueid
        elif row.kind == ENTER:
            members = present[row.bridge]
            members.add(row.uniqueid)
            if started_us is None and uniqueid in members and len(members) >= TALKERS:
                started_us, bridge = row.at_us, row.bridge
        else:
            present[row.bridge].discard(row.uniqueid)
            if row.bridge == bridge and ended_us is None:
                ended_us = row.at_us
                talks_left -= 1
                if talks_left:
                    started_us, ended_us, bridge = None, None, ""
    return TalkRecord(started_us=started_us, ended_us=ended_us, over=over)
