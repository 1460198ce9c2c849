"""Reports: revenue and its split."""

from __future__ import annotations

from typing import Final

from billing.money import format_amount
from billing.reports import split_report
from ivr.web.api import models
from ivr.web.api.gate import Answer, Ask, Operation
from ivr.web.scope import CLIENTS, OPERATORS


async def split(ask: Ask) -> Answer:
    """Report what was earned per DID and topic, and who got what."""
    assert isinstance(ask.query, models.SplitQuery)
    span = ask.query.span(ask.web.now().date())
    client = ask.who.scope.client(ask.query.client)
    async with ask.web.reading() as connection:
        rows = await split_report(connection, span, client=client)
    return Answer(
        model=models.SplitReport(
            first=span.first,
            last=span.last,
            rows=tuple(
                models.SplitRow(
                    client=row.client,
                    did=row.service,
                    topic=row.detail,
                    currency=row.currency,
                    calls=row.sessions,
                    billed_seconds=row.billed_seconds,
                    gross=format_amount(row.gross),
                    shares={
                        kind: format_amount(amount) for kind, amount in sorted(row.shares.items())
                    },
                )
                for row in rows
            ),
        )
    )


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/reports/split",
        name="reportSplit",
        summary="Report revenue per DID and topic, and how it was split",
        roles=OPERATORS | CLIENTS,
        handler=split,
        query=models.SplitQuery,
        answer=models.SplitReport,
        problems=("invalid_input",),
    ),
)
