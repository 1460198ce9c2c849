"""What a caller hears, in words: a leg that tells somebody before it speaks.

The texts are those from which the sound files were made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from ivr.sandbox.configure import LANGUAGE, PROMPTS
from ivr.sandbox.prompts import texts
from ivr.telephony import PLAIN, CallFacts, CallLeg, DialResult, Manner, Wish

Heard: TypeAlias = Callable[[str, Sequence[str]], None]
"""Told how something is said (`hears`, `is asked`, `is whispered`, `waits`) and which prompts."""


class HeardLeg:
    """A `CallLeg` that tells what it is going to say."""

    def __init__(self, leg: CallLeg, tell: Heard) -> None:
        self._leg = leg
        self._tell = tell

    @property
    def facts(self) -> CallFacts:
        """What the switch told at the start."""
        return self._leg.facts

    async def answer(self) -> None:
        """Pick up."""
        await self._leg.answer()

    async def play(self, *prompts: str) -> None:
        """Speak the prompts."""
        self._tell("hears", prompts)
        await self._leg.play(*prompts)

    async def say_digits(self, digits: str) -> None:
        """Speak digits one by one."""
        await self._leg.say_digits(digits)

    async def speak(self, language: str) -> None:
        """Speak in this language from now on."""
        await self._leg.speak(language)

    async def collect(self, *prompts: str, digits_max: int, wait_seconds: float) -> str:
        """Speak and listen."""
        self._tell("is asked", prompts)
        return await self._leg.collect(*prompts, digits_max=digits_max, wait_seconds=wait_seconds)

    async def record_message(self, file: str, *, seconds_max: int) -> None:
        """Record what the caller says."""
        await self._leg.record_message(file, seconds_max=seconds_max)

    async def record_talk(self, file: str) -> None:
        """Record both parties."""
        await self._leg.record_talk(file)

    async def wish(self) -> Wish | None:
        """Tell where the agent wanted the caller to go."""
        return await self._leg.wish()

    async def connect(
        self,
        destination: str,
        *,
        limit_seconds: int,
        ring_seconds: int,
        manner: Manner = PLAIN,
    ) -> DialResult:
        """Ring the destination and let both talk."""
        if destination.startswith("queue:"):
            self._tell("waits", ("queue-free",))
        return await self._leg.connect(
            destination, limit_seconds=limit_seconds, ring_seconds=ring_seconds, manner=manner
        )

    async def consult(self, destination: str, *, limit_seconds: int, ring_seconds: int) -> None:
        """Let an agent talk to another one."""
        await self._leg.consult(destination, limit_seconds=limit_seconds, ring_seconds=ring_seconds)

    async def hold(self) -> None:
        """Play music."""
        await self._leg.hold()

    async def join(self, channel: str) -> None:
        """Let the caller talk to somebody who waits."""
        await self._leg.join(channel)

    async def set_limit(self, seconds: float) -> None:
        """End this leg after so many seconds."""
        await self._leg.set_limit(seconds)

    async def finish(self) -> None:
        """Tell the dialplan that this call ended as planned."""
        await self._leg.finish()

    async def hang_up(self) -> None:
        """Hang up the caller."""
        await self._leg.hang_up()


def spoken(prompts: Sequence[str]) -> str:
    """Write prompts as the words that are heard."""
    known = texts(PROMPTS / f"{LANGUAGE}.txt")
    return " ".join(known.get(name, name) for name in prompts if name != "beep")
