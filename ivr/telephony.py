"""The ports through which flows and calls see a telephone network.

`CallLeg` is one caller and what can be done to it; `Switch` is the machine that carries all
calls; `TalkRecords` is the switch's own durable record of who talked when. Adapters live in
`ivr.agi` and `ivr.ami`; tests use the scripted ones of `tests/doubles`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias


class TelephonyError(Exception):
    """Base of what can go wrong between us and the switch."""


class CallerHungUp(TelephonyError):
    """The caller is gone; nothing more can be said to it."""


class LegFailed(TelephonyError):
    """The connection to this leg broke or answered nonsense; the call may still be up."""


class SwitchUnavailable(TelephonyError):
    """The switch did not answer, or not completely. It says nothing about any call."""


class ChannelGone(TelephonyError):
    """The switch says that this channel does not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFacts:
    """What the switch says of a new call. Everything but the ids is the caller's claim."""

    node: str
    channel: str
    uniqueid: str
    did: str
    caller_number: str
    caller_name: str


class DialResult(StrEnum):
    """How an attempt to connect ended."""

    TALKED = "talked"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    UNREACHABLE = "unreachable"


class Gate(StrEnum):
    """What somebody does before it is put through: nothing, or press 1."""

    OPEN = "open"
    ACCEPT = "accept"  # an agent on a mobile phone, whose voicemail may answer
    CALLED_BACK = "called_back"  # a caller who hears `words` first


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How somebody is rung. Agents who may transfer key in where the caller shall go.

    In a queue a higher `priority` comes first. A phone is shown `caller_id`.
    """

    gate: Gate = Gate.OPEN
    transfers: bool = False
    priority: int = 0
    caller_id: str = ""
    words: tuple[str, ...] = ()
    language: str = "en"


PLAIN = Manner()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Where an agent wants the caller to go: a topic's digit or an agent's number.

    An `attended` one waits until the two agents have talked.
    """

    target: str
    attended: bool = False


class CallLeg(Protocol):
    """A caller on the line. Each verb may raise CallerHungUp or LegFailed."""

    @property
    def facts(self) -> CallFacts:
        """What the switch told at the start."""
        ...

    async def answer(self) -> None:
        """Pick up."""
        ...

    async def play(self, *prompts: str) -> None:
        """Speak the prompts one after the other; no digit stops them."""
        ...

    async def say_digits(self, digits: str) -> None:
        """Speak digits one by one."""
        ...

    async def speak(self, language: str) -> None:
        """Speak in this language from now on (ISO 639)."""
        ...

    async def collect(self, *prompts: str, digits_max: int, wait_seconds: float) -> str:
        """Speak and listen: the first digit stops the prompts; `#` ends the input early.

        Returns the digits, empty when none came within `wait_seconds` after the prompts.
        """
        ...

    async def record_message(self, file: str, *, seconds_max: int) -> None:
        """Record what the caller says into a sound file, until `#`, a silence or the hangup."""
        ...

    async def record_talk(self, file: str) -> None:
        """Record both parties into a sound file from the moment they are connected."""
        ...

    async def wish(self) -> Wish | None:
        """Tell where the agent of the last talk wanted the caller to go; None: nowhere."""
        ...

    async def connect(
        self,
        destination: str,
        *,
        limit_seconds: int,
        ring_seconds: int,
        manner: Manner = PLAIN,
    ) -> DialResult:
        """Ring the destination (`sip:…`, `phone:…`) and let both talk until one hangs up.

        A queue knows its agents and opens no gate.

        `limit_seconds` is armed inside the switch on the agent's leg the moment it answers, so
        that talk ends then even when nobody of us is alive; `Switch.set_limit` moves it.
        """
        ...

    async def consult(self, destination: str, *, limit_seconds: int, ring_seconds: int) -> None:
        """Let an agent talk to another one, who stays on the line when the first hangs up."""
        ...

    async def hold(self) -> None:
        """Play music until something else is said."""
        ...

    async def join(self, channel: str) -> None:
        """Let this caller talk to somebody who is on the line already, until one hangs up."""
        ...

    async def set_limit(self, seconds: float) -> None:
        """End this leg after so many seconds from now, by the switch's own timer."""
        ...

    async def finish(self) -> None:
        """Tell the dialplan that this call ended as planned (its proof of a clean end)."""
        ...

    async def hang_up(self) -> None:
        """Hang up the caller."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentAnswered:
    """The agent's phone was picked up (Asterisk: DialEnd with ANSWER)."""

    uniqueid: str  # of the caller's channel
    channel: str
    agent_channel: str
    at_us: int
    agent_uniqueid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeEntered:
    """A channel joined a bridge; `members` counts it."""

    bridge: str
    channel: str
    uniqueid: str
    linkedid: str
    members: int
    at_us: int  # by the switch's clock
    received: float  # by our monotonic clock
    agent: str = ""  # whose phone it is, where a queue found it: client.agent


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeLeft:
    """A channel left a bridge; `members` are those that stay."""

    bridge: str
    channel: str
    uniqueid: str
    linkedid: str
    members: int
    at_us: int
    received: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelHungUp:
    """A channel is gone for good."""

    channel: str
    uniqueid: str
    linkedid: str
    at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkUp:
    """We hear the switch (again). Whatever happened before was not replayed."""

    boot: str  # differs after each restart of the switch


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkDown:
    """We do not hear the switch. Calls go on."""


