"""Who may try a PIN: a lockout that holds across calls, restarts and processes.

    account   5 failures in a day   the account waits 15 minutes, then twice as long each time
    caller    10 failures in a day  the same for a caller id; 30 for all who hide theirs
    line      300 in ten minutes    nobody gets in by PIN for a minute
    web       the same for PINs on the web, so that strangers there cannot stop the phones
    voucher   10 wrong codes in a day lock an account's vouchers the same way, by phone and web

An attempt is counted before its PIN is compared, so that many at once get no more tries than one
after the other. A locked account answers like a wrong PIN, after the same time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

import structlog
from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import Clock, microseconds_of
from billing.errors import TooManyVouchers
from billing.storage.engine import for_writing
from ivr.directory.pins import verify_pin
from ivr.tables import pin_failures

SECOND_US: Final = 1_000_000
MINUTE_US: Final = 60 * SECOND_US
DAY_US: Final = 24 * 60 * MINUTE_US
DOUBLINGS_MAX: Final = 6
HIDDEN: Final = "hidden"

Place = Literal["line", "web"]
Used = TypeVar("Used")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limit:
    """So many failures in a window lock for a pause, which may double with each failure more."""

    failures: int
    window_us: int = DAY_US
    pause_us: int = 15 * MINUTE_US
    doubles: bool = True


_LIMITS: Final = {
    "account": _Limit(failures=5),
    "caller": _Limit(failures=10),
    "voucher": _Limit(failures=10),
    "line": _Limit(failures=300, window_us=10 * MINUTE_US, pause_us=MINUTE_US, doubles=False),
    "web": _Limit(failures=300, window_us=10 * MINUTE_US, pause_us=MINUTE_US, doubles=False),
}
_HIDDEN_LIMIT: Final = _Limit(failures=30)


class PinGate:
    """Compares PINs for phones and the web. `hash_of` finds the stored hash of an account's PIN."""

    def __init__(
        self,
        engine: AsyncEngine,
        clock: Clock,
        *,
        key: bytes,
        hash_of: Callable[[str], str | None],
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._key = key
        self._hash_of = hash_of

    async def check(
        self, account: str | None, pin: str, *, caller: str, place: Place = "line"
    ) -> bool:
        """Tell whether the PIN opens the account; None is an account that does not exist.

        `caller` is who tries: a caller id, or on the web the network of the browser.

        Raises:
            SQLAlchemyError: the database does not answer, and nobody gets in.

        """
        scopes = [(place, "pin"), ("caller", caller or HIDDEN)]
        if account:
            scopes.append(("account", account))
        locked = await self._count(scopes)
        stored = self._hash_of(account) if account else None
        right = await asyncio.to_thread(verify_pin, stored, pin, key=self._key)
        if locked:
            log.warning("pin refused while locked", scope=locked, account=account, caller=caller)
            return False
        if right:
            await self._forgive(scopes)
        return right

    async def redeem(self, account: str, use: Callable[[], Awaitable[Used]]) -> Used:
        """Use a voucher, unless this account guessed too often.

        Raises:
            TooManyVouchers: wait a while.
            BillingError: the voucher cannot be used; that counts.

        """
        scopes = [("voucher", account)]
        if await self._count(scopes):
            raise TooManyVouchers(account=account)
        used = await use()
        await self._forgive(scopes)
        return used

    async def _count(self, scopes: list[tuple[str, str]]) -> str:
        """Count an attempt as failed until it is known better; returns what is locked, if any."""
        now_us = microseconds_of(self._clock.now())
        connection = await for_writing(self._engine)
        try:
            async with connection.begin():
                # In one order everywhere, so that no two attempts wait for each other in a circle.
                found = [await _locked(connection, *scope, now_us) for scope in sorted(scopes)]
        finally:
            await connection.close()
        return next((scope for scope in found if scope), "")

    async def _forgive(self, scopes: list[tuple[str, str]]) -> None:
        connection = await for_writing(self._engine)
        try:
            async with connection.begin():
                for scope, name in sorted(scopes):
                    mine = (pin_failures.c.scope == scope) & (pin_failures.c.name == name)
                    if scope in {"line", "web"} or name == HIDDEN:
                        # Others' failures stay counted.
                        await connection.execute(
                            update(pin_failures)
                            .where(mine, pin_failures.c.failures > 0)
                            .values(failures=pin_failures.c.failures - 1)
                        )
                    else:
                        await connection.execute(delete(pin_failures).where(mine))
        finally:
            await connection.close()


async def unlock(connection: AsyncConnection, account: str) -> None:
    """Forget the failures of an account: it has a new PIN, or an operator knows better."""
    await connection.execute(
        delete(pin_failures).where(
            pin_failures.c.scope == "account", pin_failures.c.name == account
        )
    )


async def _locked(connection: AsyncConnection, scope: str, name: str, now_us: int) -> str:
    """Count one attempt against a scope, unless it is locked; returns the scope where it is."""
    limit = _HIDDEN_LIMIT if name == HIDDEN else _LIMITS[scope]
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    row = {"scope": scope, "name": name, "failures": 0, "since_us": now_us, "until_us": 0}
    await connection.execute(dialect.insert(pin_failures).on_conflict_do_nothing(), row)
    mine = (pin_failures.c.scope == scope) & (pin_failures.c.name == name)
    found = (await connection.execute(select(pin_failures).where(mine).with_for_update())).one()
    if found.until_us > now_us:
        return scope
    fresh = now_us - found.since_us >= limit.window_us
    failures = 1 if fresh else found.failures + 1
    over = failures - limit.failures
    until_us = 0
    if over >= 0:
        until_us = now_us + (limit.pause_us << (min(over, DOUBLINGS_MAX) if limit.doubles else 0))
    await connection.execute(
        update(pin_failures)
        .where(mine)
        .values(failures=failures, since_us=now_us if fresh else found.since_us, until_us=until_us)
    )
    return ""
