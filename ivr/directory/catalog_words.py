"""Single values of the catalog file: each reader takes a text and says what to write instead."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from billing.money import Micros, parse_amount
from ivr.directory.yaml_reader import Node

CODE: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}", re.ASCII)
NUMBER: Final = re.compile(r"\+?[0-9]{2,20}", re.ASCII)
PIN: Final = re.compile(r"[0-9]{4,12}", re.ASCII)
ACCOUNT_NUMBER: Final = re.compile(r"[0-9]{4,12}", re.ASCII)
_CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)
_TRUTHS: Final = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}

Reader = Callable[[str], str]


class Taken:
    """DIDs, phones and account numbers that are spoken for: nothing is given twice."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], int] = {}

    def take(self, kind: str, value: str, node: Node) -> None:
        """Note a mistake where the value stands a second time."""
        if not value:
            return
        first = self._lines.setdefault((kind, value), node.line)
        if (kind, value, node.line) in self._again or first != node.line:
            node.wrong(f"the {kind} {value} stands at line {first} already")
