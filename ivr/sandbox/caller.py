"""A simulated caller with a real phone: dials, keys in what it is asked for, talks, hangs up.

It listens to what the service says it is asking for, as a person listens to the prompts, and
presses then. The phone itself speaks real SIP and RTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from ivr.sandbox.phone import Phone

LOOK_SECONDS: Final = 0.1
REACTION_SECONDS: Final = 0.4
CALL_SECONDS_MAX: Final = 4 * 3600


class Seen(Protocol):
    """What the caller can know of its own call."""

    @property
    def id(self) -> str:
        """The id of the call."""
        ...

    @property
    def did(self) -> str:
        """What was dialled."""
        ...

    @property
    def caller(self) -> str:
        """Who dialled."""
        ...

    @property
    def state(self) -> str:
        """Where the call stands."""
        ...

    @property
    def asking(self) -> str:
        """What it is being asked for."""
        ...

    @property
    def talk_seconds(self) -> float:
        """How long they have talked."""
        ...

    @property
    def account(self) -> str:
        """Whose account it is."""
        ...

    @property
    def topic(self) -> str:
        """What they talk about."""
        ...

    @property
    def cost(self) -> object:
        """What it cost so far."""
        ...

    @property
    def currency(self) -> str:
        """Of the cost."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the caller will do."""

    did: str
    number: str
    pin: str | None = None
    account_number: str | None = None
    press: str | None = None
    voucher: str | None = None
    accept: str | None = None
    talk_seconds: float = 5.0


class SimulatedCaller:
    """Places one call by a plan.

    Args:
        look: Returns the live calls, over the API or from this process.
        on_change: Told each time something about the call changed, for people who watch.

    """

    def __init__(
        self,
        *,
        server: tuple[str, int],
        look: Callable[[], Awaitable[Sequence[Seen]]],
        on_change: Callable[[Seen], None],
    ) -> None:
        self._server = server
        self._look = look
        self._on_change = on_change

    async def place(self, plan: Plan) -> str:
        """Call, and return the id of the call once it is over; empty when it was never seen."""
        known = {call.id for call in await self._look()}
        call_id = ""
        async with Phone(server=self._server, from_number=plan.number) as phone:
            await phone.call(plan.did)
            answered: list[str] = []
            async with asyncio.timeout(CALL_SECONDS_MAX):
                while not phone.ended.is_set():
                    seen = self._mine(await self._look(), plan, known)
                    if seen is not None:
                        call_id = seen.id
                        self._on_change(seen)
                        await self._act(phone, plan, seen, answered)
                    try:
                        await asyncio.wait_for(phone.ended.wait(), LOOK_SECONDS)
                    except TimeoutError:
                        continue
        return call_id

    def _mine(self, calls: Sequence[Seen], plan: Plan, known: set[str]) -> Seen | None:
        for call in calls:
            if call.id not in known and call.did == plan.did and call.caller == plan.number:
                return call
        return None

    async def _act(self, phone: Phone, plan: Plan, seen: Seen, answered: list[str]) -> None:
        """Answer a question once; hang up when the talk was long enough."""
        if seen.state == "talking" and seen.talk_seconds >= plan.talk_seconds:
            await phone.hang_up()
        keys = {
            "pin": plan.pin and f"{plan.pin}#",
            "account": plan.account_number and f"{plan.account_number}#",
            "topic": plan.press,
            "voucher": plan.voucher and f"{plan.voucher}#",
            "price": plan.accept,
        }.get(seen.asking)
        if keys and seen.asking not in answered:
            answered.append(seen.asking)
            await asyncio.sleep(REACTION_SECONDS)
            await phone.press(keys)
