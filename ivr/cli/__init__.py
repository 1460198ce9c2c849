"""`talkmeter`: parse, call, print. No command holds any logic of its own."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from billing.errors import BillingError
from ivr.cli import (
    account,
    agent,
    business,
    call,
    calls,
    catalog,
    context,
    db,
    demo,
    doctor,
    fees,
    invoice,
    payout,
    report,
    serve,
    subscription,
    usage,
    user,
    voucher,
    webhook,
)
from ivr.cli.agreements import agreements
from ivr.cli.forecast import forecast
from ivr.cli.quote import quote
from ivr.cli.rate import rate
from ivr.cli.reconcile import reconcile
from ivr.cli.rerate import rerate
from ivr.cli.statement import statement
from ivr.cli.topup import topup
from ivr.cli.verify import verify
from ivr.settings import SettingsError

__all__ = ["main"]

app = typer.Typer(
    name="talkmeter",
    help="Sells phone support by the minute.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.serve)
app.command("run")(demo.run)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.command("call")(call.call)
app.command("quote")(quote)
app.command("rate")(rate)
app.command("topup")(topup)
app.command("forecast")(forecast)
app.command("rerate")(rerate)
app.command("verify")(verify)
app.command("reconcile")(reconcile)
app.add_typer(calls.app, name="calls")
catalog.app.command("agreements")(agreements)
app.add_typer(catalog.app, name="catalog")
app.add_typer(account.app, name="account")
app.add_typer(agent.app, name="agent")
app.add_typer(webhook.app, name="webhook")
report.app.command("statement")(statement)
report.app.command("revenue")(business.revenue)
report.app.command("callers")(business.callers)
report.app.command("arpu")(business.arpu)
report.app.command("mrr")(business.mrr)
report.app.command("unanswered")(business.unanswered)
app.add_typer(report.app, name="report")
app.add_typer(usage.app, name="usage")
app.add_typer(fees.app, name="fees")
app.add_typer(voucher.app, name="voucher")
app.add_typer(invoice.app, name="invoice")
app.add_typer(payout.app, name="payout")
app.add_typer(subscription.app, name="subscription")
app.add_typer(user.app, name="user")
app.add_typer(db.app, name="db")


def _version(wanted: bool) -> None:
    if wanted:
        print(version("talkmeter"))
        raise typer.Exit


@app.callback()
def root(
    config: Annotated[
        Path | None, typer.Option(help="Read this talkmeter.toml (and conf.d beside it).")
    ] = None,
    _show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Sells phone support by the minute."""
    context.remember_config(config)


def main() -> None:
    """Run the command line; a known problem is one sentence, not a traceback."""
    try:
        app()
    except (SettingsError, BillingError) as error:
        print(f"talkmeter: {error}", file=sys.stderr)
        raise SystemExit(1) from None
