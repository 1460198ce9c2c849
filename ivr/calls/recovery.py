"""After a restart or a lost link: every open session is resumed or settled, by evidence.

    channel still live         -> adopt: the meter goes on, the end is settled as usual
    gone, record tells the end -> settle from the record
    gone, record says no talk  -> void
    gone, no usable record     -> wait; then settle what was proven, marked for review

"Gone" needs two complete lists of the same boot that say so, seconds apart, or a newer boot.
An unreachable switch or an incomplete list says nothing, so then nothing is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final, NoReturn

import structlog

from billing.charging import Charging, OpenSession
from billing.clock import Clock, microseconds_of
from billing.errors import BillingError
from ivr.calls.call import MICROSECONDS, Call, Granted, record_since
from ivr.calls.closing import Closing, StillOpen
from ivr.calls.evidence import estimated, from_record
from ivr.calls.registry import Registry
from ivr.calls.states import CallEvent, CallState, EndReason
from ivr.calls.store import CallStore, StoredFacts
from ivr.directory.model import Directory, rung_at
from ivr.telephony import (
    ChannelList,
    LiveChannel,
    Switch,
    SwitchUnavailable,
    TalkRecord,
    TalkRecords,
)

ROUND_SECONDS: Final = 2.0
GONE_TWICE_SECONDS: Final = 2.0
RECORD_PATIENCE_SECONDS: Final = 30.0

log = structlog.get_logger()


class Recovery:
    """Looks after the sessions that no flow of this process looks after."""

    def __init__(
        self,
        *,
        charging: Charging,
        closing: Closing,
        registry: Registry,
        store: CallStore,
        switch: Switch,
        records: TalkRecords,
        clock: Clock,
        node: str,
        directory: Callable[[], Directory],
    ) -> None:
        self._charging = charging
        self._closing = closing
        self._registry = registry
        self._store = store
        self._switch = switch
        self._records = records
        self._clock = clock
        self._node = node
        self._directory = directory
        self._missed_at: dict[str, tuple[str, float]] = {}

    async def run(self) -> NoReturn:
        """Look for forgotten sessions, at once after each (re)connection and then in rounds."""
        while True:
            try:
                await self.round()
            except SwitchUnavailable:
                log.info("recovery waits for the switch")
            except BillingError as error:
                log.warning("recovery waits for the ledger", code=error.code)
            self._registry.relinked.clear()
            try:
                async with asyncio.timeout(ROUND_SECONDS):
                    await self._registry.relinked.wait()
            except TimeoutError:
                continue

    async def round(self) -> None:
        """Compare open sessions with what the switch carries."""
        sessions = await self._charging.open_sessions(
            looked_after=lambda session_id: self._registry.find(session_id) is not None
        )
        await self._finish_adopted()
        now_us = microseconds_of(self._clock.now())
        await self._store.write_late(now_us=now_us)
        await self._store.close_forgotten(
            node=self._node,
            live={call.id for call in self._registry},
            now_us=now_us,
        )
        if not sessions:
            self._missed_at.clear()
            return
        listed = await self._switch.channels()
        by_uniqueid = {channel.uniqueid: channel for channel in listed.channels}
        for session in sessions:
            facts = await self._store.facts(session.terms.session_id)
            if facts is None:
                await self._void_unknown(session)
            elif facts.node != self._node:
                continue  # another node's service looks after it
            elif (live := by_uniqueid.get(facts.call.uniqueid)) and facts.boot == listed.boot:
                await self._adopt(session, facts, live, listed)
            elif self._surely_gone(session, facts.boot, listed.boot):
                await self._close_gone(session, facts)

    def _surely_gone(self, session: OpenSession, boot: str, listed_boot: str) -> bool:
        if boot and listed_boot and boot != listed_boot:
            return True
        now = self._clock.monotonic()
        first = self._missed_at.get(session.terms.session_id)
        if first is None or first[0] != listed_boot:
            self._missed_at[session.terms.session_id] = (listed_boot, now)
            return False
        return now - first[1] >= GONE_TWICE_SECONDS

    async def _adopt(
        self, session: OpenSession, facts: StoredFacts, live: LiveChannel, listed: ChannelList
    ) -> None:
        """Take a live call over: meter it from now on."""
        call = self._call(session, facts, listed.boot)
        if live.bridge:
            record = await self._record(call)
            partner = next(
                (
                    other
                    for other in listed.channels
                    if other.bridge == live.bridge and other.uniqueid != live.uniqueid
                ),
                None,
            )
            if record.started_us is None or record.ended_us is not None or partner is None:
                return  # between two states; the next round sees it clearer
            call.talk.agent_channel = partner.channel
            call.talk.agent = live.agent if call.called_back else partner.agent
            call.talk.started_us = record.started_us
            age_seconds = (call.now_us() - record.started_us) / MICROSECONDS
            call.talk.started_at = self._clock.monotonic() - max(0.0, age_seconds)
            call.state = CallState.TALKING
        self._registry.add(call)
        self._registry.talking.set()
        log.info("call adopted", call_id=call.id, state=call.state.value)

    def _call(self, session: OpenSession, facts: StoredFacts, boot: str) -> Call:
        did = self._directory().did(facts.call.did)
        return Call(
            id=session.terms.session_id,
            facts=facts.call,
            part=facts.part,
            language=facts.language,
            called_back=facts.called_back,
            ceiling_seconds=did.rules.maximum_talk_seconds if did else None,
            boot=boot,
            started_us=session.opened_us,
            clock=self._clock,
            state=CallState.WAITING,
            client=session.terms.client,
            account=session.terms.account,
            topic=session.terms.detail or "",
            rung=""
            if facts.called_back
            else rung_at(facts.destination, session.terms.client, self._directory()),
            terms=session.terms,
            granted=Granted(
                step=session.step,
                seconds=session.granted_seconds,
                covered_seconds=session.covered_seconds,
            ),
            adopted=True,
        )

    async def _finish_adopted(self) -> None:
        """Close adopted calls whose talk or channel ended; a farewell flow may wait for it."""
        for call in self._registry:
            if call.adopted and call.told and not call.concluded.is_set():
                try:
                    await self._closing.close(call, write_end=partial(self._end, call))
                except StillOpen:
                    log.info("adopted call still open", call_id=call.id)
                    self._registry.remove(call)

    async def _close_gone(self, session: OpenSession, facts: StoredFacts) -> None:
        call = self._call(session, facts, "")
        record = await self._record(call)
        if evidence := from_record(record):
            await self._closing.settle(call, evidence)
        elif record.over and record.started_us is None:
            await self._void(session, "no talk")
        elif self._patience_left(session):
            return
        elif record.started_us is None and session.proven_us == 0:
            await self._void(session, "no record of any talk")
        else:
            await self._closing.settle(
                call,
                estimated(
                    started_us=record.started_us,
                    proven_us=session.proven_us,
                    opened_us=session.opened_us,
                ),
            )
        await self._end(call)

    def _patience_left(self, session: OpenSession) -> bool:
        """Wait a while for a record that is late before falling back on what was proven."""
        key = f"record:{session.terms.session_id}"
        now = self._clock.monotonic()
        _, first = self._missed_at.setdefault(key, ("", now))
        return now - first < RECORD_PATIENCE_SECONDS

    async def _void_unknown(self, session: OpenSession) -> None:
        log.error("session without a call", session_id=session.terms.session_id)
        await self._void(session, "no call belongs to it")

    async def _void(self, session: OpenSession, note: str) -> None:
        await self._charging.void(session.terms, note=note)

    async def _end(self, call: Call) -> None:
        if call.state is not CallState.ENDED:
            call.take(CallEvent.ENDED)
        call.end_reason = call.end_reason or EndReason.SERVICE_LOST
        call.ended_us = call.now_us()
        self._registry.remove(call)
        await self._store.end(call)
        call.concluded.set()
        self._missed_at.pop(call.id, None)
        log.info("call recovered", call_id=call.id)

    async def _record(self, call: Call) -> TalkRecord:
        return await self._records.of(
            uniqueid=call.facts.uniqueid,
            since_us=record_since(call.started_us, call.part),
            talk=call.part,
        )
