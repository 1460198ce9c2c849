"""Codes of vouchers, drawn from a seed: the same seed gives the same codes, and nothing else does.

Who has neither the seed's key nor its form can tell nothing about any of them. None begins with a
zero, which a spreadsheet would eat.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Final

DIGITS: Final = 14
_LOWEST: Final = 10 ** (DIGITS - 1)
_CODE: Final = re.compile(r"[0-9]{12,20}", re.ASCII)
_BREAKS: Final = re.compile(r"[\s-]+")


def seed_of(secret: bytes, key: str) -> bytes:
    """Make the seed of what a form asks for; the form alone knows its key."""
    return hmac.new(secret, b"codes:" + key.encode(), hashlib.sha256).digest()


def draw_codes(seed: bytes, count: int, *, attempt: int) -> list[str]:
    """Draw so many different codes; another attempt draws others."""
    found: dict[str, None] = {}
    number = 0
    while len(found) < count:
        drawn = hmac.new(seed, b"%d:%d" % (attempt, number), hashlib.sha256).digest()
        # Of 256 bits the remainder is even to a part in 10 ** 63.
        found[str(_LOWEST + int.from_bytes(drawn) % (9 * _LOWEST))] = None
        number += 1
    return list(found)


def plain(code: str) -> str:
    """Take out the blanks and dashes that people write into a code; "" for what is no code."""
    digits = _BREAKS.sub("", code)
    return digits if _CODE.fullmatch(digits) else ""
