"""How values are written on pages: exact money with its currency, moments with their zone."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup, escape

from billing.clock import moment_of
from billing.domain.notation import format_percent
from billing.money import Micros, format_amount

MINUTE: Final = 60
HOUR: Final = 3600
NO_BREAK: Final = "\N{NO-BREAK SPACE}"
MINUS: Final = "\N{MINUS SIGN}"

STATES: Final = {
    "ringing": "Ringing",
    "authenticated": "Identified",
    "choosing": "In the menu",
    "quoted": "Hears the price",
    "waiting": "Waiting for an agent",
    "talking": "Talking",
    "ended": "Ended",
}
END_REASONS: Final = {
    "caller_hung_up": "Caller hung up",
    "agent_hung_up": "Agent hung up",
    "balance_spent": "Balance spent",
    "balance_too_small": "Balance too small",
    "account_blocked": "Account blocked",
    "unknown_caller": "Unknown caller",
    "login_failed": "Wrong account or PIN",
    "no_choice": "No topic chosen",
    "no_agent": "No agent answered",
    "time_limit": "Longest talk reached",
    "price_declined": "Price not accepted",
    "daily_limit": "Daily limit reached",
    "topic_closed": "Topic closed",
    "message_left": "Message left",
    "callback_asked": "Callback asked for",
    "no_answer": "Caller did not answer",
    "transferred": "Put through by the agent",
    "agent_desk": "Agent's own call",
    "other_currency": "Account in another currency",
    "topic_unavailable": "Topic unavailable",
    "line_closed": "Line closed",
    "line_busy": "Line busy",
    "operator_hung_up": "Ended by an operator",
    "technical_problem": "Technical problem",
    "service_lost": "Service was restarted",
}
KINDS: Final = {
    "top_up": "Top-up",
    "settle": "Call",
    "adjustment": "Correction",
    "refund": "Refund",
    "opening": "Opening balance",
    "payout": "Payout",
    "fee": "Fee",
    "voucher": "Voucher",
    "payment": "Payment",
    "discount": "Early-payment discount",
    "credit_note": "Credit note",
}
EVIDENCE: Final = {
    "ami": "Asterisk's bridge events",
    "cel": "Asterisk's channel event log",
    "monotonic": "our own clock",
    "estimate": "an estimate, marked for review",
}

_MONEY: Final = Markup(
    '<span class="money">{}{}.{}<span class="micro">{}</span>{}<span class="cur">{}</span></span>'
)


def money(amount: Micros | None, currency: str | None) -> Markup:
    """Write an exact amount with its currency; a dash when there is none.

    What is smaller than a cent is set apart, so that columns of amounts line up at their points.
    """
    if amount is None or not currency:
        return Markup("\N{EN DASH}")
    whole, _, fraction = format_amount(abs(amount)).partition(".")
    sign = MINUS if amount < 0 else ""
    return _MONEY.format(sign, f"{int(whole):,}", fraction[:2], fraction[2:], NO_BREAK, currency)


def signed(amount: Micros, currency: str) -> Markup:
    """Write a movement: its sign is what matters."""
    return Markup("+") + money(amount, currency) if amount > 0 else money(amount, currency)


def moment(at_us: int | None) -> Markup:
    """Write a moment to the second, in UTC; machines find it exact in the attribute."""
    if at_us is None:
        return Markup("\N{EN DASH}")
    at = moment_of(at_us)
    return Markup('<time datetime="{}">{}</time>').format(
        at.isoformat().replace("+00:00", "Z"), f"{at:%Y-%m-%d %H:%M:%S}{NO_BREAK}UTC"
    )


def clock_time(at_us: int) -> str:
    """Write the time of day with milliseconds, in UTC."""
    at = moment_of(at_us)
    return f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}"


def duration(seconds: float | None) -> str:
    """Write whole seconds as 0:42, 12:05 or 1:02:03."""
    if seconds is None:
        return "\N{EN DASH}"
    whole = int(seconds)
    hours, rest = divmod(whole, HOUR)
    minutes, left = divmod(rest, MINUTE)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"


def exact_seconds(microseconds: int | None) -> str:
    """Write a measured duration in seconds, to the millisecond."""
    if microseconds is None:
        return "\N{EN DASH}"
    return f"{microseconds // 1000 / 1000:,.3f}{NO_BREAK}s"


def per(per_seconds: int) -> str:
    """Write the unit of a price."""
    return {1: "second", MINUTE: "minute", HOUR: "hour"}.get(per_seconds, f"{per_seconds} s")


def count(number: int) -> str:
    """Write a count."""
    return f"{number:,}"


def outcome(end_reason: str | None, state: str) -> str:
    """Say how a call ended, or where it stands."""
    if end_reason:
        return END_REASONS.get(end_reason, end_reason.replace("_", " "))
    return STATES.get(state, state)


FILTERS: Final = {
    "money": money,
    "signed": signed,
    "moment": moment,
    "clock_time": clock_time,
    "duration": duration,
    "exact_seconds": exact_seconds,
    "per": per,
    "count": count,
    "outcome": outcome,
    "percent": format_percent,
    "plain_amount": format_amount,
    "state": lambda text: STATES.get(text, text),
    "kind": lambda text: KINDS.get(text, text.replace("_", " ")),
    "evidence": lambda text: EVIDENCE.get(text, text),
    "slug": lambda text: escape(text.replace("_", "-")),
}
