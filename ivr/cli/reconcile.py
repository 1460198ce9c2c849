"""`talkmeter reconcile`: every charge beside Asterisk's own record of the talk."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from ivr.cli import context

if TYPE_CHECKING:
    from ivr.calls.reconcile import Reconciliation
    from ivr.settings import Settings

DAYS = 1


def reconcile(
    first: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="First day (UTC); yesterday by default."),
    ] = None,
    json: context.JsonFlag = False,
) -> None:
    """Compare charges with the channel event log; exit 1 when a talk differs by over 50 ms."""
    found = context.run(_reconcile(context.settings(), first))
    if json:
        context.emit(
            {
                "compared": found.compared,
                "differences": [
                    {
                        "call_id": item.call_id,
                        "talk_seconds": item.talk_us / 1e6,
                        "record_seconds": None if item.record_us is None else item.record_us / 1e6,
                        "evidence": item.evidence,
                        "review": item.review,
                    }
                    for item in found.differences
                ],
            }
        )
    else:
        context.say(f"{found.compared} calls compared, {len(found.differences)} differ")
        for item in found.differences:
            theirs = "no talk" if item.record_us is None else f"{item.record_us / 1e6:.6f} s"
            context.say(f"  {item.call_id}  ours {item.talk_us / 1e6:.6f} s  record {theirs}")
    if found.differences:
        raise typer.Exit(1)


async def _reconcile(settings: Settings, first: datetime | None) -> Reconciliation:
    from billing.clock import SystemClock, microseconds_of
    from ivr.ami.cel import CelFile
    from ivr.calls.reconcile import reconcile as compare
    from ivr.cli.database import database
    from ivr.sandbox.configure import Home
    from ivr.settings import SettingsError
    from ivr.telephony import SwitchUnavailable

    now = SystemClock().now()
    since = first.replace(tzinfo=now.tzinfo) if first else now - timedelta(days=DAYS)
    path = settings.cel_file or Home(root=settings.state_dir / "asterisk").cel
    async with database(settings) as engine:
        try:
            return await compare(
                engine, CelFile(path), node=settings.node, since_us=microseconds_of(since)
            )
        except SwitchUnavailable as error:
            raise SettingsError(
                f"{path} cannot be read: set TALKMETER_CEL_FILE to Asterisk's channel event log"
            ) from error
