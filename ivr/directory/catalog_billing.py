"""How postpaid accounts of a catalog are billed: cycle, terms, late fees, early discounts."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, fields
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.invoices import BASIS_POINTS, CYCLES, DAYS_MAX, BillingTerms
from billing.domain.notation import format_percent, parse_percent
from billing.money import format_amount
from billing.storage.invoice_tables import billing_settings
from ivr.directory.catalog_words import not_negative, one_of, title
from ivr.directory.rows import Applied, Row, stored, write
from ivr.directory.yaml_reader import Node

FIELDS: Final = frozenset(
    {
        "cycle", "terms", "late_fee", "late_percent", "grace", "early_discount", "early_days",
        "title", "address",
    }
)  # fmt: skip
TITLE_MAX: Final = 120
ADDRESS_MAX: Final = 500
_COLUMNS: Final = tuple(field.name for field in fields(BillingTerms))
_DAYS: Final = re.compile(r"(\d{1,3})d?", re.ASCII)


def read_billing(node: Node, *, postpaid: bool) -> BillingTerms | None:
    """Read the terms of an account; None where the file says nothing of them."""
    found = node.map(FIELDS)
    if not node.given:
        return None
    if not postpaid:
        node.wrong("only a postpaid account is billed")
    usual = BillingTerms()
    discount, early = found["early_discount"], found["early_days"]
    if discount.given and not early.given:
        early.wrong("is missing: for how many days is there a discount?")
    if early.given and not discount.given:
        early.wrong("there is no early_discount that it could limit")
    return BillingTerms(
        cycle=found["cycle"].read(one_of(*CYCLES), usual.cycle),
        terms_days=found["terms"].read(_days, usual.terms_days),
        late_fee=found["late_fee"].read(not_negative, 0),
        late_fee_bp=found["late_percent"].read(_percent(BASIS_POINTS), 0),
        grace_days=found["grace"].read(_days, 0),
        early_discount_bp=discount.read(_percent(BASIS_POINTS - 1), 0),
        early_days=early.read(_days, 0),
        title=found["title"].read(title(TITLE_MAX), ""),
        address=found["address"].read(_address, ""),
    )


async def apply_billing(
    connection: AsyncConnection, listed: Mapping[str, BillingTerms], applied: Applied
) -> None:
    """Change how accounts are billed from their next invoice on."""
    wanted: dict[str, Row] = {code: asdict(terms) for code, terms in listed.items()}
    before = await stored(connection, billing_settings.c.account, wanted, _COLUMNS)
    for code, row in wanted.items():
        applied.note(f"billing of account {code}", before=before.get(code), after=row)
    await write(connection, billing_settings, "account", wanted=wanted, before=before)


async def load_billing(
    connection: AsyncConnection, codes: Collection[str]
) -> dict[str, BillingTerms]:
    """Read the terms of those accounts that have their own."""
    query = select(billing_settings).where(billing_settings.c.account.in_(codes))
    rows = await connection.execute(query)
    return {
        row.account: BillingTerms(**{name: getattr(row, name) for name in _COLUMNS}) for row in rows
    }


def billing_document(terms: BillingTerms) -> dict[str, Any]:  # Any: YAML values
    """Write terms as `read_billing` reads them; what is nothing is left out."""
    written = {
        "late_fee": format_amount(terms.late_fee) if terms.late_fee else None,
        "late_percent": format_percent(terms.late_fee_bp) if terms.late_fee_bp else None,
        "grace": f"{terms.grace_days}d" if terms.grace_days else None,
        "early_discount": (
            format_percent(terms.early_discount_bp) if terms.early_discount_bp else None
        ),
        "early_days": terms.early_days if terms.early_discount_bp else None,
        "title": terms.title or None,
        "address": terms.address or None,
    }
    kept = {name: value for name, value in written.items() if value is not None}
    return {"cycle": terms.cycle, "terms": f"{terms.terms_days}d", **kept}


def _days(text: str) -> int:
    match = _DAYS.fullmatch(text)
    if match is None or int(match[1]) > DAYS_MAX:
        raise ValueError(f"write days such as 30d, at most {DAYS_MAX}d")
    return int(match[1])


def _percent(points_max: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        points = parse_percent(text)
        if points > points_max:
            raise ValueError(f"write at most {format_percent(points_max)}")
        return points

    return parse


def _address(text: str) -> str:
    lines = text.splitlines()
    if len(text) > ADDRESS_MAX or not all(line.isprintable() for line in lines):
        raise ValueError(f"write lines of at most {ADDRESS_MAX} characters in all")
    return "\n".join(line.strip() for line in lines if line.strip())
