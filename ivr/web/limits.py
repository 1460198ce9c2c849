"""How often somebody may try a password, so that guessing fails and nobody is locked out.

    a browser that logged in before    counts only against itself (a signed cookie says so)
    any other                          counts per address and login, and per address

so an attacker fills its own buckets, never those of the person whose login it guesses. Tries to log
in are counted in the database (`ivr.web.login_tries`); what is counted here lives in memory: wrong
tokens of programs, which have entropy enough that a restart gains nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from math import ceil
from typing import Final

from billing.clock import Clock

WINDOW_SECONDS: Final = 900.0
TRIES_PER_LOGIN: Final = 6
TRIES_PER_ADDRESS: Final = 40
TRIES_PER_DEVICE: Final = 12
# From everywhere together: three codes of a million are right at any time.
TRIES_PER_CODE: Final = 12
BUCKETS_MAX: Final = 20_000
DEVICE_ID_LENGTH: Final = 32


@dataclass(slots=True)
class _Bucket:
    since: float
    tries: int = 0


@dataclass(slots=True)
class Limiter:
    """Counts tries in windows; a bounded map that forgets the oldest."""

    clock: Clock
    _buckets: OrderedDict[str, _Bucket] = field(default_factory=OrderedDict)

    def take(self, keys: Mapping[str, int]) -> int:
        """Count a try on every key and return 0; or count nothing and return how long to wait.

        `keys` are names and limits. Counting comes before checking the password, so that tries
        that run side by side are no way around a limit.
        """
        now = self.clock.monotonic()
        for key in keys:
            bucket = self._buckets.get(key)
            if bucket is not None and now - bucket.since >= WINDOW_SECONDS:
                del self._buckets[key]
        waits = [
            self._buckets[key].since + WINDOW_SECONDS - now
            for key, tries_max in keys.items()
            if key in self._buckets and self._buckets[key].tries >= tries_max
        ]
        if waits:
            return max(1, ceil(max(waits)))
        for key in keys:
            self._buckets.setdefault(key, _Bucket(since=now)).tries += 1
            self._buckets.move_to_end(key)
        while len(self._buckets) > BUCKETS_MAX:
            self._buckets.popitem(last=False)
        return 0

    def give_back(self, keys: Mapping[str, int]) -> None:
        """A try that succeeded does not count."""
        for key in keys:
            if (bucket := self._buckets.get(key)) is not None:
                bucket.tries -= 1


def network(address: str) -> str:
    """Return what one attacker controls: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return "unknown"
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    mapped = parsed.ipv4_mapped
    return str(mapped) if mapped else f"{parsed.packed[:8].hex()}/64"


def buckets(*, login: str, address: str, device: str | None) -> dict[str, int]:
    """Name what a try to log in counts against, and how many are allowed of each."""
    if device is not None:
        return {f"device:{device}": TRIES_PER_DEVICE}
    place = network(address)
    return {f"login:{place}:{login}": TRIES_PER_LOGIN, f"address:{place}": TRIES_PER_ADDRESS}


def device_cookie(login: str, *, key: bytes) -> str:
    """Make a cookie that says: this browser has logged in here as `login`."""
    device = secrets.token_hex(DEVICE_ID_LENGTH // 2)
    return f"{device}.{_sign(device, login, key)}"


def known_device(cookie: str | None, login: str, *, key: bytes) -> str | None:
    """Return the id of the device; None when the cookie is not ours or of another login."""
    device, _, signature = (cookie or "").partition(".")
    if len(device) != DEVICE_ID_LENGTH:
        return None
    expected = _sign(device, login, key)
    return device if hmac.compare_digest(expected.encode(), signature.encode()) else None


def _sign(device: str, login: str, key: bytes) -> str:
    return hmac.new(key, f"device:{device}:{login}".encode(), hashlib.sha256).hexdigest()
