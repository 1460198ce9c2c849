"""What operators do to a call that lives: give it more talk.

    extend   the line's own end moves; where money ends first, the provider pays for the difference

The meter sees either with its next look: it holds more, moves the limit of the switch, and warns
anew. What is not used of the money stays with the caller.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import structlog

from billing.errors import IdempotencyConflict, InvalidInput
from billing.money import Micros
from billing.wallet import Wallet
from ivr.calls.call import LASTS_SECONDS_MAX, Call, Extension
from ivr.calls.registry import Registry
from ivr.calls.states import CallState

MINUTE: Final = 60
EXTEND_MINUTES_MAX: Final = 60
EXTENSIONS_MAX: Final = 10

log = structlog.get_logger()


class Control:
    """Acts on live calls of this process for people."""

    def __init__(self, *, registry: Registry, wallet: Wallet) -> None:
        self._registry = registry
        self._wallet = wallet

    async def extend(
        self, call_id: str, *, minutes: int, key: str, actor: str, reason: str
    ) -> Extension | None:
        """Let a call go on for so many minutes more than it could; once per key.

        Returns None when the call is not live here.

        Raises:
            InvalidInput: nothing limits the call, it cannot be extended, or too often already.
            IdempotencyConflict: the key was used for another time.
            LedgerUnavailable: the outcome is unknown; ask again with the same key.

        """
        call = self._registry.find(call_id)
        if call is None:
            return None
        wanted = call.extensions.get(key)
        if wanted is None:
            if len(call.extensions) >= EXTENSIONS_MAX:
                raise InvalidInput(reason=f"a call is extended at most {EXTENSIONS_MAX} times")
            # Noted before anything is booked: sent again, the same is asked of the ledger.
            wanted = call.extensions[key] = plan_extension(call, minutes)
        if wanted.minutes != minutes:
            raise IdempotencyConflict(key=key)
        if wanted.done:
            return wanted
        if wanted.amount:
            await self._wallet.give(
                call.account,
                wanted.amount,
                key=f"extend:{call.id}:{key}",
                actor=actor,
                memo=reason,
            )
        if call.extensions[key].done:
            return wanted  # the same wish, sent twice at once
        if call.ceiling_seconds is not None:
            call.ceiling_seconds = max(call.ceiling_seconds, wanted.target_seconds)
        call.mark("extended", minutes)
        call.extensions[key] = replace(wanted, done=True)
        log.info("call extended", call_id=call.id, minutes=minutes, actor=actor)
        return wanted


def plan_extension(call: Call, minutes: int) -> Extension:
    """Find until when the call shall go on, and what that costs beyond what the caller has.

    Raises:
        InvalidInput: it neither waits nor talks, nothing limits it, or a day is not enough.

    """
    if not 0 < minutes <= EXTEND_MINUTES_MAX:
        raise InvalidInput(reason=f"a call is extended by 1 to {EXTEND_MINUTES_MAX} minutes")
    if call.terms is None or call.state not in {CallState.WAITING, CallState.TALKING}:
        raise InvalidInput(reason="a call is extended once its price is agreed")
    end = call.ends_after_seconds
    if end is None:
        raise InvalidInput(reason="nothing limits this call: it ends when they hang up")
    target = end + minutes * MINUTE
    if target > LASTS_SECONDS_MAX:
        raise InvalidInput(reason="no call lasts longer than a day")
    amount: Micros = 0
    lasts = call.granted.lasts_seconds
    if lasts is not None and lasts < target:
        if call.premium:
            raise InvalidInput(reason="the carrier pays for this call: its account is at its end")
        paid, table = lasts - call.granted.plan_seconds, call.terms.table
        amount = table.cost(paid + target - lasts) - table.cost(paid)
    return Extension(
        call_id=call.id,
        minutes=minutes,
        target_seconds=target,
        amount=amount,
        currency=call.terms.currency,
    )
