"""What is wrong, decided purely from rows and figures: one function for each kind of alarm.

A finding has a kind and a subject, which together are its condition: while it is found again and
again there is one alarm. Facts are names and values for whoever reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from billing.money import MICROS_PER_UNIT, Micros, format_amount
from ivr.directory.fraud_limits import FraudLimits

Facts = Mapping[str, str | int]

BAD: Final = "bad"
WARN: Final = "warn"
PREFIX_DIGITS: Final = 7
PREFIX_CALLERS_MIN: Final = 3
# A share of less is chance.
TALKS_MIN: Final = 10
REVENUE_MIN: Final[Micros] = 20 * MICROS_PER_UNIT
SPEND_MIN: Final[Micros] = 20 * MICROS_PER_UNIT
LINK_SECONDS: Final = 15
JOURNAL_SECONDS: Final = 60
WEBHOOKS_LATE: Final = 20
WEBHOOKS_SECONDS: Final = 300
DRIFT_SECONDS: Final = 2.0
DISK_FULL: Final = 97
HOURS_A_WEEK: Final = 7 * 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong now."""

    kind: str
    subject: str
    severity: str = WARN
    client: str = ""
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerCalls:
    """How often a number rang a DID within the hour."""

    caller: str
    did: str
    client: str
    calls: int
    talk_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkShape:
    """How many talks a client had within the hour, and how many of them were odd."""

    client: str
    talks: int
    long: int
    short: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Revenue:
    """What a client's lines earned within the hour, and in the week before."""

    client: str
    currency: str
    hour: Micros
    week: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What an account spent today, and on the days before that had any."""

    account: str
    currency: str
    today: Micros
    before: Micros
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """How this process and its machine are; None is unknown."""

    node: str
    link_down_seconds: float | None = None
    journal_waiting: int = 0
    journal_seconds: float = 0
    webhooks_late: int = 0
    disk_percent: int | None = None
    drift_seconds: float | None = None


def pumping(rows: Sequence[CallerCalls], limits: FraudLimits) -> list[Finding]:
    """Find numbers, and groups of numbers, that ring to be paid for it."""
    found = []
    if limits.pumping_calls is not None:
        found = [
            Finding(
                kind="pumping_number",
                subject=f"{row.caller}>{row.did}",
                severity=BAD,
                client=row.client,
                facts={
                    "caller": row.caller, "did": row.did, "calls": row.calls,
                    "minutes": row.talk_seconds // 60,
                },
            )
            for row in rows
            if row.calls >= limits.pumping_calls
        ]  # fmt: skip
    if limits.pumping_prefix_calls is not None:
        groups: dict[tuple[str, str], list[CallerCalls]] = {}
        for row in rows:
            if len(row.caller) > PREFIX_DIGITS:
                groups.setdefault((row.caller[:PREFIX_DIGITS], row.client), []).append(row)
        for (prefix, client), members in groups.items():
            calls = sum(row.calls for row in members)
            callers = len({row.caller for row in members})
            if callers >= PREFIX_CALLERS_MIN and calls >= limits.pumping_prefix_calls:
                found.append(
                    Finding(
                        kind="pumping_prefix",
                        subject=f"{prefix}>{client}",
                        severity=BAD,
                        client=client,
                        facts={"prefix": prefix, "callers": callers, "calls": calls},
                    )
                )
    return found


def odd_talks(rows: Iterable[TalkShape], limits: FraudLimits) -> list[Finding]:
    """Find clients with unusually many very long, or very short, talks."""
    found = []
    for row in rows:
        if row.talks < TALKS_MIN:
            continue
        shares = (
            ("long_talks", row.long, limits.long_percent, limits.long_seconds),
            ("short_talks", row.short, limits.short_percent, limits.short_seconds),
        )
        for kind, number, most, seconds in shares:
            if most is None or seconds is None:
                continue
            percent = number * 100 // row.talks
            if percent >= most:
                facts: Facts = {"percent": percent, "talks": row.talks, "seconds": seconds}
                found.append(Finding(kind=kind, subject=row.client, client=row.client, facts=facts))
    return found


def revenue(rows: Iterable[Revenue], limits: FraudLimits) -> list[Finding]:
    """Find clients whose lines earn many times what they usually do."""
    if limits.revenue_times is None:
        return []
    return [
        Finding(
            kind="revenue",
            subject=f"{row.client}:{row.currency}",
            client=row.client,
            facts={
                "hour": format_amount(row.hour), "usual": format_amount(row.week // HOURS_A_WEEK),
                "currency": row.currency,
            },
        )
        for row in rows
        if row.week > 0
        and row.hour >= REVENUE_MIN
        and row.hour * HOURS_A_WEEK >= row.week * limits.revenue_times
    ]  # fmt: skip


def spending(rows: Iterable[Spending], limits: FraudLimits) -> list[Finding]:
    """Find accounts that spend many times what they usually do on a day with calls."""
    if limits.spend_times is None:
        return []
    return [
        Finding(
            kind="spending",
            subject=f"{row.account}:{row.currency}",
            facts={
                "account": row.account, "today": format_amount(row.today),
                "usual": format_amount(row.before // row.days), "currency": row.currency,
            },
        )
        for row in rows
        if row.days > 0
        and row.before > 0
        and row.today >= SPEND_MIN
        and row.today * row.days >= row.before * limits.spend_times
    ]  # fmt: skip


def pins(locked: Mapping[str, int], limits: FraudLimits) -> list[Finding]:
    """Find that many accounts or numbers are locked after wrong PINs at once."""
    if limits.pin_locks is None:
        return []
    number = sum(locked.values())
    everywhere = any(locked.get(scope) for scope in ("line", "web"))
    if number < limits.pin_locks and not everywhere:
        return []
    facts: Facts = {"locks": number, "accounts": locked.get("account", 0)}
    return [Finding(kind="pins", subject="pins", severity=BAD if everywhere else WARN, facts=facts)]


def condition(state: Condition, limits: FraudLimits) -> list[Finding]:
    """Find what is wrong with a process and its machine."""
    node, found = state.node, []
    if state.link_down_seconds is not None and state.link_down_seconds >= LINK_SECONDS:
        facts: Facts = {"seconds": int(state.link_down_seconds)}
        found.append(Finding(kind="link_down", subject=node, severity=BAD, facts=facts))
    if state.journal_waiting and state.journal_seconds >= JOURNAL_SECONDS:
        facts = {"settlements": state.journal_waiting, "seconds": int(state.journal_seconds)}
        found.append(Finding(kind="journal", subject=node, severity=BAD, facts=facts))
    if state.webhooks_late >= WEBHOOKS_LATE:
        facts = {"deliveries": state.webhooks_late}
        found.append(Finding(kind="webhooks", subject="webhooks", facts=facts))
    most, used = limits.disk_percent, state.disk_percent
    if most is not None and used is not None and used >= most:
        severity = BAD if used >= DISK_FULL else WARN
        facts = {"percent": used}
        found.append(Finding(kind="disk", subject=node, severity=severity, facts=facts))
    if state.drift_seconds is not None and abs(state.drift_seconds) >= DRIFT_SECONDS:
        facts = {"seconds": f"{state.drift_seconds:.1f}"}
        found.append(Finding(kind="clock", subject=node, facts=facts))
    return found
