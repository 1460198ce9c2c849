"""Time-based one-time codes (RFC 6238: SHA-1, 30 s, 6 digits), and how their secret is sealed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Final
from urllib.parse import quote

from billing.clock import MICROSECONDS

STEP_SECONDS: Final = 30
DIGITS: Final = 6
# As long as the digest, which is what RFC 4226 recommends.
SECRET_BYTES: Final = 20
# A phone's clock may be one step off, before or after.
DRIFT_STEPS: Final = 1
ISSUER: Final = "Talkmeter"
GROUP: Final = 4
NONCE_BYTES: Final = 16
TAG_BYTES: Final = 16


def new_secret() -> bytes:
    """Make a secret."""
    return secrets.token_bytes(SECRET_BYTES)


def step_of(now_us: int) -> int:
    """Return the number of the step that a moment lies in."""
    return now_us // (STEP_SECONDS * MICROSECONDS)


def code_at(secret: bytes, step: int, *, digits: int = DIGITS) -> str:
    """Compute the code of a step."""
    digest = hmac.new(secret, step.to_bytes(8, "big"), hashlib.sha1).digest()
    place = digest[-1] & 0xF
    number = int.from_bytes(digest[place : place + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**digits:0{digits}d}"


def matching_step(secret: bytes, code: str, *, now_us: int) -> int | None:
    """Return the step, of those near now, that a code belongs to; None when it is wrong.

    All are compared, so that the time taken says nothing.
    """
    step = step_of(now_us)
    found = None
    for each in range(step - DRIFT_STEPS, step + DRIFT_STEPS + 1):
        if hmac.compare_digest(code_at(secret, each).encode(), code.encode("utf-8", "replace")):
            found = each
    return found


def written(secret: bytes) -> str:
    """Write a secret for people: base32 in groups of four."""
    text = base64.b32encode(secret).decode()
    return " ".join(text[place : place + GROUP] for place in range(0, len(text), GROUP))


def link(secret: bytes, login: str) -> str:
    """Write the link that authenticator apps open."""
    label = quote(f"{ISSUER}:{login}", safe="")
    text = base64.b32encode(secret).decode()
    return (
        f"otpauth://totp/{label}?secret={text}&issuer={ISSUER}"
        f"&algorithm=SHA1&digits={DIGITS}&period={STEP_SECONDS}"
    )


def seal(secret: bytes, *, key: bytes, user_id: int) -> str:
    """Encrypt a secret for the database; bound to its user, so that rows cannot be swapped.

    One block of a keyed stream (HMAC-SHA-256 over a random nonce) is longer than the secret; a tag
    over nonce and ciphertext shows that nobody changed it.
    """
    nonce = secrets.token_bytes(NONCE_BYTES)
    hidden = _mix(secret, nonce, key, user_id)
    tag = _tag(nonce + hidden, key, user_id)
    return base64.urlsafe_b64encode(nonce + tag + hidden).decode()


def unseal(sealed: str, *, key: bytes, user_id: int) -> bytes | None:
    """Decrypt a secret; None when it was sealed with another key or for somebody else."""
    try:
        raw = base64.urlsafe_b64decode(sealed)
    except ValueError:
        return None
    nonce, rest = raw[:NONCE_BYTES], raw[NONCE_BYTES:]
    tag, hidden = rest[:TAG_BYTES], rest[TAG_BYTES:]
    if not hmac.compare_digest(tag, _tag(nonce + hidden, key, user_id)):
        return None
    return _mix(hidden, nonce, key, user_id)


def _mix(data: bytes, nonce: bytes, key: bytes, user_id: int) -> bytes:
    stream = hmac.new(key, b"factor stream:%d:" % user_id + nonce, hashlib.sha256).digest()
    return bytes(one ^ other for one, other in zip(data, stream, strict=False))


def _tag(data: bytes, key: bytes, user_id: int) -> bytes:
    return hmac.new(key, b"factor tag:%d:" % user_id + data, hashlib.sha256).digest()[:TAG_BYTES]
