"""What an alarm means and what to do about it, in the words of whoever reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from ivr.alarms.store import Alarm
from ivr.web.language import gettext as _

# Kinds that may be a client who rings its own lines: its payouts can wait.
FRAUD: Final = frozenset({"pumping_number", "pumping_prefix", "long_talks", "revenue"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmWords:
    """An alarm to be read: its title, what was seen, what to do, and where to look first."""

    alarm: Alarm
    title: str
    seen: str
    advice: str
    link: str
    link_text: str
    payouts: bool


def words(alarm: Alarm) -> AlarmWords:
    """Put an alarm into words."""
    facts = {name: str(value) for name, value in alarm.facts.items()}
    try:
        title, seen, advice = _TEXTS[alarm.kind](facts)
    except KeyError:  # of a version of the service that knew other kinds or facts
        known = ", ".join(f"{name} {value}" for name, value in facts.items())
        title, seen, advice = alarm.kind.replace("_", " ").capitalize(), known, ""
    link, text = _link(alarm)
    return AlarmWords(
        alarm=alarm, title=title, seen=seen, advice=advice, link=link, link_text=text,
        payouts=alarm.kind in FRAUD and bool(alarm.client),
    )  # fmt: skip


def _link(alarm: Alarm) -> tuple[str, str]:
    facts = alarm.facts
    match alarm.kind:
        case "pumping_number":
            return f"/admin/calls?did={facts.get('did', '')}", _("Calls of the DID")
        case "spending":
            return f"/admin/accounts/{facts.get('account', '')}", _("The account")
        case "webhooks":
            return "/admin/webhooks", _("Webhooks")
        case "link_down" | "journal" | "disk" | "clock":
            return "/admin/health", _("System health")
        case "pins":
            return "/admin/limits", _("Limits")
        case _ if alarm.client:
            return f"/admin/calls?client={alarm.client}", _("Calls of the client")
        case _:
            return "", ""


Texts = tuple[str, str, str]


def _pumping_number(facts: dict[str, str]) -> Texts:
    return (
        _("Many calls from one number"),
        _("%(caller)s rang %(did)s %(calls)s times within an hour, %(minutes)s minutes of talk.")
        % facts,
        _(
            "Listen to a recording, block the account if nobody really talks, and let the payouts "
            "of the client wait until it is clear."
        ),
    )


def _pumping_prefix(facts: dict[str, str]) -> Texts:
    return (
        _("Many calls from numbers that begin alike"),
        _(
            "%(callers)s numbers that begin with %(prefix)s rang this client %(calls)s times "
            "within an hour."
        )
        % facts,
        _("Compare the talks: machines talk for equal times. Let the client's payouts wait."),
    )


def _long_talks(facts: dict[str, str]) -> Texts:
    return (
        _("Unusually many very long talks"),
        _("%(percent)s%% of %(talks)s talks within an hour were longer than %(seconds)s s.")
        % facts,
        _("Look at the longest ones; set a longest talk on the line if it has none."),
    )


def _short_talks(facts: dict[str, str]) -> Texts:
    return (
        _("Unusually many very short talks"),
        _("%(percent)s%% of %(talks)s talks of an hour were over after %(seconds)s s.") % facts,
        _("Agents may hang up, or a phone answers by itself. Ring the line and hear for yourself."),
    )


def _revenue(facts: dict[str, str]) -> Texts:
    return (
        _("A client earns many times the usual"),
        _("%(hour)s %(currency)s within an hour; usual are %(usual)s.") % facts,
        _("A campaign, or traffic that was bought: ask the client before its share is paid out."),
    )


def _spending(facts: dict[str, str]) -> Texts:
    return (
        _("An account spends many times the usual"),
        _("%(account)s spent %(today)s %(currency)s today; usual on a day are %(usual)s.") % facts,
        _("Ask the caller. If it was somebody else: block the account and change its PIN."),
    )


def _pins(facts: dict[str, str]) -> Texts:
    return (
        _("Many wrong PINs"),
        _("%(locks)s accounts and numbers are locked after wrong PINs; %(accounts)s accounts.")
        % facts,
        _("Somebody tries PINs. The lockout holds; longer PINs and fewer calls per number help."),
    )


def _link_down(facts: dict[str, str]) -> Texts:
    return (
        _("Asterisk cannot be reached"),
        _("No link for %(seconds)s s. New calls are refused, running ones end at their limit.")
        % facts,
        _("See whether Asterisk runs, and whether user name and secret of its manager fit."),
    )


def _journal(facts: dict[str, str]) -> Texts:
    return (
        _("Settlements wait"),
        _("%(settlements)s settlements wait since %(seconds)s s for the database.") % facts,
        _("See whether the database answers. They are booked by themselves when it does."),
    )


def _webhooks(facts: dict[str, str]) -> Texts:
    return (
        _("Webhooks are late"),
        _("%(deliveries)s deliveries wait for more than five minutes.") % facts,
        _("One receiver may be down: its log tells. It is tried again by itself."),
    )


def _disk(facts: dict[str, str]) -> Texts:
    return (
        _("The disk is nearly full"),
        _("%(percent)s%% of the disk of the state folder are used.") % facts,
        _("Free some space: recordings, logs, old backups."),
    )


def _clock(facts: dict[str, str]) -> Texts:
    return (
        _("Two clocks differ"),
        _("Asterisk's clock and ours differ by %(seconds)s s.") % facts,
        _("Talks are still measured rightly; run a time service on both machines."),
    )


_TEXTS: Final[dict[str, Any]] = {  # Any: functions of one shape
    "pumping_number": _pumping_number,
    "pumping_prefix": _pumping_prefix,
    "long_talks": _long_talks,
    "short_talks": _short_talks,
    "revenue": _revenue,
    "spending": _spending,
    "pins": _pins,
    "link_down": _link_down,
    "journal": _journal,
    "webhooks": _webhooks,
    "disk": _disk,
    "clock": _clock,
}
KINDS: Final = frozenset(_TEXTS)
