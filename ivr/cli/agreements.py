"""`talkmeter catalog agreements`: what was agreed with a client, and since when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from billing.money import format_amount
from ivr.cli import context

if TYPE_CHECKING:
    from billing.agreements import Agreement
    from ivr.settings import Settings


def agreements(
    client: Annotated[str, typer.Argument(help="Code of the client.")],
    json: context.JsonFlag = False,
) -> None:
    """Show every version of the agreement with a client, oldest first."""
    versions = context.run(_history(context.settings(), client))
    if not versions:
        context.fail(f"there is no client {client!r}; `talkmeter catalog export -` shows them")
    documents = [_document(version) for version in versions]
    if json:
        context.emit(documents)
        return
    for document in documents:
        fee = document["fixed_fee"]
        context.say(
            f"{document['version']:>3}  {document['in_force']}  "
            + ", ".join(f"{kind}:{code} {part}" for kind, code, part in document["split"])
            + (f", fixed fee {fee}" if fee else "")
        )
        for each in document["referrers"]:
            context.say(
                f"     referrer:{each['account']} {each['commission']} of the {each['of']}'s share "
                f"from {each['from']} until {each['until']}, bonus {each['bonus']}"
            )


def _document(agreement: Agreement) -> dict[str, Any]:  # Any: JSON values
    from billing.domain.notation import format_percent
    from ivr.calls.history import moment

    fee = sum(share.fixed_fee for share in agreement.shares)
    return {
        "client": agreement.client,
        "version": agreement.version,
        "in_force": moment(agreement.in_force_us),
        "split": [
            [share.kind, share.account, format_percent(share.basis_points)]
            for share in agreement.shares
        ],
        "fixed_fee": format_amount(fee) if fee else None,
        "referrers": [
            {
                "account": each.account,
                "commission": format_percent(each.basis_points),
                "of": each.of,
                "from": moment(each.from_us),
                "until": moment(each.until_us),
                "bonus": format_amount(each.bonus),
            }
            for each in agreement.referrers
        ],
    }


async def _history(settings: Settings, client: str) -> list[Agreement]:
    from billing.agreements import agreement_history
    from ivr.cli.database import database

    async with database(settings) as engine, engine.connect() as connection:
        return await agreement_history(connection, client)
