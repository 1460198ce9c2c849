"""The operators' first page: what happens now, what was sold today, the last fortnight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from aiohttp import web

from billing.money import Micros
from billing.reports import Span
from ivr.web.call_pages import RECENT, live_rows
from ivr.web.guard import Page, render
from ivr.web.pictures import Chart, chart
from ivr.web.queries.calls import CallFilter, list_calls
from ivr.web.queries.overview import Sold, sold_by_day, topped_up
from ivr.web.scope import OPERATORS, Who
from ivr.web.state import web_of

DAYS: Final = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Today:
    """One currency's figures of today."""

    currency: str
    calls: int
    billed_seconds: int
    gross: Micros
    topped_up: Micros


async def show(request: web.Request, who: Who) -> web.Response:
    """Show the dashboard."""
    running = web_of(request)
    today = running.now().date()
    span = Span(first=today - timedelta(days=DAYS - 1), last=today)
    clients = running.deps.directory().clients
    async with running.reading() as connection:
        sold = await sold_by_day(connection, span)
        paid_in = await topped_up(connection, Span(first=today, last=today))
        recent = await list_calls(connection, who.scope, CallFilter(), limit=RECENT)
    currencies = sorted(
        {row.currency for row in sold} | set(paid_in)
        or {client.currency for client in clients.values()}
    )
    return render(
        request,
        "admin/dashboard.html",
        who,
        {
            "figures": [_today(currency, today, sold, paid_in) for currency in currencies],
            "charts": [(currency, _chart(currency, span, sold)) for currency in currencies],
            "days": DAYS,
            "calls": recent,
            "live": live_rows(request, who.scope),
            "ready": dict(running.deps.ready()),
        },
    )


def _today(
    currency: str, today: date, sold: Sequence[Sold], paid_in: Mapping[str, Micros]
) -> Today:
    rows = [row for row in sold if row.currency == currency and row.day == today]
    return Today(
        currency=currency,
        calls=sum(row.calls for row in rows),
        billed_seconds=sum(row.billed_seconds for row in rows),
        gross=sum(row.gross for row in rows),
        topped_up=paid_in.get(currency, 0),
    )


def _chart(currency: str, span: Span, sold: Sequence[Sold]) -> Chart:
    days: dict[date, dict[str, Micros]] = {day: {} for day in span.days()}
    for row in sold:
        if row.currency == currency:
            days[row.day]["revenue"] = row.gross
    return chart(days, kinds=("revenue",), currency=currency)


PAGES: Final = (Page(method="GET", path="/admin", roles=OPERATORS, handler=show),)
