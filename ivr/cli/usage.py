"""`talkmeter usage`: record metering events from a file, quote before spending, report."""

from __future__ import annotations

import json as documents
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from billing.money import format_amount, parse_amount
from ivr.cli import context
from ivr.cli.sheet import First, Format, Last, chosen, days, show

if TYPE_CHECKING:
    from billing.domain.usage import UsageAnswer, UsageEvent, UsageQuote, UsageRow
    from billing.reports import Span
    from ivr.settings import Settings

app = typer.Typer(help="Usage: record, quote, report.", no_args_is_help=True)
BATCH = 1_000


@app.command()
def record(
    file: Annotated[str, typer.Argument(help="JSON lines, one event each; - for stdin.")],
    json: context.JsonFlag = False,
) -> None:
    """Record metering events as POST /api/v1/usage reads them; again changes nothing.

    Refused and conflicting events are named with their line; exit 1 when there are any.
    """
    totals = {"accepted": 0, "replayed": 0, "refused": 0, "conflict": 0}
    problems: list[dict[str, object]] = []
    for number, answer in context.run(_record(context.settings(), file)):
        totals[answer.outcome] += 1
        if answer.outcome in {"refused", "conflict"}:
            problems.append(
                {
                    "line": number,
                    "key": answer.key,
                    "account": answer.account,
                    "code": answer.code,
                    "reason": answer.reason,
                }
            )
    if json:
        context.emit({**totals, "problems": problems})
    else:
        context.say(", ".join(f"{count} {outcome}" for outcome, count in totals.items()))
        for problem in problems:
            context.say(f"  line {problem['line']}: {problem['key']}: {problem['reason']}")
    if problems:
        raise typer.Exit(1)


@app.command()
def quote(
    account: str,
    kind: Annotated[str, typer.Argument(metavar="TYPE", help="An operation or a unit.")],
    units: Annotated[str | None, typer.Option(help="How many; once by default.")] = None,
    segment: Annotated[str | None, typer.Option(help="A segment of the plan.")] = None,
    byok: Annotated[bool, typer.Option("--byok", help="With the customer's own key.")] = False,
    json: context.JsonFlag = False,
) -> None:
    """Tell what something would take of a plan, before it is spent."""
    wanted = None if units is None else parse_amount(units)
    found = context.run(_quote(context.settings(), account, kind, wanted, segment, byok))
    if json:
        scale = found.meter.scale
        context.emit(
            {
                "account": found.account,
                "plan": found.plan,
                "meter": found.meter.unit,
                "units": format_amount(found.units // scale, decimals_min=0),
                "overage_units": format_amount(found.overage_units // scale, decimals_min=0),
                "overage": format_amount(found.overage),
                "currency": found.currency,
                "remaining": format_amount(found.remaining // scale, decimals_min=0),
                "warning": found.warning,
            }
        )
    else:
        context.say(found.says())


@app.command()
def report(
    account: Annotated[str | None, typer.Option(help="Only this account.")] = None,
    first: First = None,
    last: Last = None,
    output: Format = "table",
    json: context.JsonFlag = False,
) -> None:
    """Show usage by account and type."""
    from billing.domain.plans import scale_of

    output, span = chosen(output, json=json), days(first, last)
    rows = [
        {
            "account": row.account,
            "meter": row.meter,
            "type": row.type,
            "events": row.events,
            "units": format_amount(row.units // scale_of(row.meter), decimals_min=0),
            "overage": format_amount(row.overage),
        }
        for row in context.run(_report(context.settings(), span, account))
    ]
    show(rows, ("account", "meter", "type", "events", "units", "overage"), output, span)


async def _record(settings: Settings, file: str) -> list[tuple[int, UsageAnswer]]:
    from billing.clock import SystemClock
    from billing.usage import Metering
    from ivr.cli.database import database

    clock = SystemClock()
    found: list[tuple[int, UsageAnswer]] = []
    async with database(settings) as engine:
        metering = Metering(engine=engine, clock=clock)
        events = list(_events(file, int(clock.now().timestamp() * 1_000_000)))
        for start in range(0, len(events), BATCH):
            some = events[start : start + BATCH]
            answers = await metering.record([event for _, event in some])
            found += [(number, answer) for (number, _), answer in zip(some, answers, strict=True)]
    return found


def _events(file: str, now_us: int) -> Iterator[tuple[int, UsageEvent]]:
    """Read JSON lines; the first one that is wrong ends it, before anything is recorded."""
    from pydantic import ValidationError

    from billing.clock import microseconds_of
    from billing.domain.usage import UsageEvent
    from ivr.web.api.usage_models import NewUsage
    from ivr.web.problems import messages

    name = "stdin" if file == "-" else file
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        context.fail(f"{name} cannot be read: {error}")
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            new = NewUsage.model_validate(documents.loads(line))
        except ValidationError as error:
            field, reason = next(iter(messages(error).items()))
            context.fail(f"{name}:{number}: {field}: {reason}")
        except ValueError as error:
            context.fail(f"{name}:{number}: no JSON: {error}")
        if new.account is None:
            context.fail(f"{name}:{number}: account: Please fill this in.")
        yield (
            number,
            UsageEvent(
                key=new.key,
                account=new.account,
                type=new.type,
                units=new.units,
                at_us=now_us if new.at is None else microseconds_of(new.at),
                project=new.project,
                request_id=new.request_id,
                segment=new.segment,
                key_type=new.key_type,
                status=new.status,
            ),
        )


async def _quote(
    settings: Settings, account: str, kind: str, units: int | None, segment: str | None, byok: bool
) -> UsageQuote:
    from billing.clock import SystemClock
    from billing.usage import Metering
    from ivr.cli.database import database

    async with database(settings) as engine:
        metering = Metering(engine=engine, clock=SystemClock())
        return await metering.quote(account, type=kind, units=units, segment=segment, byok=byok)


async def _report(settings: Settings, span: Span, account: str | None) -> list[UsageRow]:
    from billing.clock import SystemClock
    from billing.usage import Metering
    from ivr.cli.database import database

    async with database(settings) as engine:
        return await Metering(engine=engine, clock=SystemClock()).report(span, account=account)
