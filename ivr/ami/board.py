"""What Asterisk's queues are doing: one question, answered with all queues, agents and callers.

Asked by whoever shows a board; the answer is bounded like every list of the link. A queue that is
not ours, and a line that does not look like Asterisk's own, is left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from ivr.agi.leg import QUEUE_PREFIX
from ivr.ami.events import EventNotBelieved, values_of
from ivr.ami.link import AmiLink
from ivr.telephony import QueueAgent, QueueCaller, QueueNow

_KEYS: Final = frozenset(
    {
        "Event", "Queue", "Name", "Status", "Paused", "InCall", "LastCall", "Wrapuptime",
        "Position", "Uniqueid", "Wait", "CallsTaken",
    }
)  # fmt: skip
_NUMBER: Final = re.compile(r"\d{1,12}", re.ASCII)
# States of a device (Asterisk: AST_DEVICE_*).
TALKS: Final = frozenset({"2", "3", "8"})
RINGS: Final = frozenset({"6", "7"})
GONE: Final = frozenset({"4", "5"})


@dataclass(slots=True)
class _Gathered:
    agents: list[QueueAgent] = field(default_factory=list)
    callers: list[QueueCaller] = field(default_factory=list)


class QueueBoard:
    """Asks Asterisk."""

    def __init__(self, link: AmiLink) -> None:
        self._link = link

    async def read(self, now: float) -> dict[str, QueueNow]:
        """Read all queues by name; `now` is in seconds since 1970.

        Raises:
            SwitchUnavailable: nobody answered.

        """
        messages = await self._link.request({"Action": "QueueStatus"}, until="QueueStatusComplete")
        found: dict[str, _Gathered] = {}
        for message in messages[1:-1]:
            try:
                _take(found, values_of(message, _KEYS), now)
            except (EventNotBelieved, KeyError, ValueError):
                continue
        return {
            name: QueueNow(
                callers=tuple(sorted(one.callers, key=lambda caller: caller.position)),
                agents=tuple(one.agents),
            )
            for name, one in found.items()
        }


def _take(found: dict[str, _Gathered], values: dict[str, str], now: float) -> None:
    queue = values["Queue"]
    if not queue.startswith(QUEUE_PREFIX):
        return
    one = found.setdefault(queue.removeprefix(QUEUE_PREFIX), _Gathered())
    match values["Event"]:
        case "QueueMember":
            one.agents.append(_agent(values, now))
        case "QueueEntry":
            one.callers.append(
                QueueCaller(
                    uniqueid=values["Uniqueid"],
                    position=_number(values["Position"]),
                    waits_seconds=_number(values["Wait"]),
                )
            )


def _agent(values: dict[str, str], now: float) -> QueueAgent:
    last, wrap_up = _number(values["LastCall"]), _number(values.get("Wrapuptime") or "0")
    rests = last + wrap_up - now if last else 0.0
    status = values["Status"]
    if values["Paused"] == "1":
        state = "paused"
    elif status in TALKS or values.get("InCall") == "1":
        state = "talking"
    elif status in RINGS:
        state = "ringing"
    elif status in GONE:
        state = "unreachable"
    elif rests > 0:
        state = "wrap_up"
    else:
        state = "free"
    return QueueAgent(member=values["Name"], state=state, calls=_number(values["CallsTaken"]))


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError("not a number")
    return int(text)
