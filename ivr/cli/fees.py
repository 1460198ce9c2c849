"""`talkmeter fees`: charge clients the monthly fees of their DIDs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from billing.money import format_amount
from ivr.cli import context

if TYPE_CHECKING:
    from billing.fees import FeesCharged
    from ivr.settings import Settings

app = typer.Typer(help="Monthly fees of DIDs.", no_args_is_help=True)


@app.callback()
def fees() -> None:
    """Fees that clients pay for what they rent."""


@app.command()
def run(
    month: Annotated[str | None, typer.Option(help="YYYY-MM; this month by default.")] = None,
    json: context.JsonFlag = False,
) -> None:
    """Charge each DID's fee of a month, once; the running service does so by itself."""
    done = context.run(_run(context.settings(), month))
    if json:
        context.emit(
            {
                "month": done.month,
                "posted": [
                    {
                        "did": fee.service,
                        "client": fee.client,
                        "amount": format_amount(fee.amount),
                        "currency": fee.currency,
                    }
                    for fee in done.posted
                ],
                "before": done.before,
            }
        )
        return
    for fee in done.posted:
        context.say(
            f"{fee.service:<16} {fee.client:<16} {format_amount(fee.amount)} {fee.currency}"
        )
    context.say(f"{done.month}: {len(done.posted)} charged, {done.before} were charged before")


async def _run(settings: Settings, month: str | None) -> FeesCharged:
    from billing.clock import microseconds_of
    from billing.fees import charge_monthly_fees
    from ivr.cli.database import books
    from ivr.directory.fees import monthly_fees
    from ivr.directory.store import load_directory

    async with books(settings) as opened:
        async with opened.engine.connect() as connection:
            listed = monthly_fees(
                await load_directory(connection, microseconds_of(opened.clock.now()))
            )
        return await charge_monthly_fees(
            opened.writer,
            listed,
            month=month or f"{opened.clock.now():%Y-%m}",
            clock=opened.clock,
            actor="cli",
        )
