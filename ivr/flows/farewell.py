"""The last words of a call whose service died in the middle.

The dialplan comes here when it finds no proof of a clean end and a service answers again.
Recovery has adopted the call or is about to; this flow waits for its settlement and tells the
caller what it cost. Where there was no talk it apologises; the caller has paid nothing.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from ivr.flows.desk import Desk
from ivr.flows.prompts import Prompt
from ivr.telephony import CallerHungUp, CallLeg, LegFailed

SETTLED_WITHIN_SECONDS: Final = 8.0

log = structlog.get_logger()


async def farewell(leg: CallLeg, desk: Desk) -> None:
    """Tell the caller how its interrupted call ended."""
    call = desk.registry.find_uniqueid(leg.facts.uniqueid)
    try:
        if call is not None and call.adopted:
            call.dial_ended_without_talk = call.talk.started_us is None
            desk.registry.relinked.set()
            async with asyncio.timeout(SETTLED_WITHIN_SECONDS):
                await call.concluded.wait()
        talked = call is not None and call.talk.started_us is not None
        await leg.play(Prompt.GOODBYE if talked else Prompt.TECHNICAL_PROBLEM)
        await leg.finish()
        await leg.hang_up()
    except TimeoutError:
        log.warning("farewell without a settlement")
    except (CallerHungUp, LegFailed):
        log.info("caller did not wait for the farewell")
