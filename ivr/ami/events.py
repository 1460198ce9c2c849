"""Messages of AMI become frozen events; what does not look like Asterisk's own is dropped.

Asterisk writes `Event`, `Privilege` and (with timestampevents=yes) `Timestamp` first, before any
value that a caller could have chosen. An event without them in that order, or with a key header
twice, may have been forged through a caller's name, and is not believed.
"""

from __future__ import annotations

import re
from typing import Final

from ivr.telephony import AgentAnswered, BridgeEntered, BridgeLeft, ChannelHungUp, SwitchEvent

MICROSECONDS: Final = 1_000_000
_TIMESTAMP = re.compile(r"(\d{10})\.(\d{6})", re.ASCII)
_MEMBERS = re.compile(r"\d{1,6}", re.ASCII)
KEY_HEADERS: Final = frozenset(
    {
        "Event",
        "Privilege",
        "Timestamp",
        "Channel",
        "Uniqueid",
        "Linkedid",
        "DestChannel",
        "DialStatus",
        "BridgeUniqueid",
        "BridgeNumChannels",
    }
)


def headers_of(message: str) -> list[tuple[str, str]]:
    """Cut a message into its headers, in order; lines that are none are left out."""
    return [
        (name, value)
        for line in message.split("\r\n")
        for name, separator, value in [line.partition(": ")]
        if separator
    ]


def event_of(headers: list[tuple[str, str]], *, received: float) -> SwitchEvent | None:
    """Make an event; None for a kind that nobody needs, or one that cannot be believed."""
    if len(headers) < 4 or [name for name, _ in headers[:3]] != ["Event", "Privilege", "Timestamp"]:
        return None
    names = [name for name, _ in headers if name in KEY_HEADERS]
    if len(names) != len(set(names)):
        return None
    stamp = _TIMESTAMP.fullmatch(headers[2][1])
    if stamp is None:
        return None
    at_us = int(stamp[1]) * MICROSECONDS + int(stamp[2])
    values = dict(headers)
    match values["Event"]:
        case "BridgeEnter" | "BridgeLeave" as kind:
            members = values.get("BridgeNumChannels", "")
            if not _MEMBERS.fullmatch(members):
                return None
            build = BridgeEntered if kind == "BridgeEnter" else BridgeLeft
            return build(
                bridge=values.get("BridgeUniqueid", ""),
                channel=values.get("Channel", ""),
                uniqueid=values.get("Uniqueid", ""),
                linkedid=values.get("Linkedid", ""),
                members=int(members),
                at_us=at_us,
                received=received,
            )
        case "DialEnd" if values.get("DialStatus") == "ANSWER":
            return AgentAnswered(
                uniqueid=values.get("Uniqueid", ""),
                channel=values.get("Channel", ""),
                agent_channel=values.get("DestChannel", ""),
                at_us=at_us,
            )
        case "Hangup":
            return ChannelHungUp(
                channel=values.get("Channel", ""),
                uniqueid=values.get("Uniqueid", ""),
                linkedid=values.get("Linkedid", ""),
                at_us=at_us,
            )
        case _:
            return None
