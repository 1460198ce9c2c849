"""`talkmeter account`: add, show, list, receipt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from billing.money import format_amount, parse_amount
from ivr.cli import context
from ivr.cli.files import write_document

if TYPE_CHECKING:
    from billing.wallet import Account
    from ivr.settings import Settings

app = typer.Typer(help="Accounts of callers: add, show, list, receipt.", no_args_is_help=True)


@app.command()
def add(
    code: str,
    mode: Annotated[str, typer.Option(help="prepaid or postpaid")] = "prepaid",
    currency: str = "USD",
    credit_limit: Annotated[str, typer.Option(help="Postpaid only.")] = "0",
    phone: Annotated[list[str] | None, typer.Option(help="A phone of this account.")] = None,
    pin: Annotated[str | None, typer.Option(help="4 to 12 digits.")] = None,
    json: context.JsonFlag = False,
) -> None:
    """Open an account; it gets an account number."""
    if mode not in {"prepaid", "postpaid"}:
        raise typer.BadParameter("write prepaid or postpaid", param_hint="--mode")
    account = context.run(
        _add(context.settings(), code, mode, currency, credit_limit, phone or [], pin)
    )
    _print(account, json=json)


@app.command()
def show(code: str, json: context.JsonFlag = False) -> None:
    """Show one account."""
    _print(context.run(_show(context.settings(), code)), json=json)


@app.command("list")
def list_accounts(
    after: Annotated[str, typer.Option(help="The last code of the page before.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=500)] = 100,
    json: context.JsonFlag = False,
) -> None:
    """List accounts."""
    found = context.run(_list(context.settings(), after, limit))
    if json:
        context.emit([_document(account) for account in found])
        return
    for account in found:
        context.say(
            f"{account.code:<20} {account.number}  {account.mode:<8} {account.status:<7} "
            f"{format_amount(account.posted):>14} {account.currency}"
        )


@app.command()
def receipt(
    transfer_id: Annotated[str, typer.Argument(help="As `talkmeter topup --json` prints it.")],
    out: Annotated[Path, typer.Option(help="Write the document to this file.")],
) -> None:
    """Write the receipt of a top-up, a voucher or a payment as PDF."""
    write_document(out, context.run(_receipt(context.settings(), transfer_id)))
    context.say(f"{transfer_id} written to {out}")


def _document(account: Account) -> dict[str, object]:
    return {
        "account": account.code,
        "number": account.number,
        "mode": account.mode,
        "status": account.status,
        "currency": account.currency,
        "balance": format_amount(account.posted),
        "held": format_amount(account.held),
        "credit_limit": format_amount(account.credit_limit),
        "spendable": format_amount(account.spendable),
    }


def _print(account: Account, *, json: bool) -> None:
    document = _document(account)
    if json:
        context.emit(document)
        return
    for name, value in document.items():
        context.say(f"{name.replace('_', ' '):<14} {value}")


async def _receipt(settings: Settings, transfer_id: str) -> bytes:
    from billing.documents import receipt_pdf
    from billing.receipts import read_receipt
    from ivr.cli.database import database
    from ivr.issuer import issuer_of

    async with database(settings) as engine:
        return receipt_pdf(await read_receipt(engine, transfer_id), issuer_of(settings))


async def _show(settings: Settings, code: str) -> Account:
    from ivr.cli.database import books

    async with books(settings) as opened:
        return await opened.wallet.account(code)


async def _list(settings: Settings, after: str, limit: int) -> list[Account]:
    from ivr.cli.database import books

    async with books(settings) as opened:
        return await opened.wallet.list_accounts(after=after, limit=limit)


async def _add(
    settings: Settings,
    code: str,
    mode: str,
    currency: str,
    credit_limit: str,
    numbers: list[str],
    pin: str | None,
) -> Account:
    from ivr.app import pin_key
    from ivr.cli.database import books
    from ivr.directory.callers import set_phones_and_pin

    limit = parse_amount(credit_limit)
    async with books(settings) as opened:
        account = await opened.wallet.open_account(
            code, mode=mode, currency=currency, credit_limit=limit
        )
        await set_phones_and_pin(
            opened.engine, code, numbers=numbers, pin=pin, key=pin_key(settings)
        )
        return account
