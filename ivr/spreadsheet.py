"""What a spreadsheet opens: cells that it must not take for formulas (OWASP: CSV injection)."""

from __future__ import annotations

from typing import Final

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def harmless(cell: str) -> str:
    """Begin a text with a quote where a spreadsheet would compute it."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def plain(cell: str) -> str:
    """Take back what `harmless` did, so that what is exported can be read again as it was."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA) else cell
