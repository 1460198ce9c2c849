"""`talkmeter calls`: list, show, refund and hang up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ivr.cli import context

if TYPE_CHECKING:
    from billing.money import Micros
    from billing.refunds import Refund
    from ivr.calls.history import CallRecord
    from ivr.settings import Settings

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
    """Show one call: what it cost and who got what."""
    record = context.run(_find(context.settings(), call_id))
    if record is None:
        context.fail(f"there is no call {call_id}; `talkmeter calls list` shows them")
    if json:
        context.emit(record.document())
        return
    from ivr.cli.watch import print_record

    print_record(record)


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


async def _find(settings: Settings, call_id: str) -> CallRecord | None:
    from billing.storage.engine import create
    from ivr.calls.history import find

    engine = create(settings.url)
    try:
        async with engine.connect() as connection:
            return await find(connection, call_id)
    finally:
        await engine.dispose()
