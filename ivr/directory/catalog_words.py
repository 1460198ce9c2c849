"""Single values of the catalog file: each reader takes a text and says what to write instead."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from billing.ids import CODE
from billing.money import Micros, parse_amount
from ivr.directory.yaml_reader import Node

_CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)
_TRUTHS: Final = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


class Taken:
    """DIDs, phones and account numbers that are spoken for: nothing is given twice."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], int] = {}

    def take(self, kind: str, value: str | None, node: Node) -> None:
        """Note a mistake where a value stands a second time; no value is no matter."""
        if not value:
            return
        if (kind, value) in self._lines:
            node.wrong(f"the {kind} {value} stands at line {self._lines[kind, value]} already")
        else:
            self._lines[kind, value] = node.line


def kept_in(node: Node, default: str) -> str:
    """Read the currency of a client, tariff, plan or account; that of the file without one."""
    return node.read(currency, default)


def named(name: str, node: Node) -> None:
    """Note it when a name cannot be a code; what it names is read all the same."""
    if not CODE.fullmatch(name):
        node.wrong("a name is lower case letters, digits, dot, dash and underscore, at most 64")


def one_of(*allowed: str) -> Callable[[str], str]:
    """Read one of a few words."""

    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"write one of {', '.join(allowed)}")
        return text

    return parse


def form(pattern: re.Pattern[str], wish: str) -> Callable[[str], str]:
    """Read what the pattern matches."""

    def parse(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(f"write {wish}")
        return text

    return parse


def title(length_max: int) -> Callable[[str], str]:
    """Read a text for people, on one line."""

    def parse(text: str) -> str:
        if not text.strip() or not text.isprintable() or len(text) > length_max:
            raise ValueError(f"write a text of at most {length_max} characters on one line")
        return text

    return parse


def truth(text: str) -> bool:
    """Read true or false."""
    if text.lower() not in _TRUTHS:
        raise ValueError("write true or false")
    return _TRUTHS[text.lower()]


def zone(text: str) -> str:
    """Read the name of a time zone that this machine knows."""
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("write a time zone such as Europe/Vilnius") from None
    return text


def currency(text: str) -> str:
    """Read the three letters of a currency (ISO 4217)."""
    if not _CURRENCY.fullmatch(text):
        raise ValueError("write a currency such as USD")
    return text


def not_negative(text: str) -> Micros:
    """Read an amount of money that nobody owes."""
    amount = parse_amount(text)
    if amount < 0:
        raise ValueError("cannot be negative")
    return amount
