"""Calling a caller back: an agent is rung first, then the caller, who presses 1 and pays the talk.

agent answers, presses 1 -> price fixed, money held -> caller rings, hears the price, presses 1
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import structlog

from ivr.calls.call import Call
from ivr.calls.callbacks import Callback
from ivr.calls.states import CallEvent, EndReason
from ivr.directory.destinations import Destination
from ivr.directory.model import Did, Topic
from ivr.flows import speech
from ivr.flows.connecting import hold, may_dial, quote
from ivr.flows.desk import CallEnds, Desk
from ivr.flows.ending import conclude
from ivr.flows.own import greeting, topic_name
from ivr.flows.price import longest_talk
from ivr.flows.prompts import Prompt
from ivr.flows.support import serve
from ivr.telephony import CallerHungUp, CallLeg, DialResult, Gate, LegFailed, Manner

ACCEPT_SECONDS: Final = 6.0
YES: Final = "1"

log = structlog.get_logger()


async def call_back(leg: CallLeg, desk: Desk) -> None:
    """Serve an agent who was rung for a caller that asked to be called back."""
    callback = desk.callbacks.rung(leg.facts.did)
    if callback is None:
        log.warning("nobody asked for this callback")
        return
    call = Call(
        id=desk.new_id(),
        facts=replace(leg.facts, did=callback.did, caller_number=callback.number),
        boot=desk.boot(),
        started_us=int(desk.clock.now().timestamp() * 1_000_000),
        clock=desk.clock,
        account=callback.account,
        language=callback.language,
        called_back=True,
    )

    async def step(leg: CallLeg, call: Call, did: Did, desk: Desk) -> EndReason:
        return await _bring_together(leg, call, did, callback, desk)

    with structlog.contextvars.bound_contextvars(call_id=call.id):
        log.info("call began", did=call.facts.did, callback=callback.id)
        try:
            call.end_reason = await serve(leg, call, step, desk)
            talked = await conclude(call, desk) is not None or call.talk.started_us is not None
            await leg.finish()
            await leg.hang_up()
        except (CallerHungUp, LegFailed):
            talked = call.talk.started_us is not None
        finally:
            desk.registry.remove(call)
        if talked:
            await desk.callbacks.done(callback, call_id=call.id)
        else:
            await _note_failure(call, callback, desk)


async def _bring_together(
    leg: CallLeg, call: Call, did: Did, callback: Callback, desk: Desk
) -> EndReason:
    topic = did.topic(callback.digit)
    client = desk.directory().client(did.client)
    if topic is None or not may_dial(callback.number, client, desk):
        raise CallEnds(EndReason.TOPIC_UNAVAILABLE)
    call.ask("callback")
    answer = await leg.collect(
        Prompt.CALLBACK_AGENT,
        topic_name(call, did, topic, desk),
        digits_max=1,
        wait_seconds=ACCEPT_SECONDS,
    )
    call.ask("")
    if answer != YES:
        raise CallEnds(EndReason.NO_AGENT)
    call.take(CallEvent.IDENTIFIED)
    call.take(CallEvent.MENU_OPENED)
    return await _ring_caller(leg, call, did, topic, callback, desk)


async def _ring_caller(
    leg: CallLeg, call: Call, did: Did, topic: Topic, callback: Callback, desk: Desk
) -> EndReason:
    allowances = await desk.charging.allowances(call.account)
    terms = quote(call, did, topic, allowances, desk)
    phone = Destination(kind="phone", target=callback.number)
    call.destination = str(phone)
    call.take(CallEvent.TOPIC_CHOSEN)
    call.ceiling_seconds = await longest_talk(call, did, terms, desk)
    await hold(leg, call, terms, phone, desk)
    price = speech.price(terms.table.tariff, terms.table.tiers, callback.language)
    result = await leg.connect(
        str(phone),
        limit_seconds=call.limit_seconds,
        ring_seconds=desk.ring_seconds,
        manner=Manner(
            gate=Gate.CALLED_BACK,
            caller_id=did.number,
            words=(greeting(call, did, desk), *price, Prompt.CALLED_BACK),
            language=callback.language,
        ),
    )
    if result is not DialResult.TALKED:
        call.dial_ended_without_talk = True
        return EndReason.NO_ANSWER
    return EndReason.AGENT_HUNG_UP


async def _note_failure(call: Call, callback: Callback, desk: Desk) -> None:
    """An agent who did not press 1 is no try; a caller who did not answer is one."""
    if call.end_reason in {EndReason.NO_AGENT, EndReason.CALLER_HUNG_UP}:
        await desk.callbacks.later(callback)
    else:
        await desk.callbacks.failed(callback, str(call.end_reason))
