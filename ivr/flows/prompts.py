"""Every sound by name, and which error is told with which.

The texts are in asterisk-conf/prompts; a test proves that each name here has its sound file.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from ivr.calls.states import EndReason


class Prompt(StrEnum):
    """A recorded sentence, or a piece of one."""

    WELCOME = "welcome"
    LINE_CLOSED = "line-closed"
    LINE_BUSY = "line-busy"
    TECHNICAL_PROBLEM = "technical-problem"
    ENTER_ACCOUNT = "enter-account"
    ENTER_PIN = "enter-pin"
    LOGIN_WRONG = "login-wrong"
    REGISTER_PHONE = "register-phone"
    PHONE_REGISTERED = "phone-registered"
    LOGIN_TOO_MANY = "login-too-many"
    CALLER_UNKNOWN = "caller-unknown"
    ACCOUNT_BLOCKED = "account-blocked"
    BALANCE_IS = "balance-is"
    CAN_SPEND = "can-spend"
    CHOOSE_TOPIC = "choose-topic"
    FOR = "for"
    PRESS = "press"
    CHOICE_INVALID = "choice-invalid"
    CHOICE_MISSING = "choice-missing"
    PRICE_SETUP = "price-setup"
    PRICE_IS = "price-is"
    PRICE_PER_MINUTE = "price-per-minute"
    PRICE_AFTER = "price-after"
    PRICE_THEN = "price-then"
    BALANCE_LASTS = "balance-lasts"
    MINUTE = "minute"
    MINUTES = "minutes"
    SECOND = "second"
    SECONDS = "seconds"
    HOUR = "hour"
    HOURS = "hours"
    PLAN_PAYS = "plan-pays"
    PLAN_THEN = "plan-then"
    PLAN_PAID = "plan-paid"
    BALANCE_TOO_SMALL = "balance-too-small"
    CONNECTING = "connecting"
    NO_AGENT = "no-agent"
    BEEP = "beep"
    LEAVE_MESSAGE = "leave-message"
    MESSAGE_KEPT = "message-kept"
    CALLBACK_OFFER = "callback-offer"
    CALLBACK_KEPT = "callback-kept"
    CALLBACK_AGENT = "callback-agent"
    CALLED_BACK = "called-back"
    RECORDED = "recorded"
    LISTENED = "listened"
    TRANSFERRED = "transferred"
    DAILY_LIMIT = "daily-limit"
    AGENT_NUMBER = "agent-number"
    AGENT_AVAILABLE = "agent-available"
    AGENT_PAUSED = "agent-paused"
    AGENT_LOGGED_OUT = "agent-logged-out"
    AGENT_MENU = "agent-menu"
    RATE_AGENT = "rate-agent"
    TIME_LEFT = "time-left"
    PRICE_RISES = "price-rises"
    TIME_ENDED = "time-ended"
    ACCEPT_PRICE = "accept-price"
    TOPIC_CLOSED = "topic-closed"
    ENTER_VOUCHER = "enter-voucher"
    VOUCHER_WRONG = "voucher-wrong"
    PREMIUM_PRICE = "premium-price"
    OTHER_CURRENCY = "other-currency"
    TOPIC_UNAVAILABLE = "topic-unavailable"
    CALL_COST = "call-cost"
    BALANCE_LEFT = "balance-left"
    MONEY_ENDED = "money-ended"
    GOODBYE = "goodbye"
    MINUS = "num-minus"
    HUNDRED = "num-hundred"
    THOUSAND = "num-thousand"
    MILLION = "num-million"
    AND = "and"


# What the caller hears last when a call ends without a talk; the others end without a word.
LAST_WORDS: Final = {
    EndReason.UNKNOWN_CALLER: Prompt.CALLER_UNKNOWN,
    EndReason.LOGIN_FAILED: Prompt.LOGIN_TOO_MANY,
    EndReason.ACCOUNT_BLOCKED: Prompt.ACCOUNT_BLOCKED,
    EndReason.NO_CHOICE: Prompt.GOODBYE,
    EndReason.BALANCE_TOO_SMALL: Prompt.BALANCE_TOO_SMALL,
    EndReason.NO_AGENT: Prompt.NO_AGENT,
    EndReason.PRICE_DECLINED: Prompt.GOODBYE,
    EndReason.DAILY_LIMIT: Prompt.DAILY_LIMIT,
    EndReason.TOPIC_CLOSED: Prompt.TOPIC_CLOSED,
    EndReason.MESSAGE_LEFT: Prompt.MESSAGE_KEPT,
    EndReason.CALLBACK_ASKED: Prompt.CALLBACK_KEPT,
    EndReason.AGENT_DESK: Prompt.GOODBYE,
    EndReason.OTHER_CURRENCY: Prompt.OTHER_CURRENCY,
    EndReason.TOPIC_UNAVAILABLE: Prompt.TOPIC_UNAVAILABLE,
    EndReason.LINE_CLOSED: Prompt.LINE_CLOSED,
    EndReason.LINE_SUSPENDED: Prompt.LINE_CLOSED,
    EndReason.LINE_BUSY: Prompt.LINE_BUSY,
    EndReason.TECHNICAL_PROBLEM: Prompt.TECHNICAL_PROBLEM,
}

# Topics with a recorded name; any other is announced by its number.
NAMED_TOPICS: Final = frozenset(
    {
        "billing",
        "network",
        "operator",
        "sales",
        "software",
        "hardware",
        "legal",
        "medical",
        "telecom",
        "general",
    }
)


def language_question(place: int) -> str:
    """Name the recording that every language has of "for this language, press this digit"."""
    return f"language-{place}"


def own_prompt(*, client: str, language: str, name: str) -> str:
    """Name a recording of a client's own."""
    return f"own/{client}/{language}/{name}"


def topic_prompt(*, digit: int, name: str) -> str:
    """Name the recording that announces a topic."""
    slug = name.strip().lower()
    return f"topic-{slug}" if slug in NAMED_TOPICS else f"topic-{digit}"