SwitchEvent: TypeAlias = (
    AgentAnswered | BridgeEntered | BridgeLeft | ChannelHungUp | LinkUp | LinkDown
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveChannel:
    """One channel that the switch carries now; `bridge` is empty when it talks to nobody."""

    channel: str
    uniqueid: str
    linkedid: str
    bridge: str
    agent: str = ""  # as of `BridgeEntered`


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelList:
    """All channels of one boot of the switch, complete by its own word."""

    boot: str
    channels: tuple[LiveChannel, ...]


class Switch(Protocol):
    """The machine that carries the calls. Each verb may raise SwitchUnavailable."""

    @property
    def boot(self) -> str:
        """The boot we are linked to; empty while the link is down."""
        ...

    def subscribe(self, handler: Callable[[SwitchEvent], None]) -> None:
        """Call `handler` with each event, one at a time and in order."""
        ...

    async def set_limit(self, channel: str, seconds: float) -> None:
        """Let the switch hang this channel up after so many seconds from now.

        Raises:
            ChannelGone: there is no such channel.

        """
        ...

    async def hang_up(self, channel: str) -> None:
        """Hang a channel up now; a channel that is gone already is no error."""
        ...

    async def whisper(self, channel: str, prompts: Sequence[str]) -> None:
        """Speak to one party of a talk; the other does not hear it."""
        ...

    async def call_back(
        self, destination: str, callback: str, *, ring_seconds: int, caller_id: str, member: str
    ) -> None:
        """Ring an agent for a caller who asked to be called back; its flow begins when it answers.

        `member` names the agent where a queue knows it, and is empty elsewhere.
        """
        ...

    async def consult(self, channel: str, uniqueid: str) -> None:
        """Take an agent out of a talk, to ask somebody about the caller `uniqueid`.

        Raises:
            ChannelGone: there is no such channel.

        """
        ...

    async def listen(self, destination: str, channel: str, listening: str) -> None:
        """Ring a phone that hears both parties of a talk and is heard by neither.

        The phone's channel has the id `listening` in events, and ends with the talk at the latest.
        """
        ...

    async def is_free(self, member: str) -> bool:
        """Tell whether an agent of a queue talks to nobody."""
        ...

    async def channels(self) -> ChannelList:
        """List the live channels. An incomplete list raises; it is never an empty answer."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueCaller:
    """Somebody who waits in a queue."""

    uniqueid: str
    position: int
    waits_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueAgent:
    """An agent of a queue: free, ringing, talking, wrap_up, paused or unreachable."""

    member: str
    state: str
    calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueNow:
    """A queue at this moment."""

    callers: tuple[QueueCaller, ...]
    agents: tuple[QueueAgent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkRecord:
    """What the switch wrote down of one call.

    `started_us` is the moment two parties were in one bridge, `ended_us` when the first left;
    `over` says that the caller's channel ended. All None and False: nothing was written (yet).
    """

    started_us: int | None
    ended_us: int | None
    over: bool


class TalkRecords(Protocol):
    """The switch's own durable record (Asterisk: CEL), written even while we are dead."""

    async def of(self, *, uniqueid: str, since_us: int, talk: int = 1) -> TalkRecord:
        """Read the record of the call that the channel `uniqueid` began, after `since_us`.

        `talk` counts the talks of a call that was put through, from 1.
        """
        ...
