"""`CallLeg` over FastAGI: each verb is one round trip, two where Asterisk needs it.

Digits pressed between two commands are lost inside Asterisk, so a question and its answer are one
command: `Read` joins its prompts with `&` and listens from the first one on (`GET DATA` takes one
prompt only, and answers -1 to more). The agent's leg gets its limit in Dial's gosub, before the
bridge: talk ends in time even when nobody of us is alive.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Protocol

from ivr.agi.wire import Reply, quote
from ivr.telephony import PLAIN, CallerHungUp, CallFacts, DialResult, Gate, LegFailed, Manner, Wish

PROMPT_FOLDER: Final = "talkmeter"
QUEUE_PREFIX: Final = "tm-"
DIGITS: Final = "TALKMETER_DIGITS"
# The argument behind the limit that gives the agent its keys.
TRANSFERS: Final = "^1"
WISH: Final = "TALKMETER_WISH"
# A message ends by itself when nobody speaks for so long.
SILENCE_SECONDS: Final = 8
PROMPTS_PER_COMMAND: Final = 60
PROMPT_SECONDS_MAX: Final = 300.0
REPLY_SECONDS: Final = 10.0
TALK_SECONDS_MAX: Final = 24 * 3600
LIMIT_SECONDS_MIN: Final = 0.1  # zero would lift the limit
DID_HEADERS: Final = ("agi_arg_1", "agi_dnid", "agi_extension")

_PROMPT = re.compile(r"[a-z0-9-]{1,64}", re.ASCII)
_OWN = re.compile(r"own(/[a-z0-9][a-z0-9_.-]{0,63}/[a-z]{2}/[a-z0-9-]{1,40})", re.ASCII)
_SIP = re.compile(r"sip:[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,128}(?::\d{1,5})?", re.ASCII)
_DEMO = re.compile(r"demo:([a-z]{1,32})", re.ASCII)
_PHONE = re.compile(r"phone:(\+[1-9]\d{6,14})", re.ASCII)
_FILE = re.compile(r"/[A-Za-z0-9/._-]{1,400}\.wav", re.ASCII)
_NUMBER = re.compile(r"\+?\d{2,20}", re.ASCII)
_WISH = re.compile(r"blind:(\d{1,8})", re.ASCII)
_CHANNEL = re.compile(r"[A-Za-z][A-Za-z0-9/@:;_.-]{0,119}", re.ASCII)
_LANGUAGE = re.compile(r"[a-z]{2}", re.ASCII)
_QUEUE = re.compile(r"queue:([a-z0-9-]{1,64})", re.ASCII)
_DIGITS = re.compile(r"[0-9*#]*", re.ASCII)

# What runs on the leg that answers, before anybody talks.
_GATES: Final = {
    Gate.OPEN: "talkmeter-agent",
    Gate.ACCEPT: "talkmeter-accept",
    Gate.CALLED_BACK: "talkmeter-called-back",
}
_RESULTS: Final = {
    "ANSWER": DialResult.TALKED,
    "BUSY": DialResult.BUSY,
    "NOANSWER": DialResult.NO_ANSWER,
}


class Commands(Protocol):
    """A FastAGI session: one command, one reply, or CallerHungUp or LegFailed."""

    hung_up: bool

    async def send_command(self, command: str, *, seconds_max: float = ...) -> Reply:
        """Send one command and wait for its reply."""
        ...


class AgiLeg:
    """A caller behind a FastAGI session."""

    def __init__(
        self,
        request: Commands,
        headers: Mapping[str, str],
        *,
        node: str,
        gateway: str = "",
        shared: str = "",
    ) -> None:
        self._request = request
        self._gateway = gateway
        self._own = f"{shared}/prompts"
        did = next((headers[name] for name in DID_HEADERS if headers.get(name)), "")
        number = headers.get("agi_callerid", "")
        self._facts = CallFacts(
            node=node,
            channel=headers.get("agi_channel", ""),
            uniqueid=headers.get("agi_uniqueid", ""),
            did=did,
            caller_number="" if number == "unknown" else number,
            caller_name=headers.get("agi_calleridname", ""),
        )

    @property
    def facts(self) -> CallFacts:
        """What Asterisk told in its header block."""
        return self._facts

    async def answer(self) -> None:
        """Pick up."""
        await self._do("ANSWER")

    async def play(self, *prompts: str) -> None:
        """Speak the prompts one after the other; no digit stops them."""
        for start in range(0, len(prompts), PROMPTS_PER_COMMAND):
            files = self._files(prompts[start : start + PROMPTS_PER_COMMAND])
            await self._do(f"EXEC Playback {quote(files)}", seconds_max=PROMPT_SECONDS_MAX)

    async def say_digits(self, digits: str) -> None:
        """Speak digits one by one."""
        await self.play(*(f"num-{digit}" for digit in digits if digit.isdecimal()))

    async def speak(self, language: str) -> None:
        """Let Asterisk look for sounds in the folder of this language first."""
        if not _LANGUAGE.fullmatch(language):
            raise LegFailed("not a language")
        await self._do(f"SET VARIABLE CHANNEL(language) {language}")

    async def collect(self, *prompts: str, digits_max: int, wait_seconds: float) -> str:
        """Speak and listen; the first digit stops the prompts, `#` ends the input early."""
        arguments = f"{DIGITS},{self._files(prompts)},{digits_max},,1,{wait_seconds:g}"
        seconds_max = PROMPT_SECONDS_MAX + wait_seconds * digits_max
        await self._request.send_command(f"EXEC Read {quote(arguments)}", seconds_max=seconds_max)
        reply = await self._get(DIGITS)
        if reply.code != 200 or not _DIGITS.fullmatch(reply.data):
            raise LegFailed("digits were not collected")
        return reply.data

    async def record_message(self, file: str, *, seconds_max: int) -> None:
        """Record the caller; what was said before a hangup is kept."""
        await self._do(
            f"RECORD FILE {quote(_sound(file))} wav {quote('#')} {seconds_max * 1000} "
            f"s={SILENCE_SECONDS}",
            seconds_max=seconds_max + REPLY_SECONDS,
        )

    async def record_talk(self, file: str) -> None:
        """Record both parties while they are in one bridge."""
        await self._do(f"EXEC MixMonitor {quote(f'{_sound(file)}.wav,b')}")

    async def wish(self) -> Wish | None:
        """Read what the agent's keys left on the caller's channel."""
        found = _WISH.fullmatch((await self._get(WISH)).data)
        return Wish(target=found[1]) if found else None

    async def connect(
        self,
        destination: str,
        *,
        limit_seconds: int,
        ring_seconds: int,
        manner: Manner = PLAIN,
    ) -> DialResult:
        """Dial, with the limit armed on the agent's leg before the bridge."""
        if manner.transfers:
            await self._do(f"SET VARIABLE {WISH} none")
        if queue := _QUEUE.fullmatch(destination):
            return await self._queue(queue[1], limit_seconds, ring_seconds, manner)
        target = dial_target(destination, gateway=self._gateway)
        if manner.gate is Gate.CALLED_BACK:
            await self._do(f"SET VARIABLE __TALKMETER_SAY {self._files(manner.words)}")
            await self._do(f"SET VARIABLE __TALKMETER_LANGUAGE {manner.language}")
        gosub = f"{_GATES[manner.gate]}^{limit_seconds}{TRANSFERS if manner.transfers else ''}"
        if _NUMBER.fullmatch(manner.caller_id):
            # What a carrier is shown: a number of ours, not the caller's.
            await self._do(f"SET VARIABLE CALLERID(num) {manner.caller_id}")
        arguments = f"{target},{ring_seconds},U({gosub})"
        dialled = await self._request.send_command(
            f"EXEC Dial {quote(arguments)}", seconds_max=TALK_SECONDS_MAX
        )
        # Dial answers 0 or -1, however it went; anything else means that it never began, and
        # DIALSTATUS would be that of an attempt before.
        if dialled.code != 200 or dialled.result not in {"0", "-1"}:
            raise LegFailed("Dial did not run")
        status = (await self._get("DIALSTATUS")).data
        if status == "CANCEL":
            raise CallerHungUp
        return _RESULTS.get(status, DialResult.UNREACHABLE)

    async def _queue(
        self, name: str, limit_seconds: int, wait_seconds: int, manner: Manner
    ) -> DialResult:
        """Wait in a queue; two underscores hand the limit on to whichever agent answers."""
        await self._do(f"SET VARIABLE __TALKMETER_LIMIT {limit_seconds}")
        if manner.transfers:
            await self._do("SET VARIABLE __TALKMETER_TRANSFERS 1")
        if manner.priority:
            await self._do(f"SET VARIABLE QUEUE_PRIO {manner.priority}")
        await self._do("SET VARIABLE QUEUESTATUS NONE")
        arguments = f"{QUEUE_PREFIX}{name},c,,,{wait_seconds}"
        waited = await self._request.send_command(
            f"EXEC Queue {quote(arguments)}", seconds_max=TALK_SECONDS_MAX
        )
        if waited.code != 200 or waited.result not in {"0", "-1"}:
            raise LegFailed("Queue did not run")
        status = (await self._get("QUEUESTATUS")).data
        # The agent hung up, or its limit did: the caller goes on, and hears what it cost.
        return DialResult.TALKED if status == "CONTINUE" else DialResult.NO_ANSWER

    async def consult(self, destination: str, *, limit_seconds: int, ring_seconds: int) -> None:
        """Dial another agent; when this one hangs up, the other waits to be joined."""
        target = dial_target(destination, gateway=self._gateway)
        await self._do(f"SET VARIABLE __TALKMETER_CALL {self._facts.did}")
        options = f"S({limit_seconds})U(talkmeter-consulted)F(talkmeter-handed-over^s^1)"
        arguments = f"{target},{ring_seconds},{options}"
        await self._request.send_command(
            f"EXEC Dial {quote(arguments)}", seconds_max=TALK_SECONDS_MAX
        )
        # Dial answers the same whoever hung up; a channel that is gone answers nothing.
        await self._get("DIALSTATUS")

    async def hold(self) -> None:
        """Let music play beside whatever the service does."""
        await self._do("SET MUSIC ON default")

    async def join(self, channel: str) -> None:
        """Bridge with a channel that waits; its limit was set before."""
        if not _CHANNEL.fullmatch(channel):
            raise LegFailed("not the name of a channel")
        await self._do("SET MUSIC OFF")
        await self._do(f"EXEC Bridge {quote(channel)}", seconds_max=TALK_SECONDS_MAX)
        result = await self._get("BRIDGERESULT")
        if result.data not in {"SUCCESS", "LOOP"}:
            raise LegFailed(f"not joined: {result.data[:40]}")

    async def set_limit(self, seconds: float) -> None:
        """Let Asterisk hang this leg up after so many seconds from now."""
        await self._do(f"SET AUTOHANGUP {max(LIMIT_SECONDS_MIN, seconds):.3f}")

    async def finish(self) -> None:
        """Leave the proof of a clean end for the dialplan."""
        await self._do("SET VARIABLE TALKMETER_DONE 1")

    async def hang_up(self) -> None:
        """Hang up the caller; the answer may come as a closed connection."""
        try:
            await self._do("HANGUP")
        except CallerHungUp:
            return

    def _files(self, prompts: tuple[str, ...]) -> str:
        return "&".join(map(self._file, prompts))

    def _file(self, prompt: str) -> str:
        """Name a sound as Asterisk finds it: ours by its folder, a client's own by its path."""
        if _PROMPT.fullmatch(prompt):
            return f"{PROMPT_FOLDER}/{prompt}"
        if own := _OWN.fullmatch(prompt):
            return f"{self._own}{own[1]}"
        raise LegFailed("not the name of a prompt")

    async def _get(self, variable: str) -> Reply:
        reply = await self._request.send_command(f"GET VARIABLE {variable}")
        if self._request.hung_up:
            raise CallerHungUp
        return reply

    async def _do(self, command: str, *, seconds_max: float = REPLY_SECONDS) -> None:
        reply = await self._request.send_command(command, seconds_max=seconds_max)
        if reply.code != 200:
            raise LegFailed(f"refused with {reply.code}")
        if reply.failed:
            raise CallerHungUp


def _sound(file: str) -> str:
    """Name a sound file as Asterisk does, without its ending."""
    if not _FILE.fullmatch(file):
        raise LegFailed("not the name of a sound file")
    return file.removesuffix(".wav")


def dial_target(destination: str, *, gateway: str = "") -> str:
    """Write a destination as Dial and queues read it; a phone is dialled through a gateway.

    Raises:
        LegFailed: it cannot be dialled.

    """
    if _SIP.fullmatch(destination):
        return f"PJSIP/agents/{destination}"
    if match := _DEMO.fullmatch(destination):
        return f"Local/{match[1]}@talkmeter-demo/n"
    if gateway and (match := _PHONE.fullmatch(destination)):
        return f"PJSIP/outbound/sip:{match[1]}@{gateway}"
    raise LegFailed("a destination that cannot be dialled")
