"""PINs: hashed with a key that is kept outside the database, then slowly.

Six digits are twenty bits: a hash alone could be searched in seconds. Without the key of the state
folder a stolen database says nothing about any PIN.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import Final

SCHEME: Final = "scrypt-1"
SALT_BYTES: Final = 16
COST: Final = 2**12
BLOCK: Final = 8
# What an account that does not exist is compared with, so that it costs as much time.
_NOBODY_SALT: Final = bytes(SALT_BYTES)


def hash_pin(pin: str, *, key: bytes) -> str:
    """Hash a PIN for storage; blocking for about 10 ms, to be called in a thread."""
    salt = os.urandom(SALT_BYTES)
    return f"{SCHEME}${salt.hex()}${_digest(pin, salt, key).hex()}"


def verify_pin(stored: str | None, pin: str, *, key: bytes) -> bool:
    """Compare; None (no such account, or no PIN) costs the same time and is never right."""
    if stored is None:
        _digest(pin, _NOBODY_SALT, key)
        return False
    scheme, salt, digest = stored.split("$")
    found = _digest(pin, bytes.fromhex(salt), key)
    return scheme == SCHEME and hmac.compare_digest(found, bytes.fromhex(digest))


def _digest(pin: str, salt: bytes, key: bytes) -> bytes:
    keyed = hmac.new(key, salt + pin.encode(), hashlib.sha256).digest()
    return hashlib.scrypt(keyed, salt=salt, n=COST, r=BLOCK, p=1, dklen=32)
