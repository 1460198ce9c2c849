"""`talkmeter db`: bring the database to the newest revision, or tell which one it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from ivr.cli import context

if TYPE_CHECKING:
    from ivr.settings import Settings

app = typer.Typer(help="The database: upgrade, current.", no_args_is_help=True)


@app.command()
def upgrade(json: context.JsonFlag = False) -> None:
    """Create or upgrade the database."""
    before, after = context.run(_upgrade(context.settings()))
    if json:
        context.emit({"before": before, "after": after})
    else:
        context.say(f"{before or 'empty'} -> {after}" if before != after else f"{after} already")


@app.command()
def current(json: context.JsonFlag = False) -> None:
    """Tell the revision of the database and the one this version needs."""
    found, needed = context.run(_current(context.settings()))
    if json:
        context.emit({"current": found, "needed": needed})
    else:
        context.say(f"{found or 'empty'} (needed: {needed})")
    if found != needed:
        raise typer.Exit(1)


async def _upgrade(settings: Settings) -> tuple[str | None, str | None]:
    from ivr.cli.database import PATIENT_SECONDS, database
    from ivr.migrations import current, upgrade

    async with database(settings, any_revision=True, statement_seconds=PATIENT_SECONDS) as engine:
        before = await current(engine)
        await upgrade(engine)
        return before, await current(engine)


async def _current(settings: Settings) -> tuple[str | None, str]:
    from ivr.cli.database import database
    from ivr.migrations import current, newest

    async with database(settings, any_revision=True) as engine:
        return await current(engine), newest()
