"""Reports for operators: revenue by anything, callers, ARPU, MRR, unanswered calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from aiohttp import web
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.business import GROUPS, RevenueRow, count_callers, revenue, top_callers
from billing.clock import moment_of
from billing.money import MICROS_PER_UNIT, Micros
from billing.mrr import recurring_revenue
from billing.reports import Span
from ivr.calls.unanswered import unanswered
from ivr.web import grid
from ivr.web.fields import PAGE_SIZE, read_cursor, write_cursor
from ivr.web.grid import Cell, Grid
from ivr.web.guard import Page, read_query, render
from ivr.web.language import gettext as _
from ivr.web.lists import first_link, next_link, read_filter
from ivr.web.pictures import Chart, bars_by_name
from ivr.web.portal.report import PARTIES, PeriodForm, periods
from ivr.web.problems import Refusal, messages
from ivr.web.reasons import reason_of
from ivr.web.scope import OPERATORS, Who
from ivr.web.sheets import KINDS, file_of
from ivr.web.state import web_of
from ivr.web.words import END_REASONS, day

ROWS_MAX: Final = 10_000
READ_AT_ONCE: Final = 1_000
CALLERS_MAX: Final = 100
REPORTS: Final = {
    "client": "Revenue by client",
    "did": "Revenue by DID",
    "topic": "Revenue by topic",
    "tariff": "Revenue by tariff",
    "day": "Revenue by day",
    "callers": "Callers who paid most",
    "arpu": "Revenue per caller (ARPU)",
    "mrr": "Recurring revenue (MRR)",
    "unanswered-did": "Unanswered calls by DID",
    "unanswered-topic": "Unanswered calls by topic",
    "unanswered-hour": "Unanswered calls by hour",
    "unanswered-reason": "Unanswered calls by reason",
}
By = Literal[
    "client", "did", "topic", "tariff", "day", "callers", "arpu", "mrr",
    "unanswered-did", "unanswered-topic", "unanswered-hour", "unanswered-reason",
]  # fmt: skip


class ReportForm(PeriodForm):
    """Which report, of which days and client."""

    by: By = "day"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One page of a report; `cursor` is where the next begins, `kinds` what bars are made of."""

    grid: Grid
    charts: tuple[tuple[str, Chart], ...] = ()
    kinds: tuple[str, ...] = ()
    cursor: str | None = None


async def show(request: web.Request, who: Who) -> web.Response:
    """Show a report."""
    running = web_of(request)
    form = read_filter(request, ReportForm)
    today = running.now().date()
    span = form.value.span(today)
    async with running.reading() as connection:
        answer = await _read(connection, form.value, span, request.query.get("after", ""))
    query = f"by={form.value.by}&first={span.first}&last={span.last}"
    if form.value.client:
        query += f"&client={form.value.client}"
    values = {
        "title": _(REPORTS[form.value.by]),
        "answer": answer,
        "form": form,
        "span": span,
        "reports": [(by, _(title)) for by, title in REPORTS.items()],
        "clients": sorted(running.deps.directory().clients),
        "client": form.value.client,
        "by": form.value.by,
        "periods": periods(today),
        "files": [(kind.upper(), f"{request.path}.{kind}?{query}") for kind in KINDS.split("|")],
        "next": next_link(request, answer.cursor),
        "first": first_link(request),
    }
    return render(request, "admin/reports.html", who, values)


async def download(request: web.Request, who: Who) -> web.Response:
    """Answer all rows of the report as a file."""
    del who  # every operator sees all of them
    try:
        form = ReportForm.model_validate(read_query(request))
    except ValidationError as error:
        wrong = messages(error)
        raise Refusal("invalid", " ".join(wrong.values()), fields=wrong) from None
    running = web_of(request)
    span = form.span(running.now().date())
    async with running.reading() as connection:
        answer = await _read(connection, form, span, "", whole=True)
    return await file_of(
        answer.grid,
        request.match_info["file"],
        name=f"{form.by}-{form.client or 'all'}-{span.first}-{span.last}",
        facts=[("Period", f"{span.first} to {span.last}"), ("Client", form.client or "all")],
        issuer=running.deps.issuer,
        now=running.now(),
    )


