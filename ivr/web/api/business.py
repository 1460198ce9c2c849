"""Reports of the business: revenue by anything, callers, ARPU, MRR, unanswered calls."""

from __future__ import annotations

from typing import Final

from billing.business import GROUPS, RevenueRow, count_callers, revenue, top_callers
from billing.clock import MICROSECONDS, moment_of
from billing.money import format_amount
from billing.mrr import recurring_revenue
from ivr.calls.unanswered import unanswered
from ivr.web.api import report_models as models
from ivr.web.api.gate import Answer, Ask, Operation
from ivr.web.api.periods import PeriodQuery
from ivr.web.fields import read_cursor
from ivr.web.scope import CLIENTS, OPERATORS

NAMES: Final = {"service": "did", "detail": "topic", "day_us": "day"}


async def report_revenue(ask: Ask) -> Answer:
    """Report revenue by one thing."""
    assert isinstance(ask.query, models.RevenueQuery)
    query, columns = ask.query, GROUPS[ask.query.by]
    span = query.span(ask.web.now().date())
    async with ask.web.reading() as connection:
        found = await revenue(
            connection,
            span,
            by=query.by,
            client=ask.who.scope.client(query.client),
            after=read_cursor(query.after, *[str] * (len(columns) + 1)) or (),
            limit=query.reach,
        )
    rows, after = query.cut(found, lambda row: (*row.key, row.currency))
    return Answer(
        model=models.Revenue(
            first=span.first,
            last=span.last,
            by=query.by,
            rows=tuple(_revenue(row, columns) for row in rows),
            next=after,
        )
    )


async def report_callers(ask: Ask) -> Answer:
    """Report who paid most."""
    assert isinstance(ask.query, models.CallersQuery)
    span = ask.query.span(ask.web.now().date())
    client = ask.who.scope.client(ask.query.client)
    async with ask.web.reading() as connection:
        rows = await top_callers(connection, span, client=client, limit=ask.query.limit)
    return Answer(
        model=models.Callers(
            first=span.first,
            last=span.last,
            rows=tuple(
                models.CallerRow(
                    account=row.account,
                    currency=row.currency,
                    calls=row.sessions,
                    billed_seconds=row.billed_seconds,
                    gross=format_amount(row.gross),
                )
                for row in rows
            ),
        )
    )


async def report_arpu(ask: Ask) -> Answer:
    """Report revenue per caller."""
    assert isinstance(ask.query, models.ClientPeriodQuery)
    span = ask.query.span(ask.web.now().date())
    client = ask.who.scope.client(ask.query.client)
    async with ask.web.reading() as connection:
        rows = await count_callers(connection, span, client=client)
    return Answer(
        model=models.Arpu(
            first=span.first,
            last=span.last,
            rows=tuple(
                models.ArpuRow(
                    currency=row.currency,
                    callers=row.callers,
                    calls=row.sessions,
                    gross=format_amount(row.gross),
                    per_caller=format_amount(row.per_caller),
                )
                for row in rows
            ),
        )
    )


async def report_mrr(ask: Ask) -> Answer:
    """Report recurring revenue."""
    assert isinstance(ask.query, PeriodQuery)
    span = ask.query.span(ask.web.now().date())
    async with ask.web.reading() as connection:
        rows = await recurring_revenue(connection, span)
    return Answer(
        model=models.Mrr(
            first=span.first,
            last=span.last,
            rows=tuple(
                models.MrrRow(
                    currency=row.currency,
                    opening=format_amount(row.opening),
                    closing=format_amount(row.opening + sum(row.moves.values())),
                    moves={kind: format_amount(amount) for kind, amount in row.moves.items()},
                    kept=format_amount(row.kept),
                    subscriptions=row.subscriptions,
                    lost=row.lost,
                )
                for row in rows
            ),
        )
    )


async def report_unanswered(ask: Ask) -> Answer:
    """Report calls that nobody answered."""
    assert isinstance(ask.query, models.UnansweredQuery)
    span = ask.query.span(ask.web.now().date())
    client = ask.who.scope.client(ask.query.client)
    async with ask.web.reading() as connection:
        rows = await unanswered(connection, span, by=ask.query.by, client=client)
    return Answer(
        model=models.Unanswered(
            first=span.first,
            last=span.last,
            by=ask.query.by,
            rows=tuple(
                models.UnansweredRow(key=row.key, calls=row.calls, seconds=row.seconds)
                for row in rows
            ),
        )
    )


def _revenue(row: RevenueRow, columns: tuple[str, ...]) -> models.RevenueRow:
    return models.RevenueRow(
        key={
            NAMES.get(name, name): moment_of(int(value)).date().isoformat()
            if name == "day_us"
            else value
            for name, value in zip(columns, row.key, strict=True)
        },
        currency=row.currency,
        calls=row.sessions,
        talk_seconds=row.talk_us / MICROSECONDS,
        billed_seconds=row.billed_seconds,
        gross=format_amount(row.gross),
        corrected=format_amount(row.corrected),
        shares={kind: format_amount(amount) for kind, amount in sorted(row.shares.items())},
    )


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/reports/revenue",
        name="reportRevenue",
        summary="Report revenue by client, DID, topic, tariff or day",
        roles=OPERATORS | CLIENTS,
        handler=report_revenue,
        query=models.RevenueQuery,
        answer=models.Revenue,
        problems=("invalid_input",),
    ),
    Operation(
        method="GET",
        path="/reports/callers",
        name="reportCallers",
        summary="Report who paid most",
        roles=OPERATORS,
        handler=report_callers,
        query=models.CallersQuery,
        answer=models.Callers,
        problems=("invalid_input",),
    ),
    Operation(
        method="GET",
        path="/reports/arpu",
        name="reportArpu",
        summary="Report average revenue per caller",
        roles=OPERATORS,
        handler=report_arpu,
        query=models.ClientPeriodQuery,
        answer=models.Arpu,
        problems=("invalid_input",),
    ),
    Operation(
        method="GET",
        path="/reports/mrr",
        name="reportMrr",
        summary="Report monthly recurring revenue and what moved it",
        roles=OPERATORS,
        handler=report_mrr,
        query=PeriodQuery,
        answer=models.Mrr,
        problems=("invalid_input",),
    ),
    Operation(
        method="GET",
        path="/reports/unanswered",
        name="reportUnanswered",
        summary="Report calls that nobody answered, by DID, topic, hour or reason",
        roles=OPERATORS | CLIENTS,
        handler=report_unanswered,
        query=models.UnansweredQuery,
        answer=models.Unanswered,
        problems=("invalid_input",),
    ),
)
