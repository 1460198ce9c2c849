"""How values are written on pages: exact money with its currency, moments with their zone.

Numbers and dates are written as the visitor of the running request reads them; the constants here
are English and go through the catalog where they are shown.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import cache
from typing import Final

from babel import Locale
from babel.dates import format_date, format_datetime, format_skeleton, get_timezone_name
from markupsafe import Markup, escape

from billing.clock import moment_of
from billing.domain.notation import format_percent
from billing.money import MICROS_PER_UNIT, Micros, format_amount
from ivr.web.language import ENGLISH, Viewer, gettext, viewer
from ivr.web.reasons import reason_of
from ivr.web.vocabulary import WORDS

MINUTE: Final = 60
KIB: Final = 1024
HOUR: Final = 3600
NO_BREAK: Final = "\N{NO-BREAK SPACE}"
MINUS: Final = "\N{MINUS SIGN}"

DASH: Final = "\N{EN DASH}"
NOTHING: Final = Markup("\N{EN DASH}")
ZONE_LENGTH_MAX: Final = 5

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
    "line_suspended": "Client suspended",
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
    "payout_rejected": "Rejected payout",
    "service_fee": "Monthly fee",
    "bonus": "Bonus",
    "rerate": "Rated again",
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

PER: Final = {1: "second", MINUTE: "minute", HOUR: "hour"}


def money(amount: Micros | None, currency: str | None) -> Markup:
    """Write an exact amount with its currency; a dash when there is none.

    What is smaller than a cent is set apart, so that columns of amounts line up at their points.
    """
    if amount is None or not currency:
        return NOTHING
    point, _ = _symbols(viewer().locale)
    whole, _, fraction = format_amount(abs(amount)).partition(".")
    sign = MINUS if amount < 0 else ""
    # Pages have hundreds of these, and Markup.format takes four times as long.
    return Markup(  # noqa: S704 - digits and signs of ours; the currency is escaped
        f'<span class="money">{sign}{count(int(whole))}{point}{fraction[:2]}'
        f'<span class="micro">{fraction[2:]}</span>{NO_BREAK}'
        f'<span class="cur">{escape(currency)}</span></span>'
    )


def signed(amount: Micros, currency: str) -> Markup:
    """Write a movement: its sign is what matters."""
    return Markup("+") + money(amount, currency) if amount > 0 else money(amount, currency)


def plain_money(amount: Micros, currency: str = "", *, decimals_min: int = 2) -> str:
    """Write an exact amount as text, for sentences, pictures and their equivalents."""
    point, _ = _symbols(viewer().locale)
    whole, _, fraction = format_amount(abs(amount), decimals_min=decimals_min).partition(".")
    written = f"{MINUS if amount < 0 else ''}{count(int(whole))}"
    written += f"{point}{fraction}" if fraction else ""
    return f"{written} {currency}" if currency else written


def typed_amount(amount: Micros) -> str:
    """Write an amount as the visitor would type it into a field, where it is read back the same."""
    point, _ = _symbols(viewer().locale)
    whole, _, fraction = format_amount(amount).partition(".")
    # Three decimals could be taken for thousands; a fourth cannot.
    ambiguous = point != "." and len(fraction) == 3 and abs(amount) >= MICROS_PER_UNIT
    return f"{whole}{point}{fraction}{'0' if ambiguous else ''}"


def moment(at_us: int | None) -> Markup:
    """Write a moment to the second, with its zone; machines find it exact in the attribute."""
    if at_us is None:
        return NOTHING
    at, whom = moment_of(at_us), viewer()
    written = format_datetime(at, "medium", tzinfo=whom.zone, locale=whom.locale)
    return Markup('<time datetime="{}">{}</time>').format(
        at.isoformat().replace("+00:00", "Z"), f"{written}{NO_BREAK}{_zone(at, whom)}"
    )


def day(when: date | int | str | None) -> str:
    """Write a day; of a moment it is the day on the visitor's calendar."""
    whom = viewer()
    match when:
        case None | "":
            return DASH
        case str():
            of = date.fromisoformat(when)
        case int():
            of = moment_of(when).astimezone(whom.zone).date()
        case _:
            of = when
    return format_date(of, "medium", locale=whom.locale)


def short_day(when: date) -> str:
    """Write a day without its year, as small as on the axis of a picture."""
    return format_skeleton("MMMd", when, locale=viewer().locale)


