"""`talkmeter calls`: list, show, refund and hang up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from ivr.cli import context

if TYPE_CHECKING:
    from billing.money import Micros
    from billing.refunds import Refund
    from ivr.calls.history import CallRecord
    from ivr.settings import Settings
    from ivr.web.explain import Explanation, Line

app = typer.Typer(help="Calls: list, show, refund, hang up.", no_args_is_help=True)


@app.command("list")
def list_calls(
    limit: Annotated[int, typer.Option(min=1, max=500)] = 20,
    before: Annotated[str | None, typer.Option(help="The last id of the page before.")] = None,
    json: context.JsonFlag = False,
) -> None:
    """List calls, newest first."""
    records = context.run(_recent(context.settings(), limit, before))
    if json:
        context.emit([record.document() for record in records])
        return
    from billing.money import format_amount
    from ivr.calls.history import moment

    for record in records:
        context.say(
            f"{record.call_id}  {(moment(record.started_us) or '')[:19]}  {record.did:<15} "
            f"{record.account or '-':<12} {record.talk_us / 1e6:>9.3f} s "
            f"{format_amount(record.cost):>12} {record.currency or '':<3}  "
            f"{record.end_reason or record.state}"
        )


@app.command()
def show(call_id: str, json: context.JsonFlag = False) -> None:
    """Show one call: every line of its cost by its own price version, who got what, refunds."""
    found = context.run(_find(context.settings(), call_id))
    if found is None:
        context.fail(f"there is no call {call_id}; `talkmeter calls list` shows them")
    if json:
        context.emit({**found.record.document(), **_explained(found)})
        return
    from billing.clock import moment_of
    from billing.money import format_amount
    from ivr.cli.watch import print_record

    print_record(found.record)
    if found.explanation is not None:
        version = f"{found.record.tariff} version {found.record.tariff_version}"
        context.say(f"why       {version}")
        for line in found.explanation.lines:
            context.say(f"  {line.label:<44} {_price(line):>12} {format_amount(line.amount):>14}")
        for note in found.explanation.notes:
            context.say(f"  {note}")
        if not found.explanation.agrees:
            context.say("  the lines do not add up to what was booked: run `talkmeter verify`")
    for refund in found.refunds:
        day = moment_of(refund.at_us).date()
        amount = format_amount(refund.amount)
        context.say(f"{refund.kind:<9} {amount} {refund.currency} on {day}: {refund.reason}")


@app.command()
def refund(
    call_id: str,
    reason: Annotated[str, typer.Option(help="Why; shown in the statement.")],
    key: Annotated[str, typer.Option(help="The same key never refunds twice.")],
    amount: Annotated[str | None, typer.Option(help="All that is left by default.")] = None,
    goodwill: Annotated[
        bool, typer.Option("--goodwill", help="The provider pays alone; parties keep their shares.")
    ] = False,
    json: context.JsonFlag = False,
) -> None:
    """Give money back for a call; every party gives back its share."""
    from billing.money import format_amount, parse_amount

    wanted = None if amount is None else parse_amount(amount)
    done = context.run(_refund(context.settings(), call_id, key, reason, wanted, goodwill))
    parts = [
        {"party": party.kind, "account": party.code, "amount": format_amount(part)}
        for party, part in done.parts
    ]
    if json:
        context.emit(
            {
                "transfer_id": done.transfer_id,
                "call_id": done.session_id,
                "account": done.account,
                "kind": done.kind,
                "amount": format_amount(done.amount),
                "currency": done.currency,
                "parts": parts,
                "replayed": done.replayed,
            }
        )
        return
    word = "was given back before" if done.replayed else "given back"
    context.say(f"{done.account}: {format_amount(done.amount)} {done.currency} {word}")
    for part in parts:
        context.say(f"  {part['party']:<10} {part['account']:<16} {part['amount']:>14}")


@app.command()
def hangup(call_id: str) -> None:
    """End a live call."""
    from ivr.cli.api import ServiceApi, ServiceNotRunning

    try:
        found = context.run(ServiceApi(context.settings()).hang_up(call_id))
    except ServiceNotRunning as error:
        context.fail(f"no service answers ({error}); start it with `make run` or `talkmeter serve`")
    if not found:
        context.fail(f"the call {call_id} is not live")


async def _refund(
    settings: Settings, call_id: str, key: str, reason: str, amount: Micros | None, goodwill: bool
) -> Refund:
    from billing.clock import SystemClock
    from billing.refunds import Refunds
    from ivr.cli.database import database

    async with database(settings) as engine:
        return await Refunds(engine=engine, clock=SystemClock()).refund(
            call_id, key=key, actor="cli", reason=reason, amount=amount, goodwill=goodwill
        )


async def _recent(settings: Settings, limit: int, before: str | None) -> list[CallRecord]:
    from billing.storage.engine import create
    from ivr.calls.history import recent

    engine = create(settings.url)
    try:
        async with engine.connect() as connection:
            return await recent(connection, limit=limit, before=before)
    finally:
        await engine.dispose()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A call with the reasons of its cost and what was given back of it."""

    record: CallRecord
    explanation: Explanation | None
    refunds: tuple[Refund, ...]


async def _find(settings: Settings, call_id: str) -> _Found | None:
    from billing.clock import SystemClock
    from billing.refunds import Refunds
    from ivr.calls.history import find
    from ivr.cli.database import database
    from ivr.web.explain import explain
    from ivr.web.queries.calls import find_call
    from ivr.web.scope import Role, Scope

    async with database(settings) as engine:
        async with engine.connect() as connection:
            record = await find(connection, call_id)
            if record is None:
                return None
            operator = Scope(role=Role.OPERATOR, subject=None)
            detail = await find_call(connection, operator, call_id)
        refunds = await Refunds(engine=engine, clock=SystemClock()).of_session(call_id)
        return _Found(record=record, explanation=explain(detail), refunds=tuple(refunds))


def _explained(found: _Found) -> dict[str, object]:
    from billing.money import format_amount
    from ivr.calls.history import moment

    lines = found.explanation.lines if found.explanation else ()
    return {
        "lines": [
            {
                "label": line.label,
                "seconds": line.seconds,
                "price": _price(line) or None,
                "amount": format_amount(line.amount),
            }
            for line in lines
        ],
        "notes": list(found.explanation.notes) if found.explanation else [],
        "refunds": [
            {
                "kind": refund.kind,
                "amount": format_amount(refund.amount),
                "reason": refund.reason,
                "at": moment(refund.at_us),
            }
            for refund in found.refunds
        ],
    }


def _price(line: Line) -> str:
    from billing.domain.notation import format_price

    return "" if line.price is None else format_price(line.price, line.per_seconds)
