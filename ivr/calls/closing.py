"""The end of a call's money: find out how long they talked, then settle or void, once.

    witnesses, best first:  events of the switch -> its written record -> what was proven so far

When no witness can be heard yet the session stays open, and `recovery` comes back to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from billing.charging import Charging, Settlement
from ivr.calls.call import MICROSECONDS, Call, record_since
from ivr.calls.evidence import TalkEvidence, from_record, weigh
from ivr.calls.registry import Registry
from ivr.calls.stalls import StallWatch
from ivr.telephony import SwitchUnavailable, TalkRecord, TalkRecords

# Events of the same moment arrive within milliseconds; the record is written within a second.
EVENT_WAIT_SECONDS: Final = 1.5
RECORD_WAIT_SECONDS: Final = 4.0
RECORD_POLL_SECONDS: Final = 0.1

WriteEnd = Callable[[], Awaitable[None]]

log = structlog.get_logger()


class StillOpen(Exception):
    """Nobody can say yet how the talk ended."""


class Closing:
    """Settles or voids sessions by evidence."""

    def __init__(
        self,
        *,
        charging: Charging,
        registry: Registry,
        records: TalkRecords,
        stalls: StallWatch,
    ) -> None:
        self._charging = charging
        self._registry = registry
        self._records = records
        self._stalls = stalls

    async def close(self, call: Call, *, write_end: WriteEnd) -> Settlement | None:
        """End the call's session; None when it was free of charge.

        `write_end` is called once the talk is measured: what it writes is queued together with the
        settlement, so that one commit carries both.

        Raises:
            StillOpen: no witness of the end can be heard; the session stays open.
            BillingError: the ledger refused or could not be reached.

        """
        if call.terms is None or call.granted.step == 0:
            await write_end()
            return None
        evidence = await self._evidence(call)
        settlement, ended = await asyncio.gather(
            self._book(call, evidence), write_end(), return_exceptions=True
        )
        for outcome in (settlement, ended):
            if isinstance(outcome, BaseException):
                raise outcome
        assert not isinstance(settlement, BaseException)
        return settlement

    async def _book(self, call: Call, evidence: TalkEvidence | None) -> Settlement | None:
        assert call.terms is not None
        if evidence is not None and evidence.talk_us:
            return await self.settle(call, evidence)
        await self._charging.void(call.terms, note="no talk")
        log.info("call was free", call_id=call.id)
        return None

    async def settle(self, call: Call, evidence: TalkEvidence) -> Settlement:
        """Charge the talk, never more than granted, and split it in the same transaction."""
        assert call.terms is not None
        settlement = await self._charging.settle(
            call.terms,
            talk_us=evidence.talk_us,
            granted_seconds=call.granted.seconds,
            covered_seconds=call.granted.covered_seconds,
            started_us=evidence.started_us,
            ended_us=evidence.ended_us,
            evidence=evidence.source,
            review=evidence.review,
            note=evidence.note,
            agent=call.agent,
        )
        log.info(
            "call settled",
            call_id=call.id,
            talk_us=evidence.talk_us,
            billed_seconds=settlement.billed_seconds,
            cost=settlement.cost,
            evidence=evidence.source,
        )
        return settlement

    async def _evidence(self, call: Call) -> TalkEvidence | None:
        """Measure the talk; None when there was none."""
        await self._await_events(call)
        talk = call.talk
        if talk.started_us is not None and talk.ended_us is not None:
            assert talk.started_at is not None
            assert talk.ended_at is not None
            return weigh(
                started_us=talk.started_us,
                ended_us=talk.ended_us,
                own_us=int((talk.ended_at - talk.started_at) * MICROSECONDS),
                own_stalled=call.adopted or self._stalls.between(talk.started_at, talk.ended_at),
                source="cel" if call.adopted else "ami",
            )
        if talk.started_us is None and call.heard_throughout(self._registry.outages):
            return None
        return await self._from_record(call)

    async def _await_events(self, call: Call) -> None:
        """Give events that are under way the time to arrive."""
        try:
            async with asyncio.timeout(EVENT_WAIT_SECONDS):
                while self._registry.link_up.is_set() and not call.told:
                    call.changed.clear()
                    await call.changed.wait()
        except TimeoutError:
            log.info("events are late", call_id=call.id)

    async def _from_record(self, call: Call) -> TalkEvidence | None:
        record = await self._read(call)
        if record is not None:
            if evidence := from_record(record):
                return evidence
            if record.started_us is None and record.over and call.talk.started_us is None:
                return None
        raise StillOpen

    async def _read(self, call: Call) -> TalkRecord | None:
        """Wait for the written record to tell the end; None when it cannot be read."""
        record: TalkRecord | None = None
        for _ in range(int(RECORD_WAIT_SECONDS / RECORD_POLL_SECONDS)):
            try:
                record = await self._records.of(
                    uniqueid=call.facts.uniqueid,
                    since_us=record_since(call.started_us, call.part),
                    talk=call.part,
                )
            except SwitchUnavailable:
                log.warning("no record to read", call_id=call.id)
                return None
            if record.ended_us is not None or record.over:
                break
            await asyncio.sleep(RECORD_POLL_SECONDS)
        return record
