"""Messages of AMI become frozen events; what does not look like Asterisk's own is not believed.

Asterisk writes `Event`, `Privilege` and (with timestampevents=yes) `Timestamp` first, before any
value that a caller could have chosen. An event without them in that order, with a key header
twice, or with a control character in one, may have been forged through a caller's name.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Final

from ivr.telephony import AgentAnswered, BridgeEntered, BridgeLeft, ChannelHungUp, SwitchEvent

MICROSECONDS: Final = 1_000_000
HEAD: Final = ["Event", "Privilege", "Timestamp"]
_TIMESTAMP = re.compile(r"(\d{10})\.(\d{6})", re.ASCII)
_COUNT = re.compile(r"\d{1,6}", re.ASCII)
KINDS: Final = frozenset({"BridgeEnter", "BridgeLeave", "DialEnd", "Hangup"})
KEY_HEADERS: Final = frozenset(
    {
        "Event",
        "Privilege",
        "Timestamp",
        "Channel",
        "Uniqueid",
        "Linkedid",
        "DestChannel",
        "DestUniqueid",
        "DialStatus",
        "BridgeUniqueid",
        "BridgeNumChannels",
        "AccountCode",
    }
)

Headers = list[tuple[str, str]]


class EventNotBelieved(Exception):
    """It does not look like Asterisk's own. The text never holds the peer's bytes."""


def headers_of(message: str) -> Headers:
    """Cut a message into its headers, in order; lines that are none are left out."""
    return [
        (name, value)
        for line in message.split("\r\n")
        for name, separator, value in [line.partition(": ")]
        if separator
    ]


def values_of(headers: Headers, names: frozenset[str]) -> dict[str, str]:
    """Pick headers by name.

    Raises:
        EventNotBelieved: one stands twice or holds a control character.

    """
    picked = [(name, value) for name, value in headers if name in names]
    values = dict(picked)
    if len(values) != len(picked):
        raise EventNotBelieved("a key header stands twice")
    if not all(map(str.isprintable, values.values())):
        raise EventNotBelieved("a control character in a key header")
    return values


def event_of(headers: Headers, *, received: float) -> SwitchEvent | None:
    """Make an event; None for a kind that nobody needs.

    Raises:
        EventNotBelieved: it is not as Asterisk writes it.

    """
    if not headers or headers[0][0] != "Event" or headers[0][1] not in KINDS:
        return None
    if [name for name, _ in headers[:3]] != HEAD:
        raise EventNotBelieved("no privilege and timestamp at its head")
    stamp = _TIMESTAMP.fullmatch(headers[2][1])
    if stamp is None:
        raise EventNotBelieved("not a timestamp")
    values = values_of(headers, KEY_HEADERS)
    at_us = int(stamp[1]) * MICROSECONDS + int(stamp[2])
    try:
        return _build(values, at_us=at_us, received=received)
    except KeyError:
        raise EventNotBelieved("a key header is missing") from None


def _build(values: dict[str, str], *, at_us: int, received: float) -> SwitchEvent | None:
    match values["Event"]:
        case "BridgeEnter" | "BridgeLeave" as kind:
            if not _COUNT.fullmatch(values["BridgeNumChannels"]):
                raise EventNotBelieved("not a number of channels")
            left = BridgeLeft(
                bridge=values["BridgeUniqueid"],
                channel=values["Channel"],
                uniqueid=values["Uniqueid"],
                linkedid=values["Linkedid"],
                members=int(values["BridgeNumChannels"]),
                at_us=at_us,
                received=received,
            )
            if kind == "BridgeLeave":
                return left
            return BridgeEntered(**asdict(left), agent=values.get("AccountCode", ""))
        case "DialEnd" if values["DialStatus"] == "ANSWER":
            # Channel is missing when nobody dials, as for an originated call.
            return AgentAnswered(
                uniqueid=values.get("Uniqueid", ""),
                channel=values.get("Channel", ""),
                agent_channel=values["DestChannel"],
                at_us=at_us,
                agent_uniqueid=values.get("DestUniqueid", ""),
            )
        case "Hangup":
            return ChannelHungUp(
                channel=values["Channel"],
                uniqueid=values["Uniqueid"],
                linkedid=values["Linkedid"],
                at_us=at_us,
            )
        case _:
            return None
