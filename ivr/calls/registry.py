"""All live calls of this process, and the one place where events of the switch reach them.

Every channel of a call carries the caller's `uniqueid` as its `linkedid`, so that is the key.
Events only note facts on the call and wake whoever waits for them; what follows from the facts
is decided by the meter and by `closing`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final

import structlog

from ivr.calls.call import Call, CallSnapshot
from ivr.calls.states import CallEvent, CallState, EndReason
from ivr.telephony import (
    AgentAnswered,
    BridgeEntered,
    BridgeLeft,
    ChannelHungUp,
    LinkDown,
    LinkUp,
    Switch,
    SwitchEvent,
    SwitchUnavailable,
    TelephonyError,
    Wish,
)

TALKERS: Final = 2

log = structlog.get_logger()


class LineBusy(Exception):
    """No room for another call, or the service is about to stop."""


class Registry:
    """A bounded map of live calls. Implements what the web knows as live calls."""

    def __init__(self, switch: Switch, *, calls_max: int) -> None:
        self._switch = switch
        self._calls_max = calls_max
        self._by_id: dict[str, Call] = {}
        self._by_uniqueid: dict[str, Call] = {}
        self.closed = False
        self.link_up = asyncio.Event()
        self.outages = 0
        self.relinked = asyncio.Event()
        self.talking = asyncio.Event()
        switch.subscribe(self.handle)

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Call]:
        return iter(tuple(self._by_id.values()))

    def add(self, call: Call) -> None:
        """Take a call in.

        Raises:
            LineBusy: the map is full or the service is draining; adopted calls always fit.

        """
        if not call.adopted and (self.closed or len(self._by_id) >= self._calls_max):
            raise LineBusy
        self._by_id[call.id] = call
        self._by_uniqueid[call.facts.uniqueid] = call

    def remove(self, call: Call) -> None:
        """Let a call go; it is settled, or left to recovery."""
        self._by_id.pop(call.id, None)
        if self._by_uniqueid.get(call.facts.uniqueid) is call:
            del self._by_uniqueid[call.facts.uniqueid]

    def follow(self, before: Call, after: Call) -> None:
        """Let the next part of a call take the place of the one before; there is always room."""
        self._by_id.pop(before.id, None)
        self._by_id[after.id] = after
        self._by_uniqueid[after.facts.uniqueid] = after

    def count(
        self, *, did: str | None = None, account: str | None = None, client: str | None = None
    ) -> int:
        """Count the live calls of a DID, an account or a client."""
        return sum(
            (did is None or call.facts.did == did)
            and (account is None or call.account == account)
            and (client is None or call.client == client)
            for call in self._by_id.values()
        )

    def find(self, call_id: str) -> Call | None:
        """Find a live call by its id."""
        return self._by_id.get(call_id)

    def find_uniqueid(self, uniqueid: str) -> Call | None:
        """Find a live call by the caller's channel."""
        return self._by_uniqueid.get(uniqueid)

    def snapshot(self) -> list[CallSnapshot]:
        """Freeze all live calls, oldest first."""
        return [call.snapshot() for call in self._by_id.values()]

    async def hang_up(self, call_id: str) -> bool:
        """End a call on behalf of an operator; False when it is not live here."""
        call = self._by_id.get(call_id)
        if call is None:
            return False
        call.hang_up_by = EndReason.OPERATOR_HUNG_UP
        await self._switch.hang_up(call.talk.agent_channel or call.facts.channel)
        return True

    async def limit(self, channel: str, seconds: float) -> None:
        """Let the switch end a channel after so many seconds from now.

        Raises:
            ChannelGone: there is no such channel.
            SwitchUnavailable: nobody knows.

        """
        await self._switch.set_limit(channel, seconds)

    async def consult(self, call: Call, target: str) -> None:
        """Take the agent of a call out of the talk, since it wants to ask somebody first."""
        call.wish = Wish(target=target, attended=True)
        try:
            await self._switch.consult(call.talk.agent_channel, call.facts.uniqueid)
        except TelephonyError:
            call.wish = None  # the talk goes on as if no key had been pressed
            log.warning("agent not taken out", call_id=call.id)

    def handle(self, event: SwitchEvent) -> None:
        """Note one fact from the switch."""
        match event:
            case BridgeEntered():
                self._entered(event)
            case BridgeLeft():
                self._left(event)
            case AgentAnswered():
                if call := self._by_uniqueid.get(event.uniqueid):
                    call.talk.agent_channel = event.agent_channel
            case ChannelHungUp():
                if call := self._by_uniqueid.get(event.uniqueid):
                    call.caller_gone = True
                    call.changed.set()
            case LinkUp():
                self.link_up.set()
                self.relinked.set()
            case LinkDown():
                self.outages += 1
                self.link_up.clear()

    def _entered(self, event: BridgeEntered) -> None:
        call = self._by_uniqueid.get(event.linkedid)
        if call is None:
            return
        if event.uniqueid != call.facts.uniqueid:
            call.talk.agent_channel = event.channel
        if (event.uniqueid == call.facts.uniqueid) == call.called_back:
            call.talk.agent = event.agent
        if event.members != TALKERS or call.state is not CallState.WAITING:
            return
        call.talk.bridge = event.bridge
        call.talk.started_us = event.at_us
        call.talk.started_at = event.received
        call.take(CallEvent.BRIDGED)
        self.talking.set()
        call.changed.set()
        log.info("talk started", call_id=call.id)

    def _left(self, event: BridgeLeft) -> None:
        call = self._by_uniqueid.get(event.linkedid)
        if call is None or call.talk.started_us is None or call.talk.ended_us is not None:
            return
        if call.talk.bridge not in {"", event.bridge}:
            return  # agents among themselves
        call.talk.ended_us = event.at_us
        call.talk.ended_at = event.received
        call.changed.set()
        log.info("talk ended", call_id=call.id)


async def hang_up_quietly(switch: Switch, channel: str) -> None:
    """Ask for a hangup; an unreachable switch has its own limit and will do it itself."""
    try:
        await switch.hang_up(channel)
    except SwitchUnavailable:
        log.warning("hangup not delivered")
