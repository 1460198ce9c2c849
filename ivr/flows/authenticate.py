"""Who is calling? By trusted caller id, or by account number and PIN.

A caller id is a claim: it may choose the account, only a PIN proves it, unless the operator trusts
the trunk of this DID. An unknown account and a wrong PIN sound alike and take the same time.
"""

from __future__ import annotations

import re
from typing import Final

from ivr.calls.call import Call
from ivr.calls.states import EndReason
from ivr.directory.model import Did
from ivr.flows.desk import CallEnds, Desk
from ivr.flows.own import greeting
from ivr.flows.prompts import Prompt
from ivr.telephony import CallLeg

TRIES_MAX: Final = 3
ACCOUNT_DIGITS_MAX: Final = 12
PIN_DIGITS_MAX: Final = 12
INPUT_SECONDS: Final = 8.0
REGISTRATION_SECONDS: Final = 3.0
YES: Final = "1"
# Shorter ones are extensions, which many share.
PHONE: Final = re.compile(r"\+?[0-9]{7,15}", re.ASCII)


async def authenticate(leg: CallLeg, call: Call, did: Did, desk: Desk) -> str:
    """Return the code of the caller's account.

    Raises:
        CallEnds: the caller could not prove who it is.

    """
    claimed = desk.directory().account_of_phone(leg.facts.caller_number)
    access = did.access
    if claimed and access.trust_caller_id and access.pin != "required":
        return claimed
    if access.pin == "never":
        raise CallEnds(EndReason.UNKNOWN_CALLER)
    words: tuple[str, ...] = (greeting(call, did, desk),)
    for _ in range(TRIES_MAX):
        account = claimed or await _ask_account(leg, call, desk, words)
        call.ask("pin")
        pin = await leg.collect(
            *(words if claimed else ()),
            Prompt.ENTER_PIN,
            digits_max=PIN_DIGITS_MAX,
            wait_seconds=INPUT_SECONDS,
        )
        if await desk.people.check_pin(account, pin, leg.facts.caller_number) and account:
            call.ask("")
            call.proved = True
            if not claimed and access.trust_caller_id:
                await _offer_registration(leg, account, desk)
            return account
        words = (Prompt.LOGIN_WRONG,)
    raise CallEnds(EndReason.LOGIN_FAILED)


async def _offer_registration(leg: CallLeg, account: str, desk: Desk) -> None:
    """Let a caller be known by this phone next time, where the trunk's caller ids are trusted."""
    number = leg.facts.caller_number
    if not PHONE.fullmatch(number):
        return
    answer = await leg.collect(
        Prompt.REGISTER_PHONE, digits_max=1, wait_seconds=REGISTRATION_SECONDS
    )
    if answer == YES and await desk.people.register_phone(account, number):
        await leg.play(Prompt.PHONE_REGISTERED)


async def _ask_account(leg: CallLeg, call: Call, desk: Desk, words: tuple[str, ...]) -> str | None:
    call.ask("account")
    digits = await leg.collect(
        *words,
        Prompt.ENTER_ACCOUNT,
        digits_max=ACCOUNT_DIGITS_MAX,
        wait_seconds=INPUT_SECONDS,
    )
    return desk.directory().account_of_number(digits)
