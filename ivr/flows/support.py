"""The support line, from the first ring to the last word.

    answer -> who are you? -> what do you have? -> what about? -> what will it cost?
           -> hold the money -> ring the agent -> talk -> charge once -> what did it cost?

Nothing is charged before a talk, and no agent rings before money is held and a limit is set
inside the switch. Every way out passes `_conclude`, which settles or voids.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from billing.charging import Balance, Grant, SessionTerms, Settlement
from billing.domain.cover import ALLOWANCES_MAX, Allowance
from billing.domain.rating import RateTable
from billing.errors import AccountBlocked, BillingError, InsufficientFunds
from ivr.calls.call import Call
from ivr.calls.closing import StillOpen
from ivr.calls.meter import FAREWELL_SECONDS
from ivr.calls.registry import LineBusy
from ivr.calls.states import CallEvent, CallState, EndReason
from ivr.directory.destinations import Destination
from ivr.directory.model import Did, Topic
from ivr.flows import speech
from ivr.flows.authenticate import authenticate
from ivr.flows.desk import CallEnds, Desk
from ivr.flows.language import choose_language
from ivr.flows.menu import choose_topic
from ivr.flows.price import agree_on_price
from ivr.flows.prompts import LAST_WORDS, Prompt
from ivr.telephony import CallerHungUp, CallLeg, DialResult, LegFailed

CONNECTABLE: Final = frozenset({"sip", "demo"})
# Answering, ringing and the first slice fit into it many times over.
HOLD_SLACK_SECONDS: Final = 300
RATING_SECONDS: Final = 5.0
RATINGS: Final = frozenset("12345")

log = structlog.get_logger()


async def support_line(leg: CallLeg, desk: Desk) -> None:
    """Serve one call from start to end."""
    call = Call(
        id=desk.new_id(),
        facts=leg.facts,
        boot=desk.boot(),
        started_us=int(desk.clock.now().timestamp() * 1_000_000),
        clock=desk.clock,
    )
    with structlog.contextvars.bound_contextvars(call_id=call.id):
        log.info("call began", did=call.facts.did, caller=call.facts.caller_number)
        try:
            call.end_reason = await _serve(leg, call, desk)
            settlement = await _conclude(call, desk)
            await _last_words(leg, call, settlement, desk)
        except (CallerHungUp, LegFailed):
            log.info("caller was gone before the last words")
        finally:
            desk.registry.remove(call)


async def _serve(leg: CallLeg, call: Call, desk: Desk) -> EndReason:
    """Run the call until it is over, whatever the reason."""
    try:
        desk.registry.add(call)
        did = desk.directory().did(call.facts.did)
        if did is None or not did.is_open(desk.clock.now()):
            raise CallEnds(EndReason.LINE_CLOSED)
        call.client = did.client
        if did.rules.calls_max and desk.registry.count(did=did.number) > did.rules.calls_max:
            raise LineBusy
        return await _converse(leg, call, did, desk)
    except LineBusy:
        return EndReason.LINE_BUSY
    except CallEnds as end:
        return end.reason
    except CallerHungUp:
        call.caller_gone = True
        return call.hang_up_by or EndReason.CALLER_HUNG_UP
    except InsufficientFunds:
        return EndReason.BALANCE_TOO_SMALL
    except AccountBlocked:
        return EndReason.ACCOUNT_BLOCKED
    except (LegFailed, BillingError) as error:
        log.warning("call failed", reason=type(error).__name__)
        return EndReason.TECHNICAL_PROBLEM
    except Exception:  # one call may fail; the service may not
        log.exception("call failed")
        return EndReason.TECHNICAL_PROBLEM


async def _converse(leg: CallLeg, call: Call, did: Did, desk: Desk) -> EndReason:
    await leg.answer()
    if not desk.registry.link_up.is_set():
        # Without the link no slice could be extended: better no talk than one cut short.
        raise CallEnds(EndReason.TECHNICAL_PROBLEM)
    await choose_language(leg, call, did, desk)
    if did.kind == "premium":
        return await _premium(leg, call, did, desk)
    call.account = await authenticate(leg, call, did, desk)
    call.take(CallEvent.IDENTIFIED)
    if desk.registry.count(account=call.account) > desk.account_calls_max:
        raise LineBusy
    balance, allowances = await asyncio.gather(
        desk.charging.balance(call.account), desk.charging.allowances(call.account)
    )
    if balance.status != "active":
        raise CallEnds(EndReason.ACCOUNT_BLOCKED)
    if balance.currency != desk.directory().client(did.client).currency:
        raise CallEnds(EndReason.OTHER_CURRENCY)
    call.take(CallEvent.MENU_OPENED)
    topic = await choose_topic(
        leg, call, did, _tell_balance(balance, call.language), now=desk.clock.now()
    )
    terms = _quote(call, did, topic, allowances, desk)
    call.take(CallEvent.TOPIC_CHOSEN)
    await agree_on_price(leg, call, did, terms, balance, allowances, desk)
    await _hold(leg, call, terms, topic, desk)
    return await _connect(leg, call, topic, desk)


async def _premium(leg: CallLeg, call: Call, did: Did, desk: Desk) -> EndReason:
    """Serve a line that the carrier bills: no caller is debited, the carrier's payout is split.

    The carrier's account owes what it pays out for the talk; who calls is nobody's business.
    """
    if did.rules.carrier is None:
        raise CallEnds(EndReason.LINE_CLOSED)
    call.premium = True
    call.account = did.rules.carrier
    call.take(CallEvent.IDENTIFIED)
    call.take(CallEvent.MENU_OPENED)
    topic = await choose_topic(leg, call, did, (Prompt.WELCOME,), now=desk.clock.now())
    terms = _quote(call, did, topic, (), desk)
    call.take(CallEvent.TOPIC_CHOSEN)
    call.ceiling_seconds = did.rules.maximum_talk_seconds
    words: tuple[str, ...] = (Prompt.PREMIUM_PRICE,)
    if did.rules.announced:
        announced = desk.directory().tariff(did.rules.announced).tariff
        words = (*words, *speech.price(announced, announced.tiers, call.language))
    await leg.play(*words, Prompt.CONNECTING)
    await _hold(leg, call, terms, topic, desk)
    return await _connect(leg, call, topic, desk)


def _tell_balance(balance: Balance, language: str) -> tuple[str, ...]:
    lead = Prompt.BALANCE_IS if balance.mode == "prepaid" else Prompt.CAN_SPEND
    return (Prompt.WELCOME, lead, *speech.money(balance.spendable, balance.currency, language))


def _quote(
    call: Call, did: Did, topic: Topic, allowances: Sequence[Allowance], desk: Desk
) -> SessionTerms:
    """Fix the version of the price, what a plan pays first, and who gets which share."""
    if not _connectable(topic.destination, desk):
        raise CallEnds(EndReason.TOPIC_UNAVAILABLE)
    directory = desk.directory()
    version = directory.tariff(topic.tariff or did.tariff)
    client = directory.client(did.client)
    call.digit = topic.digit
    call.topic = topic.name
    call.destination = str(topic.destination)
    call.tariff = version.name
    call.tariff_version = version.version
    priced_us = call.now_us()
    return SessionTerms(
        session_id=call.id,
        account=call.account,
        client=did.client,
        service=did.number,
        detail=topic.name,
        tariff_version_id=version.id,
        table=RateTable.compile(version.tariff, started_at=desk.clock.now(), timezone=did.timezone),
        timezone=did.timezone,
        shares=client.shares_at(priced_us),
        currency=client.currency,
        priced_us=priced_us,
        cover=tuple(allowance.account for allowance in allowances[:ALLOWANCES_MAX]),
    )


async def _hold(leg: CallLeg, call: Call, terms: SessionTerms, topic: Topic, desk: Desk) -> None:
    """Hold the first slice, and let the switch end even a call that we forget."""
    call.terms = terms
    wait_seconds = _waits(topic.destination, desk)
    # Both are queued before the writer wakes, so that one commit carries them.
    grant, began = await asyncio.gather(
        desk.charging.open(
            terms,
            slice_seconds=desk.slice_seconds,
            expires_seconds=HOLD_SLACK_SECONDS + wait_seconds,
        ),
        desk.store.begin(call),
        return_exceptions=True,
    )
    for outcome in (grant, began):
        if isinstance(outcome, BaseException):
            raise outcome
    assert isinstance(grant, Grant)
    call.take_grant(grant)
    call.outages_before = desk.registry.outages
    call.take(CallEvent.HELD)
    await leg.set_limit(wait_seconds + call.limit_seconds + FAREWELL_SECONDS)


def _connectable(destination: Destination, desk: Desk) -> bool:
    if destination.kind == "queue":
        return desk.has_queues and destination.target in desk.directory().queues
    return destination.kind in CONNECTABLE


def _waits(destination: Destination, desk: Desk) -> int:
    """Tell how long a caller may wait for an agent; nothing is charged for it."""
    if destination.kind == "queue":
        return desk.directory().queues[destination.target].wait_seconds
    return desk.ring_seconds


async def _connect(leg: CallLeg, call: Call, topic: Topic, desk: Desk) -> EndReason:
    result = await _ring(leg, call, topic.destination, desk, accept=topic.rules.accept)
    if result is not DialResult.TALKED and (other := _overflow(topic.destination, desk)):
        await leg.set_limit(_waits(other, desk) + call.limit_seconds + FAREWELL_SECONDS)
        result = await _ring(leg, call, other, desk, accept=topic.rules.accept)
    if result is not DialResult.TALKED:
        call.dial_ended_without_talk = True
        return EndReason.NO_AGENT
    return EndReason.AGENT_HUNG_UP


async def _ring(
    leg: CallLeg, call: Call, destination: Destination, desk: Desk, *, accept: bool
) -> DialResult:
    return await leg.connect(
        str(destination),
        limit_seconds=call.limit_seconds,
        ring_seconds=_waits(destination, desk),
        accept=accept,
    )


def _overflow(destination: Destination, desk: Desk) -> Destination | None:
    if destination.kind != "queue":
        return None
    return desk.directory().queues[destination.target].overflow


async def _conclude(call: Call, desk: Desk) -> Settlement | None:
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


async def _last_words(leg: CallLeg, call: Call, settlement: Settlement | None, desk: Desk) -> None:
    """Say why the call ends, or what it cost and what is left, and hang up."""
    if call.caller_gone:
        return
    assert call.end_reason is not None
    if settlement is not None and call.premium:
        await leg.play(Prompt.GOODBYE)
    elif settlement is not None:
        await leg.play(*_tell_cost(call.end_reason, settlement, call.language))
        await _ask_rating(leg, call, desk)
        await leg.play(Prompt.GOODBYE)
    elif words := LAST_WORDS.get(call.end_reason):
        if call.end_reason in {EndReason.LINE_BUSY, EndReason.LINE_CLOSED}:
            await leg.answer()
        await leg.play(words)
    await leg.finish()
    await leg.hang_up()


def _tell_cost(reason: EndReason, settlement: Settlement, language: str) -> tuple[str, ...]:
    words: tuple[str, ...] = ()
    if settlement.covered_seconds:
        words = (Prompt.PLAN_PAID, *speech.duration(settlement.covered_seconds, language))
    if settlement.cost or not words:
        cost = speech.cost(settlement.cost, settlement.currency, language)
        words = (*words, Prompt.CALL_COST, *cost)
    if settlement.balance_after is not None:
        left = speech.money(settlement.balance_after, settlement.currency, language)
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
