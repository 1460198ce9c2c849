"""`talkmeter report statement`: what moved on the account of a party."""

from __future__ import annotations

import csv
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from billing.money import format_amount
from ivr.cli import context

if TYPE_CHECKING:
    from billing.domain.operations import AccountRef
    from billing.domain.payouts import Payable
    from billing.reports import Span
    from billing.statements import PartyStatement
    from ivr.settings import Settings


def statement(
    party: Annotated[str, typer.Option(help="client:CODE, reseller:CODE or referrer:CODE")],
    currency: Annotated[str, typer.Option(help="Currency of the account.")] = "USD",
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day (UTC).")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day (UTC).")
    ] = None,
    output: Annotated[str, typer.Option("--format", help="table, json or csv")] = "table",
    json: context.JsonFlag = False,
) -> None:
    """Show opening balance, movements by day and kind, closing balance, pending and payable."""
    if output not in {"table", "json", "csv"}:
        raise typer.BadParameter("write table, json or csv", param_hint="--format")
    from billing.clock import SystemClock
    from billing.domain.operations import AccountRef
    from billing.reports import Span

    kind, colon, code = party.partition(":")
    if not colon:
        raise typer.BadParameter("write client:CODE or the like", param_hint="--party")
    today = SystemClock().now().date()
    end = last.date() if last else today
    start = first.date() if first else end.replace(day=1)
    if start > end:
        raise typer.BadParameter("the last day is before the first", param_hint="--to")
    ref = AccountRef(kind=kind, code=code, currency=currency)
    found, payable = context.run(_read(context.settings(), ref, Span(first=start, last=end)))
    if json or output == "json":
        context.emit(_document(party, found, payable))
    elif output == "csv":
        _print_csv(found)
    else:
        _print(found, payable)


async def _read(
    settings: Settings, party: AccountRef, span: Span
) -> tuple[PartyStatement, Payable]:
    from billing.clock import SystemClock
    from billing.payouts import Payouts
    from billing.statements import party_statement
    from ivr.cli.database import database

    async with database(settings) as engine:
        async with engine.connect() as connection:
            found = await party_statement(connection, party, span)
        return found, await Payouts(engine=engine, clock=SystemClock()).payable(party)


def _document(party: str, found: PartyStatement, payable: Payable) -> dict[str, object]:
    return {
        "party": party,
        "currency": found.party.currency,
        "from": found.span.first.isoformat(),
        "to": found.span.last.isoformat(),
        "opening": format_amount(found.opening),
        "movements": [
            {
                "day": movement.day.isoformat(),
                "kind": movement.kind,
                "count": movement.count,
                "amount": format_amount(movement.amount),
            }
            for movement in found.movements
        ],
        "closing": format_amount(found.closing),
        "pending": format_amount(payable.pending),
        "payable": format_amount(payable.payable),
    }


def _print_csv(found: PartyStatement) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(("day", "kind", "count", "amount", "balance"))
    balance = found.opening
    writer.writerow((found.span.first, "opening", "", "", format_amount(balance)))
    for movement in found.movements:
        balance += movement.amount
        amounts = format_amount(movement.amount), format_amount(balance)
        writer.writerow((movement.day, movement.kind, movement.count, *amounts))
    writer.writerow((found.span.last, "closing", "", "", format_amount(balance)))


def _print(found: PartyStatement, payable: Payable) -> None:
    currency = found.party.currency
    context.say(f"{found.span.first} opening balance {format_amount(found.opening):>28} {currency}")
    for movement in found.movements:
        context.say(
            f"{movement.day} {movement.kind:<20} {movement.count:>8} "
            f"{format_amount(movement.amount):>14}"
        )
    context.say(f"{found.span.last} closing balance {format_amount(found.closing):>28} {currency}")
    context.say(
        f"now pending {format_amount(payable.pending)}, payable {format_amount(payable.payable)}"
    )
