"""How clients of a catalog are paid out.

    payout: {hold_back: 30d, minimum: "50.00", name: Acme Ltd, iban: …, bic: …}

What is not named there is what it usually is; without `payout` the terms stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.payouts import HOLD_BACK_DAYS, BankAccount, PayoutTerms
from billing.money import format_amount
from billing.storage.payout_tables import payout_terms
from ivr.directory.catalog_words import not_negative
from ivr.directory.rows import Applied, Row, stored, write
from ivr.directory.yaml_reader import Node

CLIENT: Final = "client"
_COLUMNS: Final = ("hold_back_days", "minimum", "name", "iban", "bic")
_DAYS: Final = re.compile(r"(\d{1,3})d", re.ASCII)
_IS_CLIENT: Final = payout_terms.c.kind == CLIENT


def read_payout(node: Node) -> PayoutTerms | None:
    """Read the terms of a client; None where the file says nothing of them."""
    fields = node.map(frozenset({"hold_back", "minimum", "name", "iban", "bic"}))
    if not node.given:
        return None
    return PayoutTerms(
        hold_back_days=fields["hold_back"].read(_days, HOLD_BACK_DAYS),
        minimum=fields["minimum"].read(not_negative, 0),
        bank=BankAccount(
            name=fields["name"].read(lambda text: BankAccount(name=text).name, ""),
            iban=fields["iban"].read(_iban, ""),
            bic=fields["bic"].read(lambda text: BankAccount(bic=text.upper()).bic, ""),
        ),
    )


async def apply_payouts(
    connection: AsyncConnection, listed: Mapping[str, PayoutTerms], applied: Applied
) -> None:
    """Change when and where clients are paid from their next payout on."""
    wanted: dict[str, Row] = {
        code: {
            "hold_back_days": terms.hold_back_days,
            "minimum": terms.minimum,
            "name": terms.bank.name,
            "iban": terms.bank.iban,
            "bic": terms.bank.bic,
        }
        for code, terms in listed.items()
    }
    before = await stored(connection, payout_terms.c.code, wanted, _COLUMNS, only=_IS_CLIENT)
    for code, row in wanted.items():
        applied.note(f"payout of client {code}", before=before.get(code), after=row)
    await write(
        connection,
        payout_terms,
        "code",
        wanted=wanted,
        before=before,
        new={"kind": CLIENT},
        only=_IS_CLIENT,
    )


async def load_payouts(connection: AsyncConnection) -> dict[str, PayoutTerms]:
    """Read the terms of all clients that have their own."""
    return {
        row.code: PayoutTerms(
            hold_back_days=row.hold_back_days,
            minimum=row.minimum,
            bank=BankAccount(name=row.name, iban=row.iban, bic=row.bic),
        )
        for row in await connection.execute(select(payout_terms).where(_IS_CLIENT))
    }


def payout_document(terms: PayoutTerms) -> dict[str, Any]:  # Any: YAML values
    """Write terms as `read_payout` reads them; what is nothing is left out."""
    written = {
        "minimum": format_amount(terms.minimum) if terms.minimum else "",
        "name": terms.bank.name,
        "iban": terms.bank.iban,
        "bic": terms.bank.bic,
    }
    kept = {name: value for name, value in written.items() if value}
    return {"hold_back": f"{terms.hold_back_days}d", **kept}


def _days(text: str) -> int:
    match = _DAYS.fullmatch(text)
    if match is None:
        raise ValueError("write days such as 30d")
    return PayoutTerms(hold_back_days=int(match[1])).hold_back_days


def _iban(text: str) -> str:
    return BankAccount(iban=text.replace(" ", "").upper()).iban
