"""The line on which agents come, pause and go: their number, their PIN, one digit."""

from __future__ import annotations

from typing import Final

import structlog

from ivr.calls.call import Call
from ivr.calls.states import EndReason
from ivr.directory.model import Did
from ivr.directory.queues import Agent, pin_name
from ivr.flows.desk import CallEnds, Desk
from ivr.flows.own import greeting
from ivr.flows.prompts import Prompt
from ivr.telephony import CallLeg

TRIES_MAX: Final = 3
CHANGES_MAX: Final = 10
DIGITS_MAX: Final = 12
INPUT_SECONDS: Final = 8.0
STATE_OF_DIGIT: Final = {"1": "available", "2": "paused", "3": "logged_out"}
WORDS: Final = {
    "available": Prompt.AGENT_AVAILABLE,
    "paused": Prompt.AGENT_PAUSED,
    "logged_out": Prompt.AGENT_LOGGED_OUT,
}

log = structlog.get_logger()


async def agents_line(leg: CallLeg, call: Call, did: Did, desk: Desk) -> EndReason:
    """Let an agent change whether it takes calls.

    Raises:
        CallEnds: nobody proved to be an agent.

    """
    agent = await _who(leg, call, did, desk)
    state = desk.directory().away.get((did.client, agent.code), "available")
    for _ in range(CHANGES_MAX):
        call.ask("state")
        digit = await leg.collect(
            WORDS[state], Prompt.AGENT_MENU, digits_max=1, wait_seconds=INPUT_SECONDS
        )
        call.ask("")
        if digit not in STATE_OF_DIGIT:
            break
        state = STATE_OF_DIGIT[digit]
        await desk.people.set_agent(did.client, agent.code, state)
        log.info("agent changed", agent=agent.code, to=state)
    return EndReason.AGENT_DESK


async def _who(leg: CallLeg, call: Call, did: Did, desk: Desk) -> Agent:
    """Find out which agent this is; an unknown number and a wrong PIN sound alike."""
    words: tuple[str, ...] = (greeting(call, did, desk),)
    for _ in range(TRIES_MAX):
        call.ask("agent")
        number = await leg.collect(
            *words, Prompt.AGENT_NUMBER, digits_max=DIGITS_MAX, wait_seconds=INPUT_SECONDS
        )
        call.ask("pin")
        pin = await leg.collect(Prompt.ENTER_PIN, digits_max=DIGITS_MAX, wait_seconds=INPUT_SECONDS)
        call.ask("")
        agent = desk.directory().agent_of_number(did.client, number)
        name = pin_name(did.client, agent.code) if agent else None
        if await desk.people.check_pin(name, pin, leg.facts.caller_number) and agent:
            return agent
        words = (Prompt.LOGIN_WRONG,)
    raise CallEnds(EndReason.LOGIN_FAILED)
