"""The support line, from the first ring to the last word.

    answer -> who are you? -> what do you have? -> what about? -> what will it cost?
           -> hold the money -> ring the agent -> talk -> charge once -> what did it cost?

Nothing is charged before a talk, and no agent rings before money is held and a limit is set
inside the switch. An agent may put the caller through: the call goes on as another part, with a
price and a hold of its own. Every way out passes `conclude`, which settles or voids.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

import structlog

from billing.charging import Balance, Settlement
from billing.domain.cover import Allowance
from billing.errors import AccountBlocked, BillingError, InsufficientFunds
from ivr.calls.call import Call
from ivr.calls.consultations import Consultation
from ivr.calls.meter import FAREWELL_SECONDS
from ivr.calls.registry import LineBusy
from ivr.calls.states import CallEvent, EndReason
from ivr.directory.model import Did, Topic
from ivr.flows import speech
from ivr.flows.agents import agents_line
from ivr.flows.authenticate import authenticate
from ivr.flows.connecting import connect, hold, is_connectable, join, quote
from ivr.flows.consult import CONSULTATION_SECONDS
from ivr.flows.desk import CallEnds, Desk
from ivr.flows.ending import conclude, last_words
from ivr.flows.language import choose_language
from ivr.flows.menu import choose_topic
from ivr.flows.otherwise import otherwise, take_message
from ivr.flows.own import greeting
from ivr.flows.price import agree_on_price
from ivr.flows.prompts import Prompt
from ivr.telephony import CallerHungUp, CallLeg, LegFailed

Means: TypeAlias = tuple[Balance, Sequence[Allowance]]
Step = Callable[[CallLeg, Call, Did, Desk], Awaitable[EndReason]]

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
        settled: list[Settlement] = []
        try:
            call.end_reason = await serve(leg, call, _converse, desk)
            settled += filter(None, [await conclude(call, desk)])
            while call.end_reason is EndReason.TRANSFERRED and not call.caller_gone:
                call = _next_part(call, desk)
                call.end_reason = await serve(leg, call, _put_through, desk)
                settled += filter(None, [await conclude(call, desk)])
            await last_words(leg, call, settled, desk)
        except (CallerHungUp, LegFailed):
            log.info("caller was gone before the last words")
        finally:
            desk.registry.remove(call)
            if desk.mailbox is not None:
                await desk.mailbox.keep(call)


async def serve(leg: CallLeg, call: Call, step: Step, desk: Desk) -> EndReason:
    """Run a call, or a part of one, until it is over, whatever the reason."""
    try:
        return await step(leg, call, _admit(call, desk), desk)
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


def _admit(call: Call, desk: Desk) -> Did:
    """Find the line; a new call is taken while it is open and has room, another part always."""
    if call.part == 1:
        desk.registry.add(call)
        _refuse_flood(call, desk)
    did = desk.directory().did(call.facts.did)
    if did is None or (call.part == 1 and not did.is_open(desk.clock.now())):
        raise CallEnds(EndReason.LINE_CLOSED)
    call.client = did.client
    if call.part > 1:
        return did
    rules = desk.directory().client(did.client).rules
    if rules.suspended:
        raise CallEnds(EndReason.LINE_SUSPENDED)
    # This call is counted already.
    most = rules.calls_max
    if did.rules.calls_max and desk.registry.count(did=did.number) > did.rules.calls_max:
        raise LineBusy
    if most and desk.registry.count(client=did.client) > most:
        raise LineBusy
    return did


def _refuse_flood(call: Call, desk: Desk) -> None:
    """Take no more calls at once, or of one number within an hour, than the limits say."""
    limits, number = desk.directory().limits, call.facts.caller_number
    if limits.calls_max is not None and len(desk.registry) > limits.calls_max:
        log.warning("call refused", limit="calls_max")
        raise LineBusy
    if limits.caller_calls is not None and desk.tally.calls_of(number) >= limits.caller_calls:
        log.warning("call refused", limit="caller_calls")
        raise LineBusy
    desk.tally.rang(number)


async def _converse(leg: CallLeg, call: Call, did: Did, desk: Desk) -> EndReason:
    await leg.answer()
    if not desk.registry.link_up.is_set():
        # Without the link no slice could be extended: better no talk than one cut short.
        raise CallEnds(EndReason.TECHNICAL_PROBLEM)
    await choose_language(leg, call, did, desk)
    if did.kind == "agents":
        return await agents_line(leg, call, did, desk)
    if did.kind == "premium":
        return await _premium(leg, call, did, desk)
    call.account = await authenticate(leg, call, did, desk)
    call.take(CallEvent.IDENTIFIED)
    if desk.registry.count(account=call.account) > desk.account_calls_max:
        raise LineBusy
    balance, allowances = await _means(call, desk)
    if balance.status != "active":
        raise CallEnds(EndReason.ACCOUNT_BLOCKED)
    if balance.currency != desk.directory().client(did.client).currency:
        raise CallEnds(EndReason.OTHER_CURRENCY)
    call.take(CallEvent.MENU_OPENED)
    now = desk.clock.now()
    topic = await choose_topic(leg, call, did, _introduce(call, did, balance, desk), desk)
    if topic not in did.offered(now):
        return await otherwise(leg, call, topic, desk, because=EndReason.TOPIC_CLOSED)
    return await _talk_about(leg, call, did, topic, desk, (balance, allowances))


async def _talk_about(
    leg: CallLeg, call: Call, did: Did, topic: Topic, desk: Desk, means: Means | None = None
) -> EndReason:
    """Tell the price, hold the money, and let them talk."""
    if topic.destination.kind == "voicemail":
        call.digit, call.topic = topic.digit, topic.name
        return await take_message(leg, call, desk)
    await _agree_and_hold(leg, call, did, topic, desk, means)
    return await connect(leg, call, did, topic, desk)


async def _agree_and_hold(
    leg: CallLeg, call: Call, did: Did, topic: Topic, desk: Desk, means: Means | None
) -> None:
    """Fix and tell the price, then hold the money; on a premium line it is the carrier's."""
    if call.premium:
        terms = quote(call, did, topic, (), desk)
        call.take(CallEvent.TOPIC_CHOSEN)
        call.ceiling_seconds = did.rules.maximum_talk_seconds
        await _tell_premium_price(leg, call, did, desk)
    else:
        balance, allowances = means or await _means(call, desk)
        terms = quote(call, did, topic, allowances, desk)
        call.take(CallEvent.TOPIC_CHOSEN)
        await agree_on_price(leg, call, did, terms, balance, allowances, desk)
    await hold(leg, call, terms, topic.destination, desk)


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
    now = desk.clock.now()
    topic = await choose_topic(leg, call, did, (greeting(call, did, desk),), desk)
    if topic not in did.offered(now):
        return await otherwise(leg, call, topic, desk, because=EndReason.TOPIC_CLOSED)
    return await _talk_about(leg, call, did, topic, desk)


