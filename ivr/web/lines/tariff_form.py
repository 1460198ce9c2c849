"""A price list as a form: fields named by their places in the notation, and back.

tiers[0].price = 0.50/min        periods[0].tiers = 0.05/min; from 20m 0.03/min each 60s
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from ivr.directory.edits import Document, flattened

ROWS: Final = {"tiers": ("from", "price", "increment"), "periods": ("days", "from", "to", "tiers")}
ROWS_MAX: Final = {"tiers": 12, "periods": 8}
SPARE: Final = {"tiers": 2, "periods": 1}
PLAIN: Final = (
    "setup_fee", "minimum", "free", "minimum_cost", "maximum_cost", "rounding.method",
    "rounding.decimals", "tax.name", "tax.rate",
)  # fmt: skip
FIELDS: Final = (
    *PLAIN, "tax.included", "tax", "holidays", "tiers", "periods", "name", "currency",
    "in_force_from", "text",
    *(f"{rows}[{number}].{column}" for rows, columns in ROWS.items()
      for number in range(ROWS_MAX[rows]) for column in columns),
)  # fmt: skip
_PART: Final = re.compile(r"(?:from\s+(\S+)\s+)?(\S+)(?:\s+each\s+(\S+))?")


def fields_of(document: Document) -> dict[str, str]:
    """Write a price list as the fields of its form."""
    periods = document.get("periods", ())
    rest = {name: value for name, value in document.items() if name not in {"periods", "holidays"}}
    fields = dict(flattened(rest))
    if fields.get("tax.included") == "false":
        del fields["tax.included"]
    fields["holidays"] = "\n".join(document.get("holidays", ()))
    for number, period in enumerate(periods):
        for name in ("days", "from", "to"):
            fields[f"periods[{number}].{name}"] = period[name]
        parts = (_written(tier) for tier in period["tiers"])
        fields[f"periods[{number}].tiers"] = "; ".join(parts)
    return fields


def _written(tier: Mapping[str, str]) -> str:
    start = f"from {tier['from']} " if tier["from"] not in {"0s", "0m"} else ""
    step = f" each {tier['increment']}" if tier["increment"] != "1s" else ""
    return f"{start}{tier['price']}{step}"


def compact(typed: Mapping[str, str]) -> dict[str, str]:
    """Close the gaps that empty rows leave, so that mistakes stand at the rows that are shown."""
    found = {name: text for name, text in typed.items() if "[" not in name}
    for rows, columns in ROWS.items():
        place = 0
        for number in range(ROWS_MAX[rows]):
            row = {
                column: typed.get(f"{rows}[{number}].{column}", "").strip() for column in columns
            }
            if any(row.values()):
                found |= {f"{rows}[{place}].{column}": text for column, text in row.items()}
                place += 1
    return found


def shown_rows(typed: Mapping[str, str]) -> dict[str, int]:
    """Say how many rows the form shows: those that are filled, and a few to fill."""
    return {
        rows: min(
            ROWS_MAX[rows],
            sum(any(typed.get(f"{rows}[{number}].{column}") for column in ROWS[rows])
                for number in range(ROWS_MAX[rows])) + SPARE[rows],
        )
        for rows in ROWS
    }  # fmt: skip


def document_of(typed: Mapping[str, str]) -> Document:
    """Read the form; what is wrong in it the notation's reader will say."""
    document: Document = {}
    for name in PLAIN:
        if text := typed.get(name, "").strip():
            above, _, below = name.partition(".")
            if below:
                document.setdefault(above, {})[below] = text
            else:
                document[name] = text
    if tax := document.get("tax"):
        if "rate" in tax:
            tax["included"] = "tax.included" in typed
        else:
            del document["tax"]
    if holidays := [
        line.strip() for line in typed.get("holidays", "").splitlines() if line.strip()
    ]:
        document["holidays"] = holidays
    document["tiers"] = _rows(typed, "tiers")
    if periods := _rows(typed, "periods"):
        for period in periods:
            period["tiers"] = _tiers(period.get("tiers", ""))
        document["periods"] = periods
    return document


def _rows(typed: Mapping[str, str], rows: str) -> list[dict[str, Any]]:  # Any: texts, later lists
    found = []
    for number in range(ROWS_MAX[rows]):
        texts = {column: typed.get(f"{rows}[{number}].{column}", "") for column in ROWS[rows]}
        if any(texts.values()):
            found.append({column: text for column, text in texts.items() if text})
    return found


def _tiers(text: str) -> list[dict[str, str]]:
    tiers = []
    for part in filter(None, (piece.strip() for piece in text.split(";"))):
        match = _PART.fullmatch(part)
        groups = match.groups() if match else (None, part, None)
        values = zip(("from", "price", "increment"), groups, strict=True)
        tiers.append({name: value for name, value in values if value})
    return tiers
