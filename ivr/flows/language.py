"""In which language? The account's, else the caller's choice by digit, else the line's first.

"For English, press one."  "Für Deutsch drücken Sie zwei."  …  each by its own recording
"""

from __future__ import annotations

from typing import Final

import structlog

from ivr.calls.call import Call
from ivr.directory.model import Did
from ivr.flows.desk import Desk
from ivr.flows.prompts import language_question
from ivr.telephony import CallLeg

# Between two questions, and after the last one.
PAUSE_SECONDS: Final = 0.6
CHOICE_SECONDS: Final = 4.0

log = structlog.get_logger()


async def choose_language(leg: CallLeg, call: Call, did: Did, desk: Desk) -> None:
    """Settle the language of a call; silence or a wrong key takes the line's first."""
    offered = did.rules.languages
    if not offered:
        return
    call.language = _known(call, did, desk) or offered[0]
    if len(offered) > 1 and _known(call, did, desk) is None:
        answer = await _ask(leg, call, offered)
        if answer.isdecimal() and 0 < int(answer) <= len(offered):
            call.language = offered[int(answer) - 1]
    await leg.speak(call.language)
    log.info("language chosen", language=call.language)


def _known(call: Call, did: Did, desk: Desk) -> str | None:
    """Find the language of the account whose phone this is, where caller ids are trusted."""
    directory = desk.directory()
    account = directory.account_of_phone(call.facts.caller_number)
    own = directory.languages.get(account) if account and did.access.trust_caller_id else None
    return own if own in did.rules.languages else None


async def _ask(leg: CallLeg, call: Call, offered: tuple[str, ...]) -> str:
    call.ask("language")
    answer = ""
    for place, language in enumerate(offered, 1):
        await leg.speak(language)
        wait = CHOICE_SECONDS if place == len(offered) else PAUSE_SECONDS
        answer = await leg.collect(language_question(place), digits_max=1, wait_seconds=wait)
        if answer:
            break
    call.ask("")
    return answer
