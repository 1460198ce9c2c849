"""What a party has, drawn and listed: balances, what becomes payable when, payouts, a statement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from billing.clock import moment_of
from billing.domain.operations import AccountRef
from billing.domain.payouts import BankAccount, Payable, PayoutTerms
from billing.errors import InvalidInput, UnknownAccount
from billing.money import Micros
from billing.payable import Held, held, payable_of, pending_by_day, read_terms
from billing.payouts import Payout
from billing.reports import Span
from billing.statements import PartyStatement, party_statement
from ivr.web import grid
from ivr.web.grid import Grid
from ivr.web.language import gettext as _
from ivr.web.pictures import Chart, chart
from ivr.web.words import movement

MONTHS_LISTED = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """A party in one currency; `soon` lists what becomes payable on which day."""

    party: AccountRef
    payable: Payable
    terms: PayoutTerms
    held: Held | None
    soon: tuple[tuple[date, Micros], ...]
    timeline: Chart | None


async def read_money(connection: AsyncConnection, party: AccountRef, now_us: int) -> Money:
    """Read what a party has; who has not earned anything yet has no account either."""
    terms = await read_terms(connection, party.kind, party.code)
    try:
        payable = await payable_of(connection, party, terms, now_us)
    except UnknownAccount:
        payable = Payable(posted=0, pending=0, requested=0)
    days = await pending_by_day(connection, party, now_us)
    soon = tuple((moment_of(day_us).date(), amount) for day_us, amount in days if amount)
    return Money(
        party=party,
        payable=payable,
        terms=terms,
        held=await held(connection, party.kind, party.code),
        soon=soon,
        timeline=_timeline(soon, moment_of(now_us).date(), terms, party.currency),
    )


def _timeline(
    soon: Sequence[tuple[date, Micros]], today: date, terms: PayoutTerms, currency: str
) -> Chart | None:
    if not soon:
        return None
    days: dict[date, dict[str, Micros]] = {
        today + timedelta(days=number): {} for number in range(terms.hold_back_days + 1)
    }
    for day, amount in soon:
        # A refund may be larger than what is left of its day; a bar has no such height.
        days.setdefault(day, {})["pending"] = max(0, amount)
    return chart(dict(sorted(days.items())), kinds=("pending",), currency=currency)


def read_bank(
    name: str | None, iban: str | None, bic: str | None
) -> tuple[BankAccount | None, dict[str, str]]:
    """Read a bank account as people write it; None, and what is wrong with which field."""
    fields = {
        "name": name or "",
        "iban": (iban or "").replace(" ", "").upper(),
        "bic": (bic or "").replace(" ", "").upper(),
    }
    errors = {}
    for field, text in fields.items():
        try:
            BankAccount(**{field: text})
        except InvalidInput as error:
            errors[field] = str(error.facts["reason"])
    return (None, errors) if errors else (BankAccount(**fields), {})


async def read_statement(
    connection: AsyncConnection, party: AccountRef, span: Span
) -> PartyStatement:
    """Read a statement; an empty one where there is no account yet."""
    try:
        return await party_statement(connection, party, span)
    except UnknownAccount:
        return PartyStatement(party=party, span=span, opening=0, movements=(), closing=0)


def statement_grid(statement: PartyStatement) -> Grid:
    """Write a statement as a table: its opening, what moved by day and kind, its closing."""
    currency = statement.party.currency
    rows = [
        (
            grid.text(one.day.isoformat()),
            grid.text(movement(one.kind)),
            grid.count(one.count),
            grid.money(one.amount, currency),
        )
        for one in statement.movements
    ]
    return Grid(
        caption=_("Statement of %(party)s") % {"party": statement.party.code},
        titles=(_("Day"), _("What"), _("Count"), _("Amount")),
        rows=(
            (
                grid.text(statement.span.first.isoformat()),
                grid.text(_("Balance at the beginning")),
                grid.count(0),
                grid.money(statement.opening, currency),
            ),
            *rows,
            (
                grid.text(statement.span.last.isoformat()),
                grid.text(_("Balance at the end")),
                grid.count(0),
                grid.money(statement.closing, currency),
            ),
        ),
    )


def month_span(month: str, today: date) -> Span:
    """Return the days of a month `2026-11`; of this month where it is none."""
    try:
        first = date.fromisoformat(f"{month}-01")
    except ValueError:
        first = today.replace(day=1)
    last = (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    return Span(first=first, last=last)


def months_until(today: date, count: int = MONTHS_LISTED) -> list[str]:
    """Name the months up to this one, newest first."""
    found = [today.replace(day=1)]
    while len(found) < count:
        found.append((found[-1] - timedelta(days=1)).replace(day=1))
    return [f"{day:%Y-%m}" for day in found]


def payouts_grid(found: Sequence[Payout], path: str) -> Grid:
    """List payouts with where they stand, each leading to what is behind it."""
    return Grid(
        caption=_("Payouts, newest first"),
        titles=(_("Requested"), _("State"), _("Amount"), _("Paid"), _("Remark")),
        rows=tuple(
            (
                grid.text(f"{moment_of(one.requested_us):%Y-%m-%d}", link=f"{path}/{one.id}"),
                grid.badge("withdrawn" if one.withdrawn else one.status.value),
                grid.money(one.amount, one.party.currency),
                grid.moment(one.paid_us),
                grid.text("" if one.withdrawn else one.note or ""),
            )
            for one in found
        ),
        empty=_("Nothing was requested yet."),
    )
