"""Listening to a talk: somebody's own phone rings, hears both, and is heard by nobody.

    allowed -> written down -> the phone rings -> heard -> over, at the latest with the call

Only where the line says so, and only once the caller was told: there is no secret listening. The
row is written before the phone rings, so whoever listened stands in it whatever happens later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

import structlog
from sqlalchemy import bindparam, insert, update
from sqlalchemy.exc import SQLAlchemyError

from billing.clock import Clock
from billing.errors import BillingError, InvalidInput
from billing.storage.writer import GroupWriter
from ivr.calls.call import Call
from ivr.calls.registry import Registry
from ivr.calls.states import CallState
from ivr.directory.model import Directory
from ivr.operation_tables import listenings
from ivr.telephony import AgentAnswered, ChannelHungUp, Switch, SwitchEvent, TelephonyError

AT_ONCE: Final = 20
REASON_MAX: Final = 200
# A phone that never says that it was hung up: the call is over for long.
FORGET_SECONDS: Final = 6 * 3600
ROUND_SECONDS: Final = 1.0

_ADD: Final = insert(listenings)
_HEARD: Final = (
    update(listenings).where(listenings.c.id == bindparam("row")).values(heard_us=bindparam("at"))
)
_ENDED: Final = (
    update(listenings).where(listenings.c.id == bindparam("row")).values(ended_us=bindparam("at"))
)

log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class _Listening:
    call: Call
    began: float
    heard_us: int | None = None
    ended_us: int | None = None


class Listenings:
    """Who listens at this moment, and the words of the law: told before, written down."""

    def __init__(
        self,
        *,
        registry: Registry,
        switch: Switch,
        writer: GroupWriter,
        clock: Clock,
        directory: Callable[[], Directory],
        phones: Mapping[str, str],
        new_id: Callable[[], str],
    ) -> None:
        self._registry = registry
        self._switch = switch
        self._writer = writer
        self._clock = clock
        self._directory = directory
        self._phones = phones
        self._new_id = new_id
        self._live: dict[str, _Listening] = {}
        switch.subscribe(self.handle)

    def phones(self, login: str, client: str) -> dict[str, str]:
        """Name the phones that may ring: the login's own, and the agents of the client's queues."""
        found: dict[str, str] = {}
        if login in self._phones:
            found["own"] = self._phones[login]
        for queue in self._directory().queues.values():
            if queue.client == client:
                found |= {
                    f"agent:{agent.code}": str(agent.destination)
                    for agent in queue.agents
                    if agent.destination.kind == "sip"
                }
        return found

    async def listen(self, call_id: str, *, login: str, phone: str, reason: str) -> str | None:
        """Let one of these phones ring and hear a talk; returns the id of what was written down.

        Returns None when the call is not live here.

        Raises:
            InvalidInput: nobody talks, the caller was not told, no such phone, or too many listen.
            SwitchUnavailable: the switch did not answer.

        """
        call = self._registry.find(call_id)
        if call is None:
            return None
        destination = self.phones(login, call.client).get(phone)
        reason = " ".join(reason.split())[:REASON_MAX]
        if not call.listen_told:
            raise InvalidInput(reason="the caller was not told that anybody may listen")
        if call.state is not CallState.TALKING:
            raise InvalidInput(reason="nobody talks yet")
        if destination is None:
            raise InvalidInput(reason="choose one of the phones that may ring")
        if not reason or not reason.isprintable():
            raise InvalidInput(reason="write why you listen")
        if len(self._live) >= AT_ONCE:
            raise InvalidInput(reason="too many people listen at once")
        listening_id = self._new_id()
        await self._writer.write(
            _ADD,
            {
                "id": listening_id, "call": call.first_id, "client": call.client, "login": login,
                "phone": destination, "reason": reason, "asked_us": call.now_us(),
            },
        )  # fmt: skip
        self._live[listening_id] = _Listening(call=call, began=self._clock.monotonic())
        try:
            await self._switch.listen(destination, call.facts.channel, listening_id)
        except TelephonyError:
            self._live[listening_id].ended_us = call.now_us()
            raise
        call.mark("listened", 0)
        log.warning("somebody listens", call_id=call.id, login=login)
        return listening_id

    def handle(self, event: SwitchEvent) -> None:
        """Note that a phone was picked up, or hung up; its channel is named by our own id."""
        match event:
            case AgentAnswered() if event.agent_uniqueid in self._live:
                self._live[event.agent_uniqueid].heard_us = event.at_us
            case ChannelHungUp() if event.uniqueid in self._live:
                self._live[event.uniqueid].ended_us = event.at_us

    async def run(self) -> NoReturn:
        """Write down, for ever, when phones were picked up and hung up."""
        while True:
            await asyncio.sleep(ROUND_SECONDS)
            try:
                await self.round()
            except (SQLAlchemyError, BillingError, OSError) as error:
                log.warning("listening not written down yet", reason=type(error).__name__)

    async def round(self) -> None:
        """Write what happened since the last look; what is over is let go."""
        for listening_id, one in tuple(self._live.items()):
            age = self._clock.monotonic() - one.began
            if one.ended_us is None and age > FORGET_SECONDS:
                one.ended_us = one.call.now_us()
            if one.heard_us is not None:
                await self._writer.write(_HEARD, {"row": listening_id, "at": one.heard_us})
                one.heard_us = None
            if one.ended_us is not None:
                await self._writer.write(_ENDED, {"row": listening_id, "at": one.ended_us})
                del self._live[listening_id]
