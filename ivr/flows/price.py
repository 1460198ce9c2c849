"""What will it cost, and is there enough? The step between the topic and the hold.

    covered by a plan -> price -> how long the money lasts -> "press 1", where the line demands it

A prepaid caller with too little may use a voucher first; nothing was charged until here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from billing.domain.cover import Allowance
from billing.domain.sessions import Balance, SessionTerms
from billing.errors import BillingError
from ivr.calls.call import LASTS_SECONDS_MAX, Call
from ivr.calls.states import EndReason
from ivr.directory.model import Did
from ivr.flows import speech
from ivr.flows.desk import CallEnds, Desk
from ivr.flows.prompts import Prompt
from ivr.telephony import CallLeg

VOUCHERS_MAX: Final = 3
VOUCHER_DIGITS_MAX: Final = 20
VOUCHER_SECONDS: Final = 10.0
ACCEPT_SECONDS: Final = 6.0
YES: Final = "1"


async def agree_on_price(
    leg: CallLeg,
    call: Call,
    did: Did,
    terms: SessionTerms,
    balance: Balance,
    allowances: Sequence[Allowance],
    desk: Desk,
) -> None:
    """Speak the price before anything is charged; who hangs up now pays nothing.

    Raises:
        CallEnds: the money is not enough, or the caller did not accept.

    """
    covered = sum(allowance.seconds for allowance in allowances)
    if not covered and balance.mode == "prepaid":
        balance = await _enough(leg, call, terms, balance, desk)
    call.ceiling_seconds = _ceiling(call, did, terms)
    words = _price(call, terms, balance, covered)
    if not did.rules.confirm_price:
        await leg.play(*words, Prompt.CONNECTING)
        return
    call.ask("price")
    answer = await leg.collect(
        *words, Prompt.ACCEPT_PRICE, digits_max=1, wait_seconds=ACCEPT_SECONDS
    )
    call.ask("")
    if answer != YES:
        raise CallEnds(EndReason.PRICE_DECLINED)
    await leg.play(Prompt.CONNECTING)


def _ceiling(call: Call, did: Did, terms: SessionTerms) -> int | None:
    """Find the longest talk that the line allows; who gave no PIN may spend less."""
    limits = []
    if did.rules.maximum_talk_seconds is not None:
        limits.append(did.rules.maximum_talk_seconds)
    if did.rules.spend_limit is not None and not call.proved:
        limits.append(
            terms.table.affordable_seconds(did.rules.spend_limit, seconds_max=LASTS_SECONDS_MAX)
        )
    if limits and min(limits) < terms.table.first_seconds:
        raise CallEnds(EndReason.BALANCE_TOO_SMALL)
    return min(limits, default=None)


def _price(call: Call, terms: SessionTerms, balance: Balance, covered: int) -> tuple[str, ...]:
    words: tuple[str, ...] = ()
    if covered:
        words = (Prompt.PLAN_PAYS, *speech.duration(covered, call.language))
    lasts = terms.table.affordable_seconds(balance.spendable, seconds_max=LASTS_SECONDS_MAX)
    if lasts >= terms.table.first_seconds:
        if covered:
            words = (*words, Prompt.PLAN_THEN)
        words = (*words, *speech.price(terms.table.tariff, terms.table.tiers, call.language))
        if balance.mode == "prepaid" and lasts < (call.ceiling_seconds or LASTS_SECONDS_MAX):
            words = (*words, Prompt.BALANCE_LASTS, *speech.duration(lasts, call.language))
    elif not covered:
        raise CallEnds(EndReason.BALANCE_TOO_SMALL)
    return words


async def _enough(
    leg: CallLeg, call: Call, terms: SessionTerms, balance: Balance, desk: Desk
) -> Balance:
    """Let a caller with too little use vouchers, until it is enough or three were wrong."""
    prompt = Prompt.ENTER_VOUCHER
    for _ in range(VOUCHERS_MAX):
        if terms.table.cost(terms.table.first_seconds) <= balance.spendable:
            return balance
        call.ask("voucher")
        code = await leg.collect(
            prompt, digits_max=VOUCHER_DIGITS_MAX, wait_seconds=VOUCHER_SECONDS
        )
        call.ask("")
        if not code:
            return balance
        try:
            await desk.redeem(call.account, code)
        except BillingError:
            prompt = Prompt.VOUCHER_WRONG
            continue
        balance = await desk.charging.balance(call.account)
        prompt = Prompt.ENTER_VOUCHER
        await leg.play(
            Prompt.BALANCE_IS, *speech.money(balance.spendable, balance.currency, call.language)
        )
    return balance
