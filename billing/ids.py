"""Ids are ours and sort by time (UUIDv7, RFC 9562); the hash of an input guards its key.

An idempotency key is made by the caller: reference + step, e.g. `call:<id>:settle`. The same key
with other content is an error, so each key is stored beside the hash of its input.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import uuid
from collections.abc import Mapping
from typing import Final

from billing.clock import Clock

# What people call an account, a client or a tariff.
CODE: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}", re.ASCII)


def new_id(clock: Clock) -> str:
    """Make a UUIDv7: 48 bits of milliseconds, then 74 random bits."""
    milliseconds = int(clock.now().timestamp() * 1000)
    random = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds & (1 << 48) - 1) << 80
    value |= 0x7 << 76 | (random >> 68 & 0xFFF) << 64 | 0b10 << 62 | random & (1 << 62) - 1
    return str(uuid.UUID(int=value))


def first_id(at_us: int) -> str:
    """Write the lowest id that can be made at a moment (microseconds): all later ones are above."""
    value = (max(at_us, 0) // 1_000 & (1 << 48) - 1) << 80 | 0x7 << 76
    return str(uuid.UUID(int=value))


def input_hash(content: Mapping[str, object]) -> str:
    """Hash the content of a request (JSON values) so that a reused key can be compared."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
