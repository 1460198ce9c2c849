"""`talkmeter topup`: add money to an account, once per key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from billing.money import format_amount, parse_amount
from ivr.cli import context

if TYPE_CHECKING:
    from billing.wallet import ToppedUp
    from ivr.settings import Settings


def topup(
    account: str,
    amount: str,
    key: Annotated[str, typer.Option(help="The same key never adds money twice.")],
    memo: Annotated[str | None, typer.Option(help="Why; shown in the statement.")] = None,
    json: context.JsonFlag = False,
) -> None:
    """Add money to an account; repeating it with the same key changes nothing."""
    done = context.run(_top_up(context.settings(), account, amount, key, memo))
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
            f"{'was added before' if done.replayed else 'added'}, "
            f"balance {format_amount(done.balance)} {done.currency}"
        )


async def _top_up(
    settings: Settings, account: str, amount: str, key: str, memo: str | None
) -> ToppedUp:
    from ivr.cli.database import books

    micros = parse_amount(amount)
    async with books(settings) as opened:
        return await opened.wallet.top_up(account, micros, key=key, actor="cli", memo=memo)
