"""The first page of resellers and referrers: what they earned, from which client, month by month.

A reseller sees what its clients sold in all, never who called; a referrer its commissions alone,
until when they run, and its bonuses.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from aiohttp import web

from billing.clock import moment_of
from billing.domain.agreements import Referrer
from billing.money import Micros
from billing.payable import payables
from ivr.web import grid
from ivr.web.grid import Grid
from ivr.web.guard import Page, render
from ivr.web.language import gettext as _
from ivr.web.lists import read_filter
from ivr.web.pictures import Chart, chart
from ivr.web.portal.payouts import accounts_of
from ivr.web.portal.report import PeriodForm, periods, span_before
from ivr.web.queries.parties import (
    Earned,
    client_titles,
    earned_by_client,
    earned_by_day,
    earned_by_month,
)
from ivr.web.scope import REFERRERS, RESELLERS, Role, Who
from ivr.web.state import Web, web_of

MONTHS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """What was earned in one currency, and in the period before."""

    currency: str
    amount: Micros
    before: Micros
    calls: int
    gross: Micros
    chart: Chart | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """A client that a referrer brought, by the agreement of now."""

    title: str
    terms: Referrer
    currency: str
    runs: bool

    @property
    def until(self) -> date | None:
        """The first day without a commission."""
        return moment_of(self.terms.until_us).date() if self.terms.until_us is not None else None


async def show(request: web.Request, who: Who) -> web.Response:
    """Show what a partner earned."""
    running = web_of(request)
    form = read_filter(request, PeriodForm)
    today = running.now().date()
    span = form.value.span(today)
    kind, code = who.role.value, who.scope.subject or ""
    refs = await accounts_of(request, who)
    async with running.reading() as connection:
        earned = await earned_by_client(connection, who.scope, kind, code, span)
        before = await earned_by_client(connection, who.scope, kind, code, span_before(span))
        year = _months_ago(today, MONTHS - 1)
        months = await earned_by_month(connection, who.scope, kind, code, year, MONTHS)
        names = {one.client for one in earned} | {client for _month, client, _money in months}
        titles = await client_titles(connection, sorted(names | who.scope.under))
        have = await payables(connection, refs, running.now_us())
        days = {
            ref.currency: await earned_by_day(connection, who.scope, kind, code, span, ref.currency)
            for ref in refs
        }
    sums = [_sum(ref.currency, kind, earned, before, days[ref.currency]) for ref in refs]
    values = {
        "kind": kind,
        "form": form,
        "span": span,
        "before": span_before(span),
        "periods": periods(today),
        "sums": sums,
        "payables": [(ref.currency, have[ref]) for ref in refs],
        "clients": _clients(earned, titles, who),
        "months": _months(months, titles),
        "brought": _brought(running, who, titles) if who.role is Role.REFERRER else [],
        "under": len(who.scope.under),
    }
    return render(request, "portal/partner.html", who, values)


def _months_ago(today: date, months: int) -> date:
    day = today.replace(day=1)
    for _step in range(months):
        day = (day - timedelta(days=1)).replace(day=1)
    return day


def _sum(
    currency: str,
    kind: str,
    earned: list[Earned],
    before: list[Earned],
    days: dict[date, dict[str, Micros]],
) -> Sum:
    mine = [one for one in earned if one.currency == currency]
    return Sum(
        currency=currency,
        amount=sum(one.amount for one in mine),
        before=sum(one.amount for one in before if one.currency == currency),
        calls=sum(one.calls for one in mine),
        gross=sum(one.gross for one in mine),
        chart=chart(days, kinds=(kind,), currency=currency) if mine else None,
    )


def _clients(earned: list[Earned], titles: dict[str, str], who: Who) -> Grid:
    reseller = who.role is Role.RESELLER
    own = _("Your share") if reseller else _("Your commission")
    sold = (_("Calls"), _("Revenue")) if reseller else ()
    return Grid(
        caption=_("Earned by client"),
        titles=(_("Client"), *sold, own),
        rows=tuple(
            (
                grid.text(titles.get(one.client, one.client)),
                *((grid.count(one.calls), grid.money(one.gross, one.currency)) if reseller else ()),
                grid.money(one.amount, one.currency),
            )
            for one in earned
        ),
        empty=_("Nothing was earned in this time."),
    )


def _months(months: dict[tuple[date, str, str], Micros], titles: dict[str, str]) -> Grid:
    rows = sorted(months, key=lambda key: (-key[0].toordinal(), key[1], key[2]))
    return Grid(
        caption=_("Month by month"),
        titles=(_("Month"), _("Client"), _("Earned")),
        rows=tuple(
            (
                grid.text(f"{month:%Y-%m}"),
                grid.text(titles.get(client, client)),
                grid.money(months[month, client, currency], currency),
            )
            for month, client, currency in rows
        ),
        empty=_("Nothing was earned in the last twelve months."),
    )


def _brought(running: Web, who: Who, titles: dict[str, str]) -> list[Brought]:
    now_us = running.now_us()
    known = running.deps.directory().clients
    return [
        Brought(
            title=titles.get(code, code),
            terms=each,
            currency=known[code].currency,
            runs=each.commissioned(now_us),
        )
        for code in sorted(who.scope.under)
        if code in known
        for each in known[code].referrers
        if each.account == who.scope.subject
    ]


PAGES: Final = (Page(method="GET", path="/portal", roles=RESELLERS | REFERRERS, handler=show),)
