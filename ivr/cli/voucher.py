"""`talkmeter voucher`: generate, list, disable, redeem."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from billing.clock import microseconds_of, moment_of
from billing.money import format_amount, parse_amount
from ivr.cli import context

if TYPE_CHECKING:
    from billing.voucher_batches import Batch
    from billing.vouchers import Generated, Redeemed, Vouchers
    from ivr.settings import Settings

app = typer.Typer(help="Vouchers: generate, list, disable, redeem.", no_args_is_help=True)
COLUMNS: Final = ("code", "amount", "currency", "expires")


@app.command()
def generate(
    amount: Annotated[str, typer.Option(help="What each voucher is worth.")],
    count: Annotated[int, typer.Option(min=1, max=100_000)],
    currency: str = "USD",
    expires: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The first day (UTC) when it is too late."),
    ] = None,
    note: Annotated[str | None, typer.Option(help="For the list of batches.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the codes to a new CSV file.")] = None,
    json: context.JsonFlag = False,
) -> None:
    """Make a batch of codes; they are shown once and cannot be read again later."""
    expires_us = microseconds_of(expires.replace(tzinfo=UTC)) if expires else None
    # The file is made first: codes that cannot be kept must not be made.
    descriptor = _new_file(out) if out else None
    try:
        made = context.run(_generate(context.settings(), amount, currency, count, expires_us, note))
    except Exception:
        if out and descriptor is not None:
            os.close(descriptor)
            out.unlink()
        raise
    if descriptor is not None:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(_csv(made))
    if json:
        codes = {} if out else {"codes": list(made.codes)}
        context.emit({**_document(made.batch), **codes})
    elif out:
        context.say(f"batch {made.batch.id}: {len(made.codes)} codes written to {out}")
    else:
        context.say(_csv(made).rstrip())


@app.command("list")
def list_batches(json: context.JsonFlag = False) -> None:
    """List the batches, newest first."""
    found = context.run(_list(context.settings()))
    if json:
        context.emit([_document(batch) for batch in found])
        return
    for batch in found:
        context.say(
            f"{batch.id}  {format_amount(batch.amount):>10} {batch.currency}  "
            f"{batch.left} of {batch.count} left, {batch.used} used, {batch.expired} expired, "
            f"{batch.disabled} disabled  {_day(batch.expires_us) or 'never expires'}"
            f"{f'  {batch.note}' if batch.note else ''}"
        )
    if not found:
        context.say("there are no vouchers")


@app.command()
def disable(
    batch: Annotated[str | None, typer.Argument(help="The id of a batch.")] = None,
    code: Annotated[str | None, typer.Option(help="One code instead of a batch.")] = None,
    json: context.JsonFlag = False,
) -> None:
    """Call back what is left of a batch, or one code."""
    if (batch is None) == (code is None):
        raise typer.BadParameter("name a batch, or one code with --code", param_hint="BATCH")
    context.run(_disable(context.settings(), batch, code))
    if json:
        context.emit({"batch": batch, "disabled": True})
    else:
        context.say(f"batch {batch} is disabled" if batch else "the code is disabled")


@app.command()
def redeem(
    account: str,
    code: str,
    key: Annotated[
        str | None, typer.Option(help="The same key gets the same answer; the default is the code.")
    ] = None,
    json: context.JsonFlag = False,
) -> None:
    """Turn a code into money of an account, once."""
    done = context.run(_redeem(context.settings(), account, code, key))
    if json:
        context.emit(
            {
                "account": done.account,
                "amount": format_amount(done.amount),
                "balance": format_amount(done.balance),
                "currency": done.currency,
                "transfer_id": done.transfer_id,
                "replayed": done.replayed,
            }
        )
    else:
        context.say(
            f"{done.account}: {format_amount(done.amount)} {done.currency} "
            f"{'was redeemed before' if done.replayed else 'redeemed'}, "
            f"balance {format_amount(done.balance)} {done.currency}"
        )


def _new_file(path: Path) -> int:
    """Make a file that only its owner may read: codes are money."""
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        context.fail(f"{path} exists already: name a new file")
    except OSError as error:
        context.fail(f"{path} cannot be written: {error.strerror}")


def _csv(made: Generated) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    batch = made.batch
    shared = (format_amount(batch.amount), batch.currency, _day(batch.expires_us) or "")
    writer.writerows((code, *shared) for code in made.codes)
    return text.getvalue()


def _day(at_us: int | None) -> str | None:
    return None if at_us is None else moment_of(at_us).date().isoformat()


def _document(batch: Batch) -> dict[str, object]:
    return {
        "batch": batch.id,
        "amount": format_amount(batch.amount),
        "currency": batch.currency,
        "count": batch.count,
        "used": batch.used,
        "left": batch.left,
        "expired": batch.expired,
        "disabled": batch.disabled,
        "expires": _day(batch.expires_us),
        "note": batch.note,
        "created": moment_of(batch.created_us).isoformat(),
    }


@asynccontextmanager
async def _vouchers(settings: Settings) -> AsyncIterator[Vouchers]:
    from billing.clock import SystemClock
    from billing.vouchers import Vouchers
    from ivr.app import voucher_key
    from ivr.cli.database import database

    async with database(settings) as engine:
        yield Vouchers(engine=engine, clock=SystemClock(), secret=voucher_key(settings))


async def _generate(
    settings: Settings,
    amount: str,
    currency: str,
    count: int,
    expires_us: int | None,
    note: str | None,
) -> Generated:
    async with _vouchers(settings) as opened:
        return await opened.generate(
            amount=parse_amount(amount),
            currency=currency,
            count=count,
            expires_us=expires_us,
            note=note,
            actor="cli",
        )


async def _list(settings: Settings) -> list[Batch]:
    async with _vouchers(settings) as opened:
        return await opened.batches()


async def _disable(settings: Settings, batch: str | None, code: str | None) -> None:
    async with _vouchers(settings) as opened:
        if batch is not None:
            await opened.disable_batch(batch)
        else:
            await opened.disable_code(code or "")


async def _redeem(settings: Settings, account: str, code: str, key: str | None) -> Redeemed:
    async with _vouchers(settings) as opened:
        return await opened.redeem(account, code, key=key, actor="cli")
