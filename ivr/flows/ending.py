"""How a call ends: settle or void once, write its row, tell the caller what it cost.

Every way out passes `conclude`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import structlog

from billing.charging import Settlement
from billing.clock import MICROSECONDS
from billing.errors import BillingError
from billing.money import Micros
from ivr.calls.call import Call
from ivr.calls.closing import StillOpen
from ivr.calls.states import CallEvent, CallState, EndReason
from ivr.flows import speech
from ivr.flows.desk import Desk
from ivr.flows.prompts import LAST_WORDS, Prompt
from ivr.telephony import CallLeg

RATING_SECONDS: Final = 5.0
RATINGS: Final = frozenset("12345")
# Refused before the line was answered; the reason is spoken all the same.
UNANSWERED: Final = frozenset(
    {EndReason.LINE_BUSY, EndReason.LINE_CLOSED, EndReason.LINE_SUSPENDED}
)

log = structlog.get_logger()


async def conclude(call: Call, desk: Desk) -> Settlement | None:
    """Settle or void, then write the row; a call that nobody can measure yet goes to recovery."""

    async def write_end() -> None:
        if call.state is CallState.TALKING and call.end_reason is EndReason.AGENT_HUNG_UP:
            call.end_reason = _why_talk_ended(call)
        call.take(CallEvent.ENDED)
        call.ended_us = call.now_us()
        await desk.store.end(call)

    try:
        settlement = await desk.closing.close(call, write_end=write_end)
    except StillOpen:
        log.warning("end of talk not known yet")
        return None
    except BillingError as error:
        log.warning("call left to recovery", code=error.code)
        return None
    if settlement is not None and not call.premium:
        talk_us = int(call.talk.seconds(call.clock.monotonic()) * MICROSECONDS)
        desk.tally.settled(call.account, talk_us=talk_us, cost=settlement.cost)
    call.concluded.set()
    log.info("call ended", reason=call.end_reason)
    return settlement


def _why_talk_ended(call: Call) -> EndReason:
    if call.hang_up_by:
        return call.hang_up_by
    if call.talk.seconds(call.clock.monotonic()) < call.limit_seconds - 1:
        return EndReason.AGENT_HUNG_UP
    if call.limit_seconds == call.ceiling_seconds:
        return EndReason.TIME_LIMIT
    if call.granted.final:
        return EndReason.BALANCE_SPENT
    return call.refused or EndReason.TECHNICAL_PROBLEM


async def last_words(leg: CallLeg, call: Call, settled: Sequence[Settlement], desk: Desk) -> None:
    """Say why the call ends, or what all its parts cost and what is left, and hang up."""
    if call.caller_gone:
        return
    assert call.end_reason is not None
    if settled:
        if call.talk.started_us is None and (words := LAST_WORDS.get(call.end_reason)):
            # It was put through, and nobody talked there.
            await leg.play(words)
        if not call.premium:
            await leg.play(*_tell_cost(call.end_reason, settled, call.language))
            await _ask_rating(leg, call, desk)
        await leg.play(Prompt.GOODBYE)
    elif words := LAST_WORDS.get(call.end_reason):
        if call.end_reason in UNANSWERED:
            await leg.answer()
        await leg.play(words)
    await leg.finish()
    await leg.hang_up()


def _tell_cost(reason: EndReason, settled: Sequence[Settlement], language: str) -> tuple[str, ...]:
    words: tuple[str, ...] = ()
    last = settled[-1]
    covered_seconds = sum(part.covered_seconds for part in settled)
    whole: Micros = sum(part.cost for part in settled)
    if covered_seconds:
        words = (Prompt.PLAN_PAID, *speech.duration(covered_seconds, language))
    if whole or not words:
        words = (*words, Prompt.CALL_COST, *speech.cost(whole, last.currency, language))
    if last.balance_after is not None:
        left = speech.money(last.balance_after, last.currency, language)
        words = (*words, Prompt.BALANCE_LEFT, *left)
    if reason is EndReason.BALANCE_SPENT:
        words = (Prompt.MONEY_ENDED, *words)
    if reason is EndReason.TIME_LIMIT:
        words = (Prompt.TIME_ENDED, *words)
    return words


async def _ask_rating(leg: CallLeg, call: Call, desk: Desk) -> None:
    """Let the caller rate the agent, where the line wants to know."""
    did = desk.directory().did(call.facts.did)
    if did is None or not did.rules.ask_rating:
        return
    call.ask("rating")
    answer = await leg.collect(Prompt.RATE_AGENT, digits_max=1, wait_seconds=RATING_SECONDS)
    call.ask("")
    if answer in RATINGS:
        await desk.store.rate(call.id, int(answer))
