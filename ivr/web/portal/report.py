"""A client's revenue and how it was split: by period, as chart, table and CSV.

Operators see the same page under /admin, for one client or all.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from aiohttp import web
from pydantic import ValidationError, model_validator

from billing.money import Micros, format_amount
from billing.reports import Span, SplitRow, split_by_day, split_report
from ivr.spreadsheet import harmless
from ivr.web.fields import OptionalCode, OptionalDay, PageInput
from ivr.web.guard import Page, read_query, render
from ivr.web.lists import Filled, read_filter
from ivr.web.pictures import Chart, chart
from ivr.web.problems import Refusal, messages
from ivr.web.scope import CLIENTS, OPERATORS, Role, Who
from ivr.web.state import Web, web_of

DAYS_MAX: Final = 366
# The order of columns, and of the stacked parts of a bar.
PARTIES: Final = ("client", "provider", "reseller", "referrer", "tax")


class PeriodForm(PageInput):
    """The period of a report, both days included."""

    first: OptionalDay = None
    last: OptionalDay = None
    client: OptionalCode = None

    @model_validator(mode="after")
    def _fits(self) -> PeriodForm:
        if self.first is not None and self.last is not None:
            if self.last < self.first:
                raise ValueError("the last day is before the first")
            if (self.last - self.first).days >= DAYS_MAX:
                raise ValueError(f"a report covers at most {DAYS_MAX} days")
        return self

    def span(self, today: date) -> Span:
        """Return the days; without any, this month so far."""
        last = self.last or max(today, self.first or today)
        first = self.first or last.replace(day=1)
        if (last - first).days >= DAYS_MAX:
            last = first + timedelta(days=DAYS_MAX - 1)
        return Span(first=first, last=last)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One currency of a report: rows, their sum, and a picture of it."""

    currency: str
    rows: tuple[SplitRow, ...]
    calls: int
    billed_seconds: int
    gross: Micros
    shares: Mapping[str, Micros]
    parties: tuple[str, ...]
    chart: Chart | None


async def show(request: web.Request, who: Who) -> web.Response:
    """Show the report."""
    running = web_of(request)
    form = read_filter(request, PeriodForm)
    today = running.now().date()
    span = form.value.span(today)
    client = who.scope.client(form.value.client)
    async with running.reading() as connection:
        rows = await split_report(connection, span, client=client)
        days = await split_by_day(connection, span, client=client)
    return render(
        request,
        "report.html",
        who,
        {
            "title": _title(running, client),
            "reports": _reports(rows, days),
            "form": form,
            "span": span,
            "client": client,
            "clients": _clients(running, who),
            "periods": periods(today),
            "csv": f"{request.path}.csv?{request.query_string}",
        },
    )


def _title(running: Web, client: str | None) -> str:
    if client is None:
        return "All clients"
    known = running.deps.directory().clients.get(client)
    return known.title if known else client


def _clients(running: Web, who: Who) -> list[str]:
    return sorted(running.deps.directory().clients) if who.role is Role.OPERATOR else []


def _reports(rows: Sequence[SplitRow], days: Mapping[date, Mapping[str, Micros]]) -> list[Report]:
    """Put each currency by itself; a chart mixes none, so it is drawn when there is only one."""
    currencies = sorted({row.currency for row in rows})
    return [_report(currency, rows, days if len(currencies) == 1 else None)
            for currency in currencies]  # fmt: skip


def _report(
    currency: str,
    rows: Sequence[SplitRow],
    days: Mapping[date, Mapping[str, Micros]] | None,
) -> Report:
    mine = tuple(row for row in rows if row.currency == currency)
    kinds = tuple(kind for kind in PARTIES if any(row.shares.get(kind) for row in mine))
    return Report(
        currency=currency,
        rows=mine,
        calls=sum(row.sessions for row in mine),
        billed_seconds=sum(row.billed_seconds for row in mine),
        gross=sum(row.gross for row in mine),
        shares={kind: sum(row.shares.get(kind, 0) for row in mine) for kind in kinds},
        parties=kinds,
        chart=chart(days, kinds=kinds, currency=currency) if days is not None and kinds else None,
    )


def periods(today: date) -> list[tuple[str, Span]]:
    """Name the periods that are asked for most."""
    month = today.replace(day=1)
    before = (month - timedelta(days=1)).replace(day=1)
    return [
        ("Today", Span(first=today, last=today)),
        ("Last 7 days", Span(first=today - timedelta(days=6), last=today)),
        ("This month", Span(first=month, last=today)),
        ("Last month", Span(first=before, last=month - timedelta(days=1))),
        ("This year", Span(first=today.replace(month=1, day=1), last=today)),
    ]


async def download(request: web.Request, who: Who) -> web.Response:
    """Answer the same rows as CSV."""
    try:
        form = Filled(value=PeriodForm.model_validate(read_query(request)), typed={})
    except ValidationError as error:
        raise Refusal(
            "invalid", " ".join(messages(error).values()), fields=messages(error)
        ) from None
    running = web_of(request)
    span = form.value.span(running.now().date())
    client = who.scope.client(form.value.client)
    async with running.reading() as connection:
        rows = await split_report(connection, span, client=client)
    name = f"split-{client or 'all'}-{span.first}-{span.last}.csv"
    return web.Response(
        body=write_csv(rows).encode(),
        content_type="text/csv",
        charset="utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def write_csv(rows: Iterable[SplitRow]) -> str:
    """Write rows for a spreadsheet; text that it would take for a formula begins with a quote."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(
        ["client", "did", "topic", "currency", "calls", "billed_seconds", "gross", *PARTIES]
    )
    for row in rows:
        writer.writerow(
            [
                *(harmless(cell) for cell in (row.client, row.service, row.detail, row.currency)),
                row.sessions,
                row.billed_seconds,
                format_amount(row.gross),
                *(format_amount(row.shares.get(kind, 0)) for kind in PARTIES),
            ]
        )
    return text.getvalue()


PAGES: Final = (
    Page(method="GET", path="/portal", roles=CLIENTS, handler=show),
    Page(method="GET", path="/portal.csv", roles=CLIENTS, handler=download),
    Page(method="GET", path="/admin/report", roles=OPERATORS, handler=show),
    Page(method="GET", path="/admin/report.csv", roles=OPERATORS, handler=download),
)
