"""One loop meters all talks: it extends each hold before it ends and moves the switch's limit.

    granted   |--------- 15 s ---------|--------- 15 s ---------| …
    talk      0 ........... ^ renew 7 s before the end, again every 2 s while the answer is no
    switch    limit = end of what is granted, moved only after the grant is committed
    we        hang up 0.2 s after that end, should the switch's clock have failed

Renewals that fall due together are submitted together, and the writer commits them as one.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from billing.charging import Charging
from billing.clock import Clock
from billing.errors import AccountBlocked, BillingError, InsufficientFunds
from ivr.calls.call import MICROSECONDS, Call
from ivr.calls.notices import Notice, Notices
from ivr.calls.registry import Registry, hang_up_quietly
from ivr.calls.states import EndReason
from ivr.telephony import ChannelGone, Switch, SwitchUnavailable

TICK_SECONDS: Final = 0.1
RETRY_SECONDS: Final = 2.0
# The switch's own timer gets this long before we hang up in its place, then we insist.
GRACE_SECONDS: Final = 0.2
INSIST_SECONDS: Final = 1.0
# What a caller may still hear after the talk: the cost and the balance.
FAREWELL_SECONDS: Final = 60
LIMIT_SECONDS_MIN: Final = 0.1

REFUSALS: Final[dict[type[Exception], EndReason]] = {
    InsufficientFunds: EndReason.BALANCE_SPENT,
    AccountBlocked: EndReason.ACCOUNT_BLOCKED,
}

log = structlog.get_logger()


@dataclass(slots=True)
class _Due:
    """When a call next needs us, on the monotonic clock."""

    renew_at: float
    cut_at: float
    armed_seconds: int  # of talk, by the switch's own limit
    ceiling_seconds: int | None = None  # as it was when all this was worked out
    busy: bool = False
    notices: Notices = field(default_factory=Notices)
    notice: Notice | None = None
    notice_at: float = math.inf


class Meter:
    """Extends holds and keeps both limits, the switch's and ours."""

    def __init__(
        self,
        *,
        registry: Registry,
        charging: Charging,
        switch: Switch,
        clock: Clock,
        slice_seconds: int,
        renew_seconds: int,
        words: Callable[[Call, Notice], Sequence[str]],
    ) -> None:
        self._registry = registry
        self._charging = charging
        self._switch = switch
        self._clock = clock
        self._slice_seconds = slice_seconds
        self._renew_seconds = renew_seconds
        self._words = words
        self._due: dict[str, _Due] = {}
        # Slices that were not extended when they should have been.
        self.late = 0

    async def run(self) -> None:
        """Meter for ever; idle while nobody talks."""
        async with asyncio.TaskGroup() as group:
            while True:
                if not self.tick(group):
                    self._registry.talking.clear()
                    await self._registry.talking.wait()
                await asyncio.sleep(TICK_SECONDS)

    def tick(self, group: asyncio.TaskGroup) -> int:
        """Start what is due now; returns the number of talks."""
        now = self._clock.monotonic()
        talks = [
            call
            for call in self._registry
            if call.talk.started_at is not None and call.talk.ended_us is None and call.terms
        ]
        for call in talks:
            due = self._due.get(call.id)
            if due is None or due.ceiling_seconds != call.ceiling_seconds:
                due = self._schedule(call)
            if now >= due.notice_at:
                self._tell(call, due, group)
            if due.busy:
                continue
            if now >= due.cut_at:
                due.cut_at = now + INSIST_SECONDS
                group.create_task(self._cut(call), name=f"cut:{call.id}")
            elif now >= due.renew_at:
                due.busy = True
                group.create_task(self._serve(call, due), name=f"renew:{call.id}")
        if len(self._due) > len(talks):
            live = {call.id for call in talks}
            self._due = {call_id: due for call_id, due in self._due.items() if call_id in live}
        return len(talks)

    def _schedule(self, call: Call) -> _Due:
        assert call.talk.started_at is not None
        end = call.talk.started_at + call.limit_seconds
        due = self._due.get(call.id)
        if due is None:
            due = self._due[call.id] = _Due(renew_at=0, cut_at=0, armed_seconds=call.limit_seconds)
        due.renew_at = end - self._renew_seconds if call.wishes_more else math.inf
        if due.armed_seconds != call.limit_seconds:
            due.renew_at = 0  # the line lets them talk longer now, and the switch does not know
        due.cut_at = end + GRACE_SECONDS
        due.ceiling_seconds = call.ceiling_seconds
        self._plan_notice(call, due)
        return due

    def _plan_notice(self, call: Call, due: _Due) -> None:
        assert call.talk.started_at is not None
        due.notice = due.notices.next(call, call.talk.seconds(self._clock.monotonic()))
        due.notice_at = call.talk.started_at + due.notice.at_seconds if due.notice else math.inf

    def _tell(self, call: Call, due: _Due, group: asyncio.TaskGroup) -> None:
        assert due.notice is not None
        notice = due.notice
        due.notices.told(call, notice)
        call.mark("dearer" if notice.tier else "warned", notice.left_seconds)
        self._plan_notice(call, due)
        group.create_task(self._whisper(call, notice), name=f"notice:{call.id}")

    async def _whisper(self, call: Call, notice: Notice) -> None:
        """Say it to the caller only; a talk goes on without it."""
        try:
            await self._switch.whisper(call.caller_channel, self._words(call, notice))
        except SwitchUnavailable:
            log.warning("notice not said", call_id=call.id)
        else:
            log.info(
                "notice said",
                call_id=call.id,
                left_seconds=notice.left_seconds,
                dearer=notice.tier is not None,
            )

    async def _serve(self, call: Call, due: _Due) -> None:
        try:
            if due.armed_seconds == call.limit_seconds:
                await self._extend(call)
            await self._move_limit(call, due)
            self._schedule(call)
        except (SwitchUnavailable, BillingError) as error:
            call.refused = REFUSALS.get(type(error), EndReason.TECHNICAL_PROBLEM)
            self.late += call.refused is EndReason.TECHNICAL_PROBLEM
            due.renew_at = self._clock.monotonic() + RETRY_SECONDS
            log.info("slice not extended", call_id=call.id, reason=type(error).__name__)
        except ChannelGone:
            # The talk ended a moment ago; its end is on the way to us as an event.
            due.renew_at = self._clock.monotonic() + RETRY_SECONDS
        except Exception:  # one call may fail; the meter of all others may not
            log.exception("renewal failed", call_id=call.id)
            due.renew_at = self._clock.monotonic() + RETRY_SECONDS
        finally:
            due.busy = False

    async def _extend(self, call: Call) -> None:
        assert call.terms is not None
        grant = await self._charging.extend(
            call.terms,
            step=call.granted.step + 1,
            to_seconds=call.capped(call.granted.seconds + self._slice_seconds),
            proven_us=int(call.talk.seconds(self._clock.monotonic()) * MICROSECONDS),
        )
        call.take_grant(grant)
        call.refused = None

    async def _move_limit(self, call: Call, due: _Due) -> None:
        """Tell the switch how long it may let them talk; it knows a shorter time until then."""
        left = call.limit_seconds - call.talk.seconds(self._clock.monotonic())
        left = max(left, LIMIT_SECONDS_MIN)
        due.cut_at = self._clock.monotonic() + left + GRACE_SECONDS
        await self._switch.set_limit(call.talk.agent_channel, left)
        due.armed_seconds = call.limit_seconds
        await self._switch.set_limit(call.facts.channel, left + FAREWELL_SECONDS)

    async def _cut(self, call: Call) -> None:
        log.warning("talk cut by the service", call_id=call.id)
        await hang_up_quietly(self._switch, call.talk.agent_channel or call.facts.channel)
