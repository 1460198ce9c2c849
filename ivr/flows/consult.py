"""The agents' side of a transfer after a consultation; the caller's side is in `support`."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from ivr.flows.desk import Desk
from ivr.telephony import CallerHungUp, CallLeg, LegFailed

# Agents among themselves cost nothing, but do not keep a caller waiting for ever.
CONSULTATION_SECONDS: Final = 300

# A channel that still runs what its keys began cannot be sent elsewhere.
KEYS_SECONDS: Final = 0.3

log = structlog.get_logger()


async def wish(leg: CallLeg, desk: Desk) -> None:
    """Take an agent that pressed the keys for it out of the talk."""
    uniqueid, _, target = leg.facts.did.partition("-")
    call = desk.registry.find_uniqueid(uniqueid)
    if call is None or call.talk.agent_channel != leg.facts.channel or not target.isdecimal():
        log.warning("a wish of nobody's agent")
        return
    log.info("agent wants to consult", call_id=call.id, target=target)

    async def take_out() -> None:
        await asyncio.sleep(KEYS_SECONDS)
        await desk.registry.consult(call, target)

    desk.consultations.soon(take_out())


async def consult(leg: CallLeg, desk: Desk) -> None:
    """Let the first agent talk to the other one, and say who has the caller afterwards."""
    consultation = await desk.consultations.opened(leg.facts.did)
    if consultation is None:
        return
    log.info("agents consult", destination=consultation.destination)
    try:
        await leg.consult(
            consultation.destination,
            limit_seconds=CONSULTATION_SECONDS,
            ring_seconds=desk.ring_seconds,
        )
    except CallerHungUp:
        consultation.end(consultation.other)
    except LegFailed:
        consultation.end(leg.facts.channel)
        raise
    else:
        consultation.end(leg.facts.channel)


async def consulted(leg: CallLeg, desk: Desk) -> None:
    """Note who the other agent is, the moment it answers."""
    if consultation := desk.consultations.find(leg.facts.did):
        consultation.other = leg.facts.channel
