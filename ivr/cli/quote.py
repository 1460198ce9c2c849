"""`talkmeter quote`: what so many seconds would cost, line by line."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from billing.clock import microseconds_of
from billing.domain.notation import format_price
from billing.domain.rating import Charge, RateTable, seconds_of
from billing.errors import UnknownTariff
from billing.money import Rounding, divide, format_amount
from ivr.cli import context

if TYPE_CHECKING:
    from ivr.directory.model import TariffVersion
    from ivr.settings import Settings

SECONDS_MAX = 366 * 24 * 3600


def quote(
    tariff: Annotated[str, typer.Option(help="The tariff, or a version of it such as standard@2.")],
    seconds: Annotated[str, typer.Option(help="Talk in seconds, such as 1530 or 4.25.")],
    catalog: Annotated[
        Path | None, typer.Option(help="Use this file instead of the database.")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(help="When the talk begins (ISO 8601): prices then in force, by the hour."),
    ] = None,
    timezone: Annotated[str, typer.Option(help="The zone of the DID.")] = "UTC",
    json: context.JsonFlag = False,
) -> None:
    """Tell what a talk would cost."""
    talk_us = _microseconds(seconds)
    started_at = _moment(at, _zone(timezone))
    version = _version(tariff, catalog, started_at)
    table = RateTable.compile(version.tariff, started_at=started_at, timezone=timezone)
    charge = table.charge(seconds_of(talk_us))
    if json:
        context.emit(_document(version, charge, seconds))
    else:
        _print(version, charge)


def _version(name: str, catalog: Path | None, started_at: datetime) -> TariffVersion:
    if catalog is None:
        return context.run(_stored(context.settings(), name, started_at))
    from ivr.cli.catalog import read
    from ivr.directory.model import TariffVersion

    file = read(catalog, json=False)
    found = {tariff.name: tariff for tariff in file.tariffs} | {
        planned.tariff.name: planned.tariff
        for planned in file.planned
        if planned.in_force_us <= microseconds_of(started_at)
    }
    if name not in found:
        raise UnknownTariff(tariff=name)
    return TariffVersion(id=0, name=name, version=0, tariff=found[name])


async def _stored(settings: Settings, name: str, started_at: datetime) -> TariffVersion:
    from ivr.cli.database import database
    from ivr.directory.store import load_tariff

    async with database(settings) as engine, engine.connect() as connection:
        return await load_tariff(connection, name, microseconds_of(started_at))


def _microseconds(text: str) -> int:
    if not re.fullmatch(r"\d{1,8}(\.\d{1,6})?", text) or Decimal(text) > SECONDS_MAX:
        raise typer.BadParameter("write seconds such as 1530 or 4.25", param_hint="--seconds")
    return int(Decimal(text) * 1_000_000)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise typer.BadParameter(
            "write a time zone such as Europe/Vilnius", param_hint="--timezone"
        ) from None


def _moment(text: str | None, zone: ZoneInfo) -> datetime:
    """Read a moment; one without an offset is local time of the DID."""
    if text is None:
        from billing.clock import SystemClock

        return SystemClock().now()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("write 2026-01-31T18:30:00+02:00", param_hint="--at") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _document(version: TariffVersion, charge: Charge, seconds: str) -> dict[str, object]:
    talk = float(seconds)
    return {
        "tariff": version.name,
        "version": version.version,
        "currency": charge.currency,
        "talk_seconds": int(talk) if talk.is_integer() else talk,
        "billed_seconds": charge.billed_seconds,
        "cost": format_amount(charge.cost),
        "lines": [
            {
                "tier_from_s": line.tier_from_seconds,
                "seconds": line.seconds,
                "price_per_minute": format_amount(
                    divide(line.price * 60, line.per_seconds, Rounding.HALF_UP)
                ),
                "amount": format_amount(line.amount),
            }
            for line in charge.lines
        ],
        "setup_fee": format_amount(charge.setup_fee),
        "adjustment": format_amount(charge.adjustment),
        "net": format_amount(charge.net),
        "tax": format_amount(charge.tax),
        "tax_included": charge.tax_included,
    }


def _print(version: TariffVersion, charge: Charge) -> None:
    context.say(f"{version.name}, version {version.version}, {charge.currency}")
    if charge.setup_fee:
        context.say(f"  setup fee {format_amount(charge.setup_fee):>28}")
    for line in charge.lines:
        price = format_price(line.price, line.per_seconds)
        context.say(
            f"  from {line.tier_from_seconds:>5} s: {line.seconds:>6} s at {price:<9} "
            f"{format_amount(line.amount):>9}"
        )
    if charge.adjustment:
        context.say(f"  rounding, minimum, maximum {format_amount(charge.adjustment):>11}")
    if charge.tax:
        word = "with tax of" if charge.tax_included else "tax"
        context.say(f"  {word:<12}{format_amount(charge.tax):>26}")
    context.say(f"  cost {format_amount(charge.cost):>33}")
