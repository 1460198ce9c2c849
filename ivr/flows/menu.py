"""The topic menu: one digit, barge-in, repeated a few times, then the operator or goodbye."""

from __future__ import annotations

from typing import Final

from ivr.calls.call import Call
from ivr.calls.states import EndReason
from ivr.directory.model import Did, Topic
from ivr.flows.desk import CallEnds
from ivr.flows.prompts import Prompt, topic_prompt
from ivr.telephony import CallLeg

TRIES_MAX: Final = 3
CHOICE_SECONDS: Final = 6.0
OPERATOR_DIGIT: Final = 0


async def choose_topic(leg: CallLeg, call: Call, did: Did, introduction: tuple[str, ...]) -> Topic:
    """Offer the topics and return the chosen one; silence ends at the operator, if there is one.

    Raises:
        CallEnds: nothing valid was chosen and there is no operator.

    """
    call.ask("topic")
    choices = {topic.digit: topic for topic in did.topics}
    offer = _offer(did)
    before = introduction
    for _ in range(TRIES_MAX):
        digits = await leg.collect(*before, *offer, digits_max=1, wait_seconds=CHOICE_SECONDS)
        topic = choices.get(int(digits)) if digits.isdecimal() else None
        if topic:
            call.ask("")
            return topic
        before = (Prompt.CHOICE_INVALID if digits else Prompt.CHOICE_MISSING,)
    call.ask("")
    if OPERATOR_DIGIT in choices:
        return choices[OPERATOR_DIGIT]
    raise CallEnds(EndReason.NO_CHOICE)


def _offer(did: Did) -> tuple[str, ...]:
    words: list[str] = [Prompt.CHOOSE_TOPIC]
    # The operator is offered last, as callers expect.
    for topic in sorted(did.topics, key=lambda topic: topic.digit or 10):
        name = topic_prompt(digit=topic.digit, name=topic.name)
        words += [Prompt.FOR, name, Prompt.PRESS, f"num-{topic.digit}"]
    return tuple(words)
