"""What documents are made of, without the library that prints them: it takes long to load."""

from __future__ import annotations

from dataclasses import dataclass

from billing.money import Micros, format_amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Who sends the documents; `details` says where to pay to."""

    title: str
    address: str = ""
    details: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table: its title, its width in millimetres, and where its text stands."""

    title: str
    width: float
    right: bool = False


def money_text(amount: Micros, currency: str) -> str:
    """Write an exact amount with its currency."""
    return f"{format_amount(amount)} {currency}"
