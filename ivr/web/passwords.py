"""Passwords as argon2id hashes, computed in a thread and few at a time: calls come first.

An unknown login costs the same time as a wrong password, so that neither can be told apart.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from billing.errors import BillingError, InvalidInput
from ivr.web.common_passwords import is_common

PASSWORD_LENGTH_MIN: Final = 12
PASSWORD_LENGTH_MAX: Final = 128
HASHES_AT_ONCE: Final = 1
HASHES_WAITING_MAX: Final = 16
# No i, l, o, 0, 1: nobody should guess what was printed.
ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
GROUPS: Final = 4
GROUP_LENGTH: Final = 5

# OWASP's smallest memory for argon2id with two passes.
_hasher: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_NOBODY: Final = _hasher.hash(secrets.token_hex(16))


class TooManyLogins(BillingError):
    """More people log in at once than is good for the calls."""

    code = "too_many_logins"
    sentence = "too many logins at once, try again in a moment"


def generate() -> str:
    """Make a password of about 99 bits that can be read out aloud."""
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(GROUP_LENGTH)) for _ in range(GROUPS))
    return "-".join(groups)


def check_strength(password: str, *, login: str) -> None:
    """Refuse what is guessed at once.

    Raises:
        InvalidInput: too short, too long, made of the login, or one that everybody tries first.

    """
    if not PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX:
        raise InvalidInput(
            reason=f"a password has {PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX} characters"
        )
    if login.lower() in password.lower() or len(set(password)) < PASSWORD_LENGTH_MIN // 2:
        raise InvalidInput(reason="the password is too easy to guess")
    refuse_common(password)


def refuse_common(password: str) -> None:
    """Refuse what everybody tries first, however it is dressed up.

    Raises:
        InvalidInput: it is one of those.

    """
    if is_common(password):
        raise InvalidInput(
            reason="the password is too easy to guess: it is made of words that everybody tries"
        )


def hash_password(password: str) -> str:
    """Hash a password; slow on purpose, call it in a thread."""
    return _hasher.hash(password)


def _matches(stored: str | None, password: str) -> bool:
    try:
        return _hasher.verify(stored or _NOBODY, password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


class PasswordChecks:
    """Checks passwords, one at a time, with a bounded queue."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(HASHES_AT_ONCE)
        self._waiting = 0

    async def matches(self, stored: str | None, password: str) -> bool:
        """Compare; `stored` is None when there is no such login.

        Raises:
            TooManyLogins: the queue is full.

        """
        async with self._in_turn():
            return await asyncio.to_thread(_matches, stored, password)

    async def hash(self, password: str) -> str:
        """Hash a new password, in the same queue.

        Raises:
            TooManyLogins: the queue is full.

        """
        async with self._in_turn():
            return await asyncio.to_thread(hash_password, password)

    @asynccontextmanager
    async def _in_turn(self) -> AsyncIterator[None]:
        if self._waiting >= HASHES_WAITING_MAX:
            raise TooManyLogins
        self._waiting += 1
        try:
            async with self._turn:
                yield
        finally:
            self._waiting -= 1
