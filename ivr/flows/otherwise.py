"""Nobody to talk to: leave a message, or ask to be called back. Neither costs anything."""

from __future__ import annotations

from typing import Final

import structlog

from ivr.calls.call import Call
from ivr.calls.meter import FAREWELL_SECONDS
from ivr.calls.states import EndReason
from ivr.directory.destinations import country_of
from ivr.directory.model import Topic
from ivr.flows.desk import CallEnds, Desk
from ivr.flows.prompts import LAST_WORDS, Prompt
from ivr.telephony import CallerHungUp, CallLeg

MESSAGE_SECONDS_MAX: Final = 180
CHOICE_SECONDS: Final = 5.0
YES: Final = "1"

log = structlog.get_logger()


async def otherwise(
    leg: CallLeg, call: Call, topic: Topic, desk: Desk, *, because: EndReason
) -> EndReason:
    """Offer what the topic has for such a case; returns how the call ends."""
    call.digit, call.topic = topic.digit, topic.name
    if topic.rules.otherwise == "voicemail" and desk.mailbox is not None:
        return await take_message(leg, call, desk, words=(LAST_WORDS[because],))
    if topic.rules.otherwise == "callback" and (number := _number(call, desk)):
        return await _offer_callback(leg, call, number, desk, because=because)
    return because


async def take_message(
    leg: CallLeg, call: Call, desk: Desk, *, words: tuple[str, ...] = ()
) -> EndReason:
    """Record what the caller says; a hangup ends the message, too."""
    if desk.mailbox is None:
        raise CallEnds(EndReason.TOPIC_UNAVAILABLE)
    await leg.set_limit(MESSAGE_SECONDS_MAX + FAREWELL_SECONDS)
    call.ask("message")
    await leg.play(*words, Prompt.LEAVE_MESSAGE, Prompt.BEEP)
    try:
        await leg.record_message(
            str(desk.mailbox.file(call.first_id, "message")), seconds_max=MESSAGE_SECONDS_MAX
        )
    except CallerHungUp:
        call.caller_gone = True
    call.ask("")
    if not desk.mailbox.is_there(call.first_id, "message"):
        return EndReason.CALLER_HUNG_UP if call.caller_gone else EndReason.NO_AGENT
    log.info("message left")
    return EndReason.MESSAGE_LEFT


def _number(call: Call, desk: Desk) -> str | None:
    """Say where the caller can be called back: only ordinary lines in countries that we dial."""
    number = f"+{call.facts.caller_number.removeprefix('+')}"
    return number if country_of(number) in desk.countries else None


async def _offer_callback(
    leg: CallLeg, call: Call, number: str, desk: Desk, *, because: EndReason
) -> EndReason:
    call.ask("callback")
    answer = await leg.collect(
        LAST_WORDS[because], Prompt.CALLBACK_OFFER, digits_max=1, wait_seconds=CHOICE_SECONDS
    )
    call.ask("")
    if answer != YES:
        return EndReason.NO_CHOICE
    assert call.digit is not None
    await desk.callbacks.ask(call, number, call.digit)
    return EndReason.CALLBACK_ASKED