async def _read(
    connection: AsyncConnection, form: ReportForm, span: Span, after: str, *, whole: bool = False
) -> Answer:
    if form.by in GROUPS:
        return await _revenue(connection, form, span, after, whole=whole)
    if form.by.startswith("unanswered-"):
        return await _unanswered(connection, form, span)
    return await {"callers": _callers, "arpu": _arpu, "mrr": _mrr}[form.by](connection, form, span)


async def _revenue(
    connection: AsyncConnection, form: ReportForm, span: Span, after: str, *, whole: bool
) -> Answer:
    width = len(GROUPS[form.by])
    place: Sequence[str] = read_cursor(after, *[str] * (width + 1)) or ()
    wanted = ROWS_MAX if whole else PAGE_SIZE + 1
    rows: list[RevenueRow] = []
    while len(rows) < wanted:
        limit = min(READ_AT_ONCE, wanted - len(rows))
        found = await revenue(
            connection, span, by=form.by, client=form.client, after=place, limit=limit
        )
        rows += found
        if len(found) < limit:
            break
        place = (*found[-1].key, found[-1].currency)
    cursor = None
    if not whole and len(rows) > PAGE_SIZE:
        rows = rows[:PAGE_SIZE]
        cursor = write_cursor(*rows[-1].key, rows[-1].currency)
    kinds = tuple(kind for kind in PARTIES if any(row.shares.get(kind) for row in rows))
    names = {"client": ("Client",), "did": ("DID", "Client"), "topic": ("Topic", "DID", "Client")}
    keys = names.get(form.by, (form.by.capitalize(),))
    table = Grid(
        caption=REPORTS[form.by],
        titles=(
            *keys, "Calls", "Billed", "Revenue", "Corrected",
            *(kind.capitalize() for kind in kinds), "Margin",
        ),
        rows=tuple(
            (
                *_key(row, form.by),
                grid.count(row.sessions),
                grid.seconds(row.billed_seconds),
                grid.money(row.gross, row.currency),
                grid.money(row.corrected, row.currency),
                *grid.shares(row.shares, kinds, row.currency),
                grid.percent(row.margin_basis_points),
            )
            for row in rows
        ),
        empty=f"Nothing was sold from {span.first} to {span.last}.",
    )  # fmt: skip
    bars = [(_label(row, form.by), row.currency, row.shares) for row in rows]
    return Answer(grid=table, charts=_charts(bars, kinds), kinds=kinds, cursor=cursor)


def _key(row: RevenueRow, by: str) -> tuple[Cell, ...]:
    """Write the key of a row, the finest part first."""
    if by == "day":
        return (grid.day(moment_of(int(row.key[0])).date()),)
    return tuple(grid.text(part or "none") for part in reversed(row.key))


def _label(row: RevenueRow, by: str) -> str:
    """Name the bar of a row."""
    key = _key(row, by)[0].value
    return day(str(key)) if by == "day" else str(key)


def _charts(
    bars: Sequence[tuple[str, str, Mapping[str, Micros]]], kinds: Sequence[str]
) -> tuple[tuple[str, Chart], ...]:
    """Draw one chart per currency: amounts of two currencies have no common height."""
    found = []
    for currency in sorted({currency for _name, currency, _amounts in bars}):
        mine = [(name, amounts) for name, of, amounts in bars if of == currency]
        found.append((currency, bars_by_name(mine, kinds=kinds, unit=currency)))
    return tuple(found)


async def _callers(connection: AsyncConnection, form: ReportForm, span: Span) -> Answer:
    rows = await top_callers(connection, span, client=form.client, limit=CALLERS_MAX)
    table = Grid(
        caption=REPORTS["callers"],
        titles=("Account", "Calls", "Billed", "Paid"),
        rows=tuple(
            (
                grid.text(row.account, link=f"/admin/accounts/{row.account}"),
                grid.count(row.sessions),
                grid.seconds(row.billed_seconds),
                grid.money(row.gross, row.currency),
            )
            for row in rows
        ),
        empty=f"Nobody talked from {span.first} to {span.last}.",
    )
    bars = [(row.account, row.currency, {"revenue": row.gross}) for row in rows]
    return Answer(grid=table, charts=_charts(bars, ("revenue",)), kinds=("revenue",))


