"""What will it cost, and is there enough? The step between the topic and the hold.

    covered by a plan -> price -> how long the money lasts -> "press 1", where the line demands it

A prepaid caller with too little may use a voucher first; nothing was charged until here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from zoneinfo import ZoneInfo

from billing.clock import microseconds_of
from billing.domain.cover import Allowance
from billing.domain.sessions import Balance, SessionTerms
from billing.errors import BillingError
from billing.money import Micros
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
    call.ceiling_seconds = await longest_talk(call, did, terms, desk)
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


async def longest_talk(call: Call, did: Did, terms: SessionTerms, desk: Desk) -> int | None:
    """Find the longest talk that the line allows; who gave no PIN may spend less.

    Raises:
        CallEnds: not even the shortest talk is allowed.

    """
    limits = []
    if did.rules.maximum_talk_seconds is not None:
        limits.append(did.rules.maximum_talk_seconds)
    if did.rules.spend_limit is not None and not call.proved:
        limits.append(
            terms.table.affordable_seconds(did.rules.spend_limit, seconds_max=LASTS_SECONDS_MAX)
        )
    if limits and min(limits) < terms.table.first_seconds:
        raise CallEnds(EndReason.BALANCE_TOO_SMALL)
    limits += _left_of_account(call, terms, desk)
    if did.rules.daily_limit is not None:
        limits.append(await _left_today(call, did, terms, did.rules.daily_limit, desk))
    return min(limits, default=None)


def _left_of_account(call: Call, terms: SessionTerms, desk: Desk) -> list[int]:
    """Find the talk that the limits of the installation leave an account today.

    What is held for its other calls counts as used.
    """
    fraud, left = desk.directory().limits, []
    if fraud.account_talk_seconds is None and fraud.account_spend is None:
        return []
    others = [one for one in desk.registry if one.account == call.account and one is not call]
    if fraud.account_talk_seconds is not None:
        held = sum(one.granted.seconds for one in others)
        left.append(fraud.account_talk_seconds - desk.tally.talked_seconds(call.account) - held)
    if fraud.account_spend is not None:
        held = sum(one.snapshot().held for one in others)
        spendable = max(0, fraud.account_spend - desk.tally.spent(call.account) - held)
        left.append(terms.table.affordable_seconds(spendable, seconds_max=LASTS_SECONDS_MAX))
    if min(left) < max(1, terms.table.first_seconds):
        raise CallEnds(EndReason.DAILY_LIMIT)
    return left


async def _left_today(call: Call, did: Did, terms: SessionTerms, limit: Micros, desk: Desk) -> int:
    """Find the talk that an account has left today; what is held for other calls is spent."""
    here = desk.clock.now().astimezone(ZoneInfo(did.timezone))
    midnight = here.replace(hour=0, minute=0, second=0, microsecond=0)
    spent = await desk.store.spent(call.account, did.number, microseconds_of(midnight))
    balance = await desk.charging.balance(call.account)
    left = max(0, limit - spent - balance.held)
    seconds = terms.table.affordable_seconds(left, seconds_max=LASTS_SECONDS_MAX)
    if seconds < terms.table.first_seconds:
        raise CallEnds(EndReason.DAILY_LIMIT)
    return seconds


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
            await desk.people.redeem(call.account, code)
        except BillingError:
            prompt = Prompt.VOUCHER_WRONG
            continue
        balance = await desk.charging.balance(call.account)
        prompt = Prompt.ENTER_VOUCHER
        await leg.play(
            Prompt.BALANCE_IS, *speech.money(balance.spendable, balance.currency, call.language)
        )
    return balance
