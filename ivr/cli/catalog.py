"""`talkmeter catalog`: check, apply, export."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ivr.cli import context

if TYPE_CHECKING:
    from ivr.directory.catalog_apply import Applied
    from ivr.directory.catalog_file import Catalog
    from ivr.settings import Settings

app = typer.Typer(help="The catalog file: check, apply, export.", no_args_is_help=True)


@app.command()
def check(file: Path, json: context.JsonFlag = False) -> None:
    """Read a catalog and name file, line and field of every mistake; nothing is applied."""
    catalog = read(file, json=json)
    if json:
        context.emit(
            {
                "file": str(file),
                "ok": True,
                "mistakes": [],
            }
        )
    else:
        context.say(
            f"{file}: fine ({len(catalog.tariffs)} tariffs, {len(catalog.clients)} clients, "
            f"{len(catalog.dids)} DIDs, {len(catalog.accounts)} accounts, "
            f"{len(catalog.plans)} plans)"
        )


@app.command()
def apply(file: Path, json: context.JsonFlag = False) -> None:
    """Apply a catalog in one transaction; a second time changes nothing."""
    from ivr.directory.catalog_accounts import CatalogConflict

    catalog = read(file, json=json)
    try:
        applied = context.run(_apply(context.settings(), catalog))
    except CatalogConflict as error:
        context.fail(f"{file}: {error}; nothing was applied")
    if json:
        context.emit(
            {
                "created": applied.created,
                "changed": applied.changed,
                "unchanged": applied.unchanged,
            }
        )
        return
    for verb, names in (("created", applied.created), ("changed", applied.changed)):
        for name in names:
            context.say(f"{verb} {name}")
    context.say(f"{applied.unchanged} unchanged")


@app.command()
def export(file: Path, json: context.JsonFlag = False) -> None:
    """Write the catalog of the database to a file, `-` for stdout (no PINs, no balances)."""
    text = context.run(_export(context.settings()))
    if str(file) == "-":
        context.say(text.rstrip())
        return
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        context.fail(f"{file} cannot be written: {error.strerror}")
    if json:
        context.emit({"file": str(file), "bytes": len(text.encode())})
    else:
        context.say(f"written to {file}")


def read(file: Path, *, json: bool) -> Catalog:
    """Read a catalog, or print all its mistakes and exit 1."""
    from ivr.directory.catalog_file import load_catalog
    from ivr.directory.mistakes import CatalogInvalid

    try:
        return load_catalog(file)
    except CatalogInvalid as error:
        if json:
            context.emit(
                {
                    "file": str(file),
                    "ok": False,
                    "mistakes": [
                        {"line": item.line, "field": item.field, "message": item.message}
                        for item in error.mistakes
                    ],
                }
            )
        else:
            print(error, file=sys.stderr)
        raise typer.Exit(1) from None


async def _apply(settings: Settings, catalog: Catalog) -> Applied:
    from billing.clock import SystemClock
    from ivr.app import pin_key
    from ivr.cli.database import database
    from ivr.directory.catalog_apply import apply as apply_catalog

    async with database(settings) as engine:
        return await apply_catalog(engine, catalog, clock=SystemClock(), pin_key=pin_key(settings))


async def _export(settings: Settings) -> str:
    from billing.clock import SystemClock
    from ivr.cli.database import database
    from ivr.directory.catalog_export import export as write

    async with database(settings) as engine:
        return await write(engine, SystemClock())
