"""Recovery codes: printed once, kept as keyed hashes, each good for one login."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

from ivr.web.passwords import ALPHABET

COUNT: Final = 10
GROUPS: Final = 2
GROUP_LENGTH: Final = 5


def new_codes() -> list[str]:
    """Make codes of about 49 bits that can be read out aloud."""
    return [
        "-".join(
            "".join(secrets.choice(ALPHABET) for _ in range(GROUP_LENGTH)) for _ in range(GROUPS)
        )
        for _ in range(COUNT)
    ]


def hash_code(code: str, *, key: bytes, user_id: int) -> str:
    """Hash a code as it was typed: case, spaces and dashes do not matter."""
    plain = "".join(letter for letter in code.lower() if letter.isalnum())
    text = f"recovery:{user_id}:{plain}".encode("utf-8", "replace")
    return hmac.new(key, text, hashlib.sha256).hexdigest()