def month(when: date, *, short: bool = False) -> str:
    """Write a month with its year."""
    return format_skeleton("yMMM" if short else "yMMMM", when, locale=viewer().locale)


def clock_time(at_us: int) -> str:
    """Write the time of day with milliseconds, in the visitor's zone."""
    at = moment_of(at_us).astimezone(viewer().zone)
    return f"{at:%H:%M:%S}{_symbols(viewer().locale)[0]}{at.microsecond // 1000:03d}"


def clock_minute(at_us: int) -> str:
    """Write the time of day to the minute, in the visitor's zone."""
    return f"{moment_of(at_us).astimezone(viewer().zone):%H:%M}"


def duration(seconds: float | None) -> str:
    """Write whole seconds as 0:42, 12:05 or 1:02:03."""
    if seconds is None:
        return DASH
    whole = int(seconds)
    hours, rest = divmod(whole, HOUR)
    minutes, left = divmod(rest, MINUTE)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"


def exact_seconds(microseconds: int | None) -> str:
    """Write a measured duration in seconds, to the millisecond."""
    if microseconds is None:
        return DASH
    whole, milliseconds = divmod(microseconds // 1000, 1000)
    return f"{count(whole)}{_symbols(viewer().locale)[0]}{milliseconds:03d}{NO_BREAK}s"


def per(per_seconds: int) -> str:
    """Write the unit of a price."""
    return gettext(PER[per_seconds]) if per_seconds in PER else f"{per_seconds} s"


def count(number: int) -> str:
    """Write a count."""
    return f"{number:,}".replace(",", _symbols(viewer().locale)[1])


def percent(basis_points: int) -> str:
    """Write a share, exact: 30% or 33.33%."""
    text = format_percent(basis_points)
    if viewer().language == ENGLISH:
        return text
    return text.replace(".", _symbols(viewer().locale)[0]).replace("%", f"{NO_BREAK}%")


def outcome(end_reason: str | None, state: str) -> str:
    """Say how a call ended, or where it stands."""
    return _named(END_REASONS, end_reason) if end_reason else _named(STATES, state)


def word(text: str) -> str:
    """Say one word of the database, such as the state of an invoice, in the visitor's language."""
    return gettext(WORDS[text]) if text in WORDS else text.replace("_", " ").capitalize()


def movement(kind: str) -> str:
    """Name a kind of transfer."""
    return _named(KINDS, kind)


def _named(table: dict[str, str], name: str) -> str:
    return gettext(table[name]) if name in table else name.replace("_", " ")


@cache
def _symbols(locale: Locale) -> tuple[str, str]:
    """Return the point and the mark between thousands."""
    symbols = locale.number_symbols["latn"]
    return symbols["decimal"], symbols["group"]


def _zone(at: datetime, whom: Viewer) -> str:
    """Name the zone as people there do, or by its distance where there is no short name."""
    local = at.astimezone(whom.zone)
    name = get_timezone_name(local, width="short", locale=whom.locale)
    if name.isalpha() and len(name) <= ZONE_LENGTH_MAX:
        return name
    minutes = int((local.utcoffset() or timedelta()).total_seconds()) // 60
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes >= 0 else MINUS}{hours}{f':{rest:02d}' if rest else ''}"


def size(number: int) -> str:
    """Write a number of bytes: 812 B, 1.4 MB, 12 GB."""
    units = ("B", "kB", "MB", "GB", "TB")
    place = 0
    while number >= KIB ** (place + 1) and place < len(units) - 1:
        place += 1
    value = number / KIB**place
    text = f"{value:.1f}" if place and value < KIB // 100 else f"{value:.0f}"
    return f"{text}{NO_BREAK}{units[place]}"


FILTERS: Final = {
    "money": money,
    "signed": signed,
    "plain_money": plain_money,
    "typed_amount": typed_amount,
    "moment": moment,
    "day": day,
    "short_day": short_day,
    "clock_time": clock_time,
    "duration": duration,
    "exact_seconds": exact_seconds,
    "per": per,
    "count": count,
    "outcome": outcome,
    "percent": percent,
    "word": word,
    "said": reason_of,
    "first_upper": lambda text: f"{text[:1].upper()}{text[1:]}",
    "plain_amount": typed_amount,
    "state": lambda text: _named(STATES, text),
    "kind": movement,
    "evidence": lambda text: _named(EVIDENCE, text),
    "slug": lambda text: escape(text.replace("_", "-")),
}
