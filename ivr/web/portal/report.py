"""Revenue and how it was split: by topic, DID, agent or time, compared, and down to the calls.

    all -> a DID, topic or agent, or some days (the trail leads back) -> the calls behind a sum

Clients see their own; operators the same page under /admin, for one client or all. Days are those
of UTC, on which the sums are kept.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal
from urllib.parse import urlencode

from aiohttp import web
from pydantic import ValidationError, model_validator
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.money import Micros, format_amount
from billing.reports import Span
from ivr.spreadsheet import harmless
from ivr.web.fields import (
    OptionalCode,
    OptionalDay,
    OptionalLine,
    PageInput,
)
from ivr.web.guard import Page, read_query, render
from ivr.web.language import gettext as _
from ivr.web.lists import Filled, read_filter
from ivr.web.pictures import Chart, chart
from ivr.web.problems import Refusal, messages
from ivr.web.queries.revenue import (
    NONE,
    Line,
    Wanted,
    choices,
    revenue_lines,
    stretched,
    totals_of,
)
from ivr.web.scope import CLIENTS, OPERATORS, Role, Who
from ivr.web.state import Web, web_of

DAYS_MAX: Final = 366
SHOWN_MAX: Final = 100
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


By = Literal["topic", "did", "agent", "day", "week", "month"]


class ReportForm(PeriodForm):
    """What of the revenue is shown, and by what."""

    by: By = "topic"
    did: OptionalLine = None
    topic: OptionalLine = None
    agent: OptionalLine = None

    def wanted(self) -> Wanted:
        """Return the filter."""
        return Wanted(client=self.client, did=self.did, topic=self.topic, agent=self.agent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line with where it leads: further into the report, and to its calls."""

    line: Line
    name: str
    small: str
    further: str
    calls: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One currency of a report: its sum, the sum of the period before, its rows and pictures."""

    currency: str
    total: Line
    before: Line
    # Of more than can be read, those with the highest revenue; `count` are all that there are.
    rows: tuple[Row, ...]
    count: int
    parties: tuple[str, ...]
    chart: Chart | None


async def show(request: web.Request, who: Who) -> web.Response:
    """Show the report."""
    running = web_of(request)
    form = read_filter(request, ReportForm)
    today = running.now().date()
    span = form.value.span(today)
    wanted, by = form.value.wanted(), form.value.by
    async with running.reading() as connection:
        days = await revenue_lines(connection, who.scope, wanted, span, "day")
        lines = await _lines(connection, who, wanted, span, by, days)
        before = await totals_of(connection, who.scope, wanted, span_before(span))
        dids, topics, agents = await choices(connection, who.scope, wanted, span)
    link = Linker(path=request.path, form=form.value, span=span)
    values = {
        "title": title_of(running, who.scope.client(form.value.client)),
        "reports": _reports(lines, days, before, span, link),
        "form": form,
        "by": by,
        "groups": groups(),
        "span": span,
        "before": span_before(span),
        "client": form.value.client if who.role is Role.OPERATOR else None,
        "clients": _clients(running, who),
        "choices": {"did": dids, "topic": topics, "agent": agents},
        "trail": trail(link),
        "periods": periods(today),
        "link": link,
        "csv": link.at(f"{request.path}.csv", {}),
    }
    return render(request, "report.html", who, values)


async def _lines(
    connection: AsyncConnection, who: Who, wanted: Wanted, span: Span, by: str, days: list[Line]
) -> list[Line]:
    """Sum as it was asked for; what is a sum of days is not read a second time."""
    if by == "day":
        return days
    if by in {"week", "month"}:
        return stretched(days, span, by)
    return await revenue_lines(connection, who.scope, wanted, span, by)


@dataclass(frozen=True, slots=True, kw_only=True)
class Linker:
    """Writes links that keep the filter but for what they change."""

    path: str
    form: ReportForm
    span: Span

    def to(self, **changes: object) -> str:
        """Link to this report with something else; None takes a filter away."""
        return self.at(self.path, changes)

    def at(self, path: str, changes: Mapping[str, object]) -> str:
        """Link to another page of the same report."""
        query: dict[str, object] = {
            "first": self.span.first,
            "last": self.span.last,
            "by": self.form.by,
            "client": self.form.client,
            "did": self.form.did,
            "topic": self.form.topic,
            "agent": self.form.agent,
        }
        query |= changes
        kept = {name: value for name, value in query.items() if value is not None}
        return f"{path}?{urlencode(kept)}"

    def calls(self, **changes: object) -> str:
        """Link to the calls behind a sum."""
        return self.at(f"{self.path}/report-calls", {"by": None, **changes})


def groups() -> list[tuple[str, str]]:
    """Name what a report can be by."""
    return [
        ("topic", _("Topic")),
        ("did", _("DID")),
        ("agent", _("Agent")),
        ("day", _("Day")),
        ("week", _("Week")),
        ("month", _("Month")),
    ]


def trail(link: Linker) -> list[tuple[str, str]]:
    """Name the way here, each step with a link to it: everything, then each filter in turn."""
    filters = [
        (name, value) for name in ("did", "topic", "agent") if (value := getattr(link.form, name))
    ]
    steps = [(_("All revenue"), link.to(did=None, topic=None, agent=None))]
    for number, (_name, value) in enumerate(filters):
        gone = {name: None for name, _value in filters[number + 1 :]}
        steps.append((_named(value), link.to(**gone)))
    return steps


def _named(value: str) -> str:
    return _("none") if value in {NONE, ""} else value


def _row(line: Line, by: str, link: Linker, *, everybody: bool) -> Row:
    ours: dict[str, object] = {"client": line.client} if everybody and line.client else {}
    if by == "topic":
        at = ours | {"did": line.service, "topic": line.detail or NONE}
        return Row(
            line=line, name=line.detail or _("no topic"), small=line.service,
            further=link.to(by="agent", **at), calls=link.calls(**at),
        )  # fmt: skip
    if by == "did":
        at = ours | {"did": line.service}
        return Row(
            line=line, name=line.service, small="",
            further=link.to(by="topic", **at), calls=link.calls(**at),
        )  # fmt: skip
    if by == "agent":
        at = ours | {"agent": line.agent or NONE}
        return Row(
            line=line, name=line.agent or _("not recorded"), small="",
            further=link.to(by="day", **at), calls=link.calls(**at),
        )  # fmt: skip
    at = {"first": line.first, "last": line.last}
    finer = {"month": "week", "week": "day"}.get(by, "topic")
    name = f"{line.first}" if by == "day" else f"{line.first} \N{EN DASH} {line.last}"
    return Row(
        line=line, name=name, small="",
        further=link.to(by=finer, **at), calls=link.calls(**at),
    )  # fmt: skip


def _reports(
    lines: Sequence[Line],
    days: Sequence[Line],
    before: Mapping[str, Line],
    span: Span,
    link: Linker,
) -> list[Report]:
    """Put each currency by itself: different money never adds up."""
    found = []
    for currency in sorted({line.currency for line in lines}):
        mine = [line for line in lines if line.currency == currency]
        total = Line(currency=currency)
        for line in mine:
            total.join(line)
        kinds = tuple(kind for kind in PARTIES if total.shares.get(kind))
        everybody = len({line.client for line in mine}) > 1
        count = len(mine)
        if count > SHOWN_MAX and mine[0].first is None:
            mine = sorted(mine, key=lambda line: -line.gross)[:SHOWN_MAX]
        found.append(
            Report(
                currency=currency,
                total=total,
                before=before.get(currency, Line(currency=currency)),
                rows=tuple(_row(line, link.form.by, link, everybody=everybody) for line in mine),
                count=count,
                parties=kinds,
                chart=_drawn(days, currency, span, kinds),
            )
        )
    return found


def _drawn(days: Sequence[Line], currency: str, span: Span, kinds: Sequence[str]) -> Chart | None:
    if not kinds:
        return None
    amounts: dict[date, Mapping[str, Micros]] = {day: {} for day in span.days()}
    for line in days:
        if line.currency == currency and line.first is not None:
            amounts[line.first] = line.shares
    return chart(amounts, kinds=kinds, currency=currency)


def title_of(running: Web, client: str | None) -> str:
    """Name whose revenue it is."""
    if client is None:
        return _("All clients")
    known = running.deps.directory().clients.get(client)
    return known.title if known else client


def _clients(running: Web, who: Who) -> list[str]:
    return sorted(running.deps.directory().clients) if who.role is Role.OPERATOR else []


def span_before(span: Span) -> Span:
    """Return the period before, of as many days; before a whole month is the month before."""
    last = span.first - timedelta(days=1)
    whole = span.first.day == 1 and (span.last + timedelta(days=1)).day == 1
    if whole and span.first.month == span.last.month:
        return Span(first=last.replace(day=1), last=last)
    return Span(first=last - (span.last - span.first), last=last)


def periods(today: date) -> list[tuple[str, Span]]:
    """Name the periods that are asked for most."""
    month = today.replace(day=1)
    before = (month - timedelta(days=1)).replace(day=1)
    return [
        (_("Today"), Span(first=today, last=today)),
        (_("Last 7 days"), Span(first=today - timedelta(days=6), last=today)),
        (_("This month"), Span(first=month, last=today)),
        (_("Last month"), Span(first=before, last=month - timedelta(days=1))),
        (_("This year"), Span(first=today.replace(month=1, day=1), last=today)),
    ]


async def download(request: web.Request, who: Who) -> web.Response:
    """Answer the same rows as CSV, the same in every language."""
    try:
        form = Filled(value=ReportForm.model_validate(read_query(request)), typed={})
    except ValidationError as error:
        raise Refusal(
            "invalid", " ".join(messages(error).values()), fields=messages(error)
        ) from None
    running = web_of(request)
    span = form.value.span(running.now().date())
    async with running.reading() as connection:
        lines = await revenue_lines(connection, who.scope, form.value.wanted(), span, form.value.by)
    client = who.scope.client(form.value.client)
    name = f"split-{client or 'all'}-{span.first}-{span.last}.csv"
    return web.Response(
        body=write_csv(lines, form.value.by).encode(),
        content_type="text/csv",
        charset="utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


COLUMNS: Final = {
    "topic": {"client": "client", "did": "service", "topic": "detail"},
    "did": {"client": "client", "did": "service"},
    "agent": {"client": "client", "agent": "agent"},
}


def write_csv(lines: Sequence[Line], by: str) -> str:
    """Write rows for a spreadsheet; text that it would take for a formula begins with a quote."""
    text = io.StringIO()
    writer = csv.writer(text)
    names = COLUMNS.get(by, {"first": "first", "last": "last"})
    writer.writerow([*names, "currency", "calls", "billed_seconds", "gross", *PARTIES])
    for line in lines:
        writer.writerow(
            [
                *(harmless(str(getattr(line, place))) for place in names.values()),
                line.currency,
                line.sessions,
                line.billed_seconds,
                format_amount(line.gross),
                *(format_amount(line.shares.get(kind, 0)) for kind in PARTIES),
            ]
        )
    return text.getvalue()


PAGES: Final = (
    Page(method="GET", path="/portal", roles=CLIENTS, handler=show),
    Page(method="GET", path="/portal.csv", roles=CLIENTS, handler=download),
    Page(method="GET", path="/admin/report", roles=OPERATORS, handler=show),
    Page(method="GET", path="/admin/report.csv", roles=OPERATORS, handler=download),
)
