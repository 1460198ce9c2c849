"""What callers and accounts did lately, in memory: the call's path asks it instead of a database.

    caller    how often its number rang within an hour
    account   how long it talked and what that cost today, in UTC

It is read from the database once, at the start of the service, and counts on from there. Each
process counts what it serves itself.
"""

from __future__ import annotations

from collections import deque
from datetime import date
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.clock import MICROSECONDS, Clock, microseconds_of
from billing.money import Micros
from billing.storage.tables import accounts, clients, sessions
from ivr.tables import calls

HOUR_SECONDS: Final = 3_600
CALLERS_MAX: Final = 50_000
CALLS_KEPT: Final = 10_000
ACCOUNTS_MAX: Final = 200_000
ROWS_MAX: Final = 50_000


class Tally:
    """Counts; bounded by the oldest caller giving way."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rang: dict[str, deque[int]] = {}
        self._day = clock.now().date()
        self._spent: dict[str, tuple[int, Micros]] = {}

    async def read(self, engine: AsyncEngine) -> None:
        """Begin with what the database knows of the last hour and of today."""
        now_us = microseconds_of(self._clock.now())
        since_us = now_us - HOUR_SECONDS * MICROSECONDS
        midnight = self._clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
        rang = (
            select(calls.c.caller, calls.c.started_us)
            .where(calls.c.started_us >= since_us)
            .order_by(calls.c.started_us.desc())
            .limit(ROWS_MAX)
        )
        spent = (
            select(
                accounts.c.code,
                func.sum(sessions.c.talk_us).label("talk_us"),
                func.sum(sessions.c.cost).label("cost"),
            )
            .select_from(sessions.join(accounts, accounts.c.id == sessions.c.account_id))
            .where(
                # Every session has a client: so the index by client and time is used.
                sessions.c.client.in_(select(clients.c.code)),
                sessions.c.ended_us >= microseconds_of(midnight),
                sessions.c.state == "settled",
                accounts.c.kind == "caller",
            )
            .group_by(accounts.c.code)
            .limit(ACCOUNTS_MAX)
        )
        async with engine.connect() as connection:
            for row in reversed((await connection.execute(rang)).all()):
                self._note(_plain(row.caller), row.started_us)
            for row in await connection.execute(spent):
                self._spent[row.code] = (int(row.talk_us or 0), int(row.cost or 0))

    def calls_of(self, caller: str) -> int:
        """Count the calls of a number within the last hour; a hidden number has none."""
        rang = self._rang.get(_plain(caller))
        if not rang:
            return 0
        since_us = microseconds_of(self._clock.now()) - HOUR_SECONDS * MICROSECONDS
        while rang and rang[0] < since_us:
            rang.popleft()
        return len(rang)

    def rang(self, caller: str) -> None:
        """Count one more call of a number."""
        self._note(_plain(caller), microseconds_of(self._clock.now()))

    def settled(self, account: str, *, talk_us: int, cost: Micros) -> None:
        """Count a talk of an account."""
        talked, spent = self._today().get(account, (0, 0))
        if account in self._spent or len(self._spent) < ACCOUNTS_MAX:
            self._spent[account] = (talked + talk_us, spent + cost)

    def talked_seconds(self, account: str) -> int:
        """Tell how long an account talked today."""
        return self._today().get(account, (0, 0))[0] // MICROSECONDS

    def spent(self, account: str) -> Micros:
        """Tell what that cost."""
        return self._today().get(account, (0, 0))[1]

    def _today(self) -> dict[str, tuple[int, Micros]]:
        today: date = self._clock.now().date()
        if today != self._day:
            self._day = today
            self._spent.clear()
        return self._spent

    def _note(self, caller: str, at_us: int) -> None:
        if not caller:
            return
        rang = self._rang.pop(caller, None) or deque(maxlen=CALLS_KEPT)
        rang.append(at_us)
        self._rang[caller] = rang  # the newest stands last
        if len(self._rang) > CALLERS_MAX:
            del self._rang[next(iter(self._rang))]


def _plain(number: str) -> str:
    return number.removeprefix("+")
