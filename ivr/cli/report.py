"""`talkmeter report split`: who earned what."""

from __future__ import annotations

import csv
import sys
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from billing.money import format_amount
from ivr.cli import context
from ivr.spreadsheet import harmless

if TYPE_CHECKING:
    from billing.reports import Span, SplitRow
    from ivr.settings import Settings

app = typer.Typer(
    help="Reports: split, revenue, callers, ARPU, unanswered calls, statements.",
    no_args_is_help=True,
)
TEXTS = ("client", "did", "topic", "currency")
PARTIES = ("provider", "client", "reseller", "referrer", "tax")


@app.callback()
def reports() -> None:
    """Reports from what was booked."""


@app.command()
def split(
    client: Annotated[str | None, typer.Option(help="Only this client.")] = None,
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day (UTC).")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day (UTC).")
    ] = None,
    output: Annotated[str, typer.Option("--format", help="table, json or csv")] = "table",
    json: context.JsonFlag = False,
) -> None:
    """Show the revenue of each DID and topic, and how it was split."""
    if output not in {"table", "json", "csv"}:
        raise typer.BadParameter("write table, json or csv", param_hint="--format")
    from billing.clock import SystemClock
    from billing.reports import Span

    today = SystemClock().now().date()
    end = last.date() if last else today
    start = first.date() if first else end.replace(day=1)
    if start > end:
        raise typer.BadParameter("the last day is before the first", param_hint="--to")
    span = Span(first=start, last=end)
    rows = context.run(_split(context.settings(), span, client))
    documents = [_document(row) for row in rows]
    if json or output == "json":
        context.emit({"from": _day(start), "to": _day(end), "rows": documents})
    elif output == "csv":
        writer = csv.DictWriter(sys.stdout, fieldnames=_columns())
        writer.writeheader()
        for row, document in zip(rows, documents, strict=True):
            del document["shares"]
            shares = {kind: format_amount(row.shares.get(kind, 0)) for kind in PARTIES}
            texts = {name: harmless(str(document[name])) for name in TEXTS}
            writer.writerow({**document, **texts, **shares})
    else:
        _print(rows)


def _columns() -> list[str]:
    fields = ["client", "did", "topic", "currency", "calls", "billed_seconds", "gross"]
    return [*fields, *PARTIES]


def _document(row: SplitRow) -> dict[str, object]:
    return {
        "client": row.client,
        "did": row.service,
        "topic": row.detail,
        "currency": row.currency,
        "calls": row.sessions,
        "billed_seconds": row.billed_seconds,
        "gross": format_amount(row.gross),
        "shares": {kind: format_amount(amount) for kind, amount in sorted(row.shares.items())},
    }


def _print(rows: list[SplitRow]) -> None:
    context.say(
        f"{'client':<14} {'did':<15} {'topic':<14} {'calls':>6} {'seconds':>9} "
        f"{'gross':>14} {'provider':>14} {'client':>14}"
    )
    for row in rows:
        context.say(
            f"{row.client:<14} {row.service:<15} {row.detail:<14} {row.sessions:>6} "
            f"{row.billed_seconds:>9} {format_amount(row.gross):>14} "
            f"{format_amount(row.shares.get('provider', 0)):>14} "
            f"{format_amount(row.shares.get('client', 0)):>14} {row.currency}"
        )
    if not rows:
        context.say("nothing was sold in this time")


def _day(day: date) -> str:
    return day.isoformat()


async def _split(settings: Settings, span: Span, client: str | None) -> list[SplitRow]:
    from billing.reports import split_report
    from billing.storage.engine import snapshot
    from ivr.cli.database import PATIENT_SECONDS, database

    async with (
        database(settings, statement_seconds=PATIENT_SECONDS) as engine,
        snapshot(engine) as connection,
    ):
        return await split_report(connection, span, client=client)
