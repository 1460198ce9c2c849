"""`talkmeter verify`: prove every money invariant, or name the rows that break one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from ivr.cli import context

if TYPE_CHECKING:
    from billing.audit import Check
    from ivr.settings import Settings


def verify(json: context.JsonFlag = False) -> None:
    """Prove every invariant of the ledger and of the calls; exit 1 when one fails."""
    checks = context.run(_verify(context.settings()))
    ok = all(check.ok for check in checks)
    if json:
        context.emit(
            {
                "ok": ok,
                "checks": [
                    {"name": check.name, "ok": check.ok, "rows": list(check.rows)}
                    for check in checks
                ],
            }
        )
    else:
        for check in checks:
            context.say(f"{'ok  ' if check.ok else 'FAIL'}  {check.name}")
            for row in check.rows:
                context.say(f"        {row}")
    if not ok:
        raise typer.Exit(1)


async def _verify(settings: Settings) -> list[Check]:
    from billing.audit import verify as verify_ledger
    from ivr.calls.audit import verify as verify_calls
    from ivr.cli.database import PATIENT_SECONDS, database

    async with database(settings, statement_seconds=PATIENT_SECONDS) as engine:
        return [*await verify_ledger(engine), *await verify_calls(engine)]