async def _tell_premium_price(leg: CallLeg, call: Call, did: Did, desk: Desk) -> None:
    words: tuple[str, ...] = (Prompt.PREMIUM_PRICE,)
    if did.rules.announced:
        announced = desk.directory().tariff(did.rules.announced).tariff
        words = (*words, *speech.price(announced, announced.tiers, call.language))
    await leg.play(*words, Prompt.CONNECTING)


def _next_part(before: Call, desk: Desk) -> Call:
    """Go on where the agent put the caller through to."""
    call = before.next_part(desk.new_id())
    call.wish = before.wish
    call.digit = before.digit
    desk.registry.follow(before, call)
    structlog.contextvars.bind_contextvars(call_id=call.id)
    log.info("call put through", follows=before.id, part=call.part)
    return call


async def _put_through(leg: CallLeg, call: Call, did: Did, desk: Desk) -> EndReason:
    """Serve the next part: its own price is told before anybody rings, as in the first."""
    assert call.wish is not None
    assert call.digit is not None
    wish, call.wish = call.wish, None
    topic = _wished(did, call.digit, wish.target, desk)
    if wish.attended:
        return await _after_consultation(leg, call, did, topic, desk)
    if topic is None:
        raise CallEnds(EndReason.TOPIC_UNAVAILABLE)
    await leg.play(Prompt.TRANSFERRED)
    return await _talk_about(leg, call, did, topic, desk)


async def _after_consultation(
    leg: CallLeg, call: Call, did: Did, topic: Topic | None, desk: Desk
) -> EndReason:
    """Let the agents talk while the caller hears music; then somebody has the caller.

    Whoever that is, the price of the topic is told and the money held before they are joined.
    Where nobody can be asked, the first agent has the caller again at once.
    """
    await leg.set_limit(CONSULTATION_SECONDS + FAREWELL_SECONDS)
    await leg.hold()
    uniqueid = call.facts.uniqueid
    reachable = topic is not None and is_connectable(topic.destination, did.client, desk)
    destination = str(topic.destination) if topic is not None and reachable else ""
    consultation = desk.consultations.open(uniqueid, destination)
    try:
        channel = await _outcome(call, consultation)
        if not channel:
            raise CallEnds(EndReason.NO_AGENT)
        if channel != consultation.other:
            # Back to the first agent, and to what the caller talked about before.
            assert call.digit is not None
            topic = did.topic(call.digit)
        if topic is None:
            raise CallEnds(EndReason.TOPIC_UNAVAILABLE)
        await _agree_and_hold(leg, call, did, topic, desk, None)
        return await join(leg, call, did, topic, channel, desk)
    finally:
        desk.consultations.close(uniqueid)


async def _outcome(call: Call, consultation: Consultation) -> str:
    """Wait for the agents; a caller who hangs up does not."""
    while not call.caller_gone:
        call.changed.clear()
        woken = asyncio.ensure_future(call.changed.wait())
        try:
            await asyncio.wait((woken, consultation.outcome), return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
        if consultation.outcome.done():
            return consultation.outcome.result()
    raise CallerHungUp


def _wished(did: Did, digit: int, target: str, desk: Desk) -> Topic | None:
    """Find the topic that an agent keyed in, or the one of now with another agent; only open."""
    offered = {topic.digit: topic for topic in did.offered(desk.clock.now())}
    if len(target) == 1:
        return offered.get(int(target))
    agent = desk.directory().agent_of_number(did.client, target)
    if agent is None or digit not in offered:
        return None
    return replace(offered[digit], destination=agent.destination)


async def _means(call: Call, desk: Desk) -> Means:
    """Read what the caller can pay with."""
    return await asyncio.gather(
        desk.charging.balance(call.account), desk.charging.allowances(call.account)
    )


def _introduce(call: Call, did: Did, balance: Balance, desk: Desk) -> tuple[str, ...]:
    """Welcome the caller and tell the balance."""
    lead = Prompt.BALANCE_IS if balance.mode == "prepaid" else Prompt.CAN_SPEND
    amount = speech.money(balance.spendable, balance.currency, call.language)
    return (greeting(call, did, desk), lead, *amount)
