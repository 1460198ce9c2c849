"""The topic menu: one digit, barge-in, repeated a few times, then the operator or goodbye."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from ivr.calls.call import Call
from ivr.calls.states import EndReason
from ivr.directory.model import Did, Topic
from ivr.flows.desk import CallEnds, Desk
from ivr.flows.own import topic_name
from ivr.flows.prompts import Prompt
from ivr.telephony import CallLeg

TRIES_MAX: Final = 3
CHOICE_SECONDS: Final = 6.0
OPERATOR_DIGIT: Final = 0


async def choose_topic(
    leg: CallLeg, call: Call, did: Did, introduction: tuple[str, ...], desk: Desk
) -> Topic:
    """Offer the topics and return the chosen one; silence ends at the operator.

    A closed one is offered, too, where it takes messages or requests to be called back.

    Raises:
        CallEnds: nothing valid was chosen and there is no operator.

    """
    call.ask("topic")
    choices = choices_at(did, desk.clock.now())
    closed = {topic.digit for topic in did.topics if topic.rules.enabled} - choices.keys()
    if not choices:
        raise CallEnds(EndReason.LINE_CLOSED)
    offered = offer(choices.values(), lambda topic: topic_name(call, did, topic, desk))
    before = introduction
    for _ in range(TRIES_MAX):
        digits = await leg.collect(*before, *offered, digits_max=1, wait_seconds=CHOICE_SECONDS)
        topic = choices.get(int(digits)) if digits.isdecimal() else None
        if topic:
            call.ask("")
            return topic
        before = (_why_not(digits, closed),)
    call.ask("")
    if OPERATOR_DIGIT in choices:
        return choices[OPERATOR_DIGIT]
    raise CallEnds(EndReason.NO_CHOICE)


def _why_not(digits: str, closed: set[int]) -> Prompt:
    if not digits:
        return Prompt.CHOICE_MISSING
    if digits.isdecimal() and int(digits) in closed:
        return Prompt.TOPIC_CLOSED
    return Prompt.CHOICE_INVALID


def choices_at(did: Did, now: datetime) -> dict[int, Topic]:
    """List by digit what can be chosen; a closed topic can where it takes something else."""
    open_now = did.offered(now)
    return {
        topic.digit: topic
        for topic in did.topics
        if topic in open_now or (topic.rules.enabled and topic.rules.otherwise)
    }


def offer(choices: Iterable[Topic], name_of: Callable[[Topic], str]) -> tuple[str, ...]:
    """Say which topics there are, each by its name and digit."""
    words: list[str] = [Prompt.CHOOSE_TOPIC]
    # The operator is offered last, as callers expect.
    for topic in sorted(choices, key=lambda topic: topic.digit or 10):
        if topic.rules.hidden:
            continue
        words += [Prompt.FOR, name_of(topic), Prompt.PRESS, f"num-{topic.digit}"]
    return tuple(words)