async def _arpu(connection: AsyncConnection, form: ReportForm, span: Span) -> Answer:
    rows = await count_callers(connection, span, client=form.client)
    top = await top_callers(connection, span, client=form.client, limit=CALLERS_MAX)
    table = Grid(
        caption=REPORTS["arpu"],
        titles=("Currency", "Callers", "Calls", "Revenue", "Per caller"),
        rows=tuple(
            (
                grid.text(row.currency),
                grid.count(row.callers),
                grid.count(row.sessions),
                grid.money(row.gross, row.currency),
                grid.money(row.per_caller, row.currency),
            )
            for row in rows
        ),
        empty=f"Nobody talked from {span.first} to {span.last}.",
    )
    bars = [
        (
            _("average %(currency)s", currency=row.currency),
            row.currency,
            {"revenue": row.per_caller},
        )
        for row in rows
    ]
    bars += [(row.account, row.currency, {"revenue": row.gross}) for row in top]
    return Answer(grid=table, charts=_charts(bars, ("revenue",)), kinds=("revenue",))


async def _mrr(connection: AsyncConnection, form: ReportForm, span: Span) -> Answer:
    del form  # plans are sold by the provider, not by clients
    rows = await recurring_revenue(connection, span)
    table = Grid(
        caption=REPORTS["mrr"],
        titles=(
            "Currency", "Opening", "New", "Back", "Expansion", "Contraction", "Churned", "Closing",
            "NRR", "GRR", "Churn",
        ),
        rows=tuple(
            (
                grid.text(row.currency),
                grid.money(row.opening, row.currency),
                *(grid.money(amount, row.currency) for amount in row.moves.values()),
                grid.money(row.closing, row.currency),
                grid.percent(row.net_retention_basis_points),
                grid.percent(row.gross_retention_basis_points),
                grid.percent(row.churn_basis_points),
            )
            for row in rows
        ),
        empty="Nobody has had a plan that costs something.",
    )  # fmt: skip
    bars: list[tuple[str, str, Mapping[str, Micros]]] = []
    for row in rows:
        steps = {"opening": row.opening, **row.moves, "closing": row.closing}
        for name, amount in steps.items():
            kind = "revenue" if amount >= 0 else "lost"
            bars.append((reason_of(name.capitalize()), row.currency, {kind: abs(amount)}))
    kinds = ("revenue", "lost")
    return Answer(grid=table, charts=_charts(bars, kinds), kinds=kinds)


async def _unanswered(connection: AsyncConnection, form: ReportForm, span: Span) -> Answer:
    by = form.by.removeprefix("unanswered-")
    rows = await unanswered(connection, span, by=by, client=form.client)
    name: Callable[[str], str] = {
        "hour": lambda key: f"{int(key):02d}:00",
        "reason": lambda key: END_REASONS.get(key, key or "unknown"),
    }.get(by, lambda key: key or "none")
    table = Grid(
        caption=REPORTS[form.by],
        titles=({"did": "DID"}.get(by, by.capitalize()), "Calls", "Waited"),
        rows=tuple(
            (grid.word(name(row.key)), grid.count(row.calls), grid.seconds(row.seconds))
            for row in rows
        ),
        empty=f"Every call was answered from {span.first} to {span.last}.",
    )
    bars = [(reason_of(name(row.key)), {"lost": row.calls * MICROS_PER_UNIT}) for row in rows]
    drawn = bars_by_name(bars, kinds=("lost",), unit="calls")
    return Answer(grid=table, charts=(("calls", drawn),) if rows else (), kinds=("lost",))


PAGES: Final = (
    Page(method="GET", path="/admin/reports", roles=OPERATORS, handler=show),
    Page(
        method="GET",
        path=f"/admin/reports.{{file:{KINDS}}}",
        roles=OPERATORS,
        handler=download,
    ),
)
