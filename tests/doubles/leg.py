"""A caller from a script: what it presses, when it hangs up, and everything it heard."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ivr.telephony import (
    PLAIN,
    BridgeEntered,
    BridgeLeft,
    CallerHungUp,
    CallFacts,
    ChannelGone,
    ChannelHungUp,
    ChannelList,
    DialResult,
    LinkUp,
    Manner,
    SwitchEvent,
    TalkRecord,
    Wish,
)

START_US = 1_772_625_600_000_000


class ScriptedSwitch:
    """A switch that carries what the script says, and tells events as Asterisk does."""

    def __init__(self) -> None:
        self.boot = "boot-1"
        self.limits: list[tuple[str, float]] = []
        self.hung_up: list[str] = []
        self.listened: list[tuple[str, str, str]] = []
        self.whispered: list[tuple[str, tuple[str, ...]]] = []
        self._handlers: list[Callable[[SwitchEvent], None]] = []

    def subscribe(self, handler: Callable[[SwitchEvent], None]) -> None:
        self._handlers.append(handler)

    def tell(self, event: SwitchEvent) -> None:
        for handler in self._handlers:
            handler(event)

    def link(self) -> None:
        self.tell(LinkUp(boot=self.boot))

    async def set_limit(self, channel: str, seconds: float) -> None:
        if channel in self.hung_up:
            raise ChannelGone(channel)
        self.limits.append((channel, seconds))

    async def hang_up(self, channel: str) -> None:
        self.hung_up.append(channel)

    async def whisper(self, channel: str, prompts: Sequence[str]) -> None:
        self.whispered.append((channel, tuple(prompts)))

    async def call_back(
        self, destination: str, callback: str, *, ring_seconds: int, caller_id: str, member: str
    ) -> None:
        raise NotImplementedError

    async def consult(self, channel: str, uniqueid: str) -> None:
        raise NotImplementedError

    async def listen(self, destination: str, channel: str, listening: str) -> None:
        self.listened.append((destination, channel, listening))

    async def is_free(self, member: str) -> bool:
        return True

    async def channels(self) -> ChannelList:
        return ChannelList(boot=self.boot, channels=())


class NoRecords:
    """A switch that has written nothing down."""

    async def of(self, *, uniqueid: str, since_us: int, talk: int = 1) -> TalkRecord:
        return TalkRecord(started_us=None, ended_us=None, over=False)


class ScriptedLeg:
    """Presses `digits` one answer after the other; "" is silence, None hangs up."""

    def __init__(
        self,
        switch: ScriptedSwitch,
        *,
        digits: Sequence[str | None],
        talk_us: int | None = None,
        number: str = "15551230001",
        did: str = "18005550100",
    ) -> None:
        self._switch = switch
        self._digits = list(digits)
        self._talk_us = talk_us
        self.facts = CallFacts(
            node="node-1", channel="PJSIP/trunk-1", uniqueid="1772625600.1", did=did,
            caller_number=number, caller_name="",
        )  # fmt: skip
        self.heard: list[str] = []
        self.answered = False
        self.finished = False
        self.limit: float | None = None
        self.language = "en"
        self.dialled: tuple[str, int] | None = None

    async def answer(self) -> None:
        self.answered = True

    async def play(self, *prompts: str) -> None:
        self.heard += prompts

    async def say_digits(self, digits: str) -> None:
        self.heard += [f"num-{digit}" for digit in digits]

    async def speak(self, language: str) -> None:
        self.language = language

    async def collect(self, *prompts: str, digits_max: int, wait_seconds: float) -> str:
        self.heard += prompts
        digits = self._digits.pop(0)
        if digits is None:
            raise CallerHungUp
        return digits[:digits_max]

    async def record_message(self, file: str, *, seconds_max: int) -> None:
        raise NotImplementedError

    async def record_talk(self, file: str) -> None:
        raise NotImplementedError

    async def wish(self) -> Wish | None:
        return None

    async def connect(
        self, destination: str, *, limit_seconds: int, ring_seconds: int, manner: Manner = PLAIN
    ) -> DialResult:
        self.dialled = (destination, limit_seconds)
        if self._talk_us is None:
            return DialResult.NO_ANSWER
        self._enter(1, "agent", START_US)
        self._enter(2, self.facts.uniqueid, START_US)
        self._switch.tell(
            BridgeLeft(
                bridge="b", channel="PJSIP/agents-2", uniqueid="agent",
                linkedid=self.facts.uniqueid, members=1, at_us=START_US + self._talk_us,
                received=self._talk_us / 1e6,
            )
        )  # fmt: skip
        return DialResult.TALKED

    async def consult(self, destination: str, *, limit_seconds: int, ring_seconds: int) -> None:
        raise NotImplementedError

    async def hold(self) -> None:
        raise NotImplementedError

    async def join(self, channel: str) -> None:
        raise NotImplementedError

    def _enter(self, members: int, uniqueid: str, at_us: int) -> None:
        mine = uniqueid == self.facts.uniqueid
        self._switch.tell(
            BridgeEntered(
                bridge="b", channel=self.facts.channel if mine else "PJSIP/agents-2",
                uniqueid=uniqueid, linkedid=self.facts.uniqueid, members=members, at_us=at_us,
                received=0.0,
            )
        )  # fmt: skip

    async def set_limit(self, seconds: float) -> None:
        self.limit = seconds

    async def finish(self) -> None:
        self.finished = True

    async def hang_up(self) -> None:
        self._switch.tell(
            ChannelHungUp(
                channel=self.facts.channel, uniqueid=self.facts.uniqueid,
                linkedid=self.facts.uniqueid, at_us=START_US,
            )
        )  # fmt: skip
