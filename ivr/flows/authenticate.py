"""Who is calling? By trusted caller id, or by account number and PIN.

A caller id is a claim: it may choose the account, only a PIN proves it, unless the operator trusts
the trunk of this DID. An unknown account and a wrong PIN sound alike and take the same time.
"""

from __future__ import annotations

from typing import Final

from ivr.calls.call import Call
from ivr.calls.states import EndReason
from ivr.directory.model import Did
from ivr.flows.desk import CallEnds, Desk
from ivr.flows.prompts import Prompt
from ivr.telephony import CallLeg

TRIES_MAX: Final = 3
ACCOUNT_DIGITS_MAX: Final = 12
PIN_DIGITS_MAX: Final = 12
INPUT_SECONDS: Final = 8.0


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
    greeting: tuple[str, ...] = (Prompt.WELCOME,)
    for _ in range(TRIES_MAX):
        account = claimed or await _ask_account(leg, call, desk, greeting)
        call.ask("pin")
        pin = await leg.collect(
            *(greeting if claimed else ()),
            Prompt.ENTER_PIN,
            digits_max=PIN_DIGITS_MAX,
            wait_seconds=INPUT_SECONDS,
        )
        if await desk.check_pin(account, pin) and account:
            call.ask("")
            return account
        greeting = (Prompt.LOGIN_WRONG,)
    raise CallEnds(EndReason.LOGIN_FAILED)


async def _ask_account(
    leg: CallLeg, call: Call, desk: Desk, greeting: tuple[str, ...]
) -> str | None:
    call.ask("account")
    digits = await leg.collect(
        *greeting,
        Prompt.ENTER_ACCOUNT,
        digits_max=ACCOUNT_DIGITS_MAX,
        wait_seconds=INPUT_SECONDS,
    )
    return desk.directory().account_of_number(digits)
