"""Limits against fraud, for the whole installation: what is refused, and from when on one looks.

Each has a name, a unit and a default; `None` is no limit. They are part of the directory, so a
change holds for the next call of every process, and the call's path only reads memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Final

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.errors import InvalidInput
from billing.money import MICROS_PER_UNIT, Micros
from billing.storage.engine import for_writing
from ivr.directory.stamp import bump_stamp, lock_directory
from ivr.operation_tables import limits

DAY_SECONDS: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class FraudLimits:
    """The first four refuse calls; all others only open an alarm.

    `account_spend` and `account_talk_seconds` count a day in UTC, each account in its currency.
    """

    calls_max: int | None = None
    caller_calls: int | None = None
    account_talk_seconds: int | None = None
    account_spend: Micros | None = None
    # Within an hour: calls from one number to one DID, and from numbers that begin alike.
    pumping_calls: int | None = 15
    pumping_prefix_calls: int | None = 60
    # Of a client's talks of an hour: the share of very long and of very short ones.
    long_percent: int | None = 30
    long_seconds: int | None = 3_600
    short_percent: int | None = 60
    short_seconds: int | None = 10
    # Times the usual: a client's revenue of an hour, an account's spending of a day.
    revenue_times: int | None = 5
    spend_times: int | None = 10
    pin_locks: int | None = 10
    disk_percent: int | None = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a limit may be; `unit` says how it is written."""

    unit: str  # calls | seconds | money | percent | times | locks
    low: int
    high: int


BOUNDS: Final[Mapping[str, Bounds]] = {
    "calls_max": Bounds(unit="calls", low=1, high=100_000),
    "caller_calls": Bounds(unit="calls", low=1, high=10_000),
    "account_talk_seconds": Bounds(unit="seconds", low=60, high=DAY_SECONDS * 10),
    "account_spend": Bounds(unit="money", low=MICROS_PER_UNIT // 100, high=10**12),
    "pumping_calls": Bounds(unit="calls", low=2, high=10_000),
    "pumping_prefix_calls": Bounds(unit="calls", low=2, high=100_000),
    "long_percent": Bounds(unit="percent", low=1, high=100),
    "long_seconds": Bounds(unit="seconds", low=60, high=DAY_SECONDS),
    "short_percent": Bounds(unit="percent", low=1, high=100),
    "short_seconds": Bounds(unit="seconds", low=1, high=600),
    "revenue_times": Bounds(unit="times", low=2, high=1_000),
    "spend_times": Bounds(unit="times", low=2, high=1_000),
    "pin_locks": Bounds(unit="locks", low=1, high=100_000),
    "disk_percent": Bounds(unit="percent", low=1, high=99),
}
DEFAULTS: Final = FraudLimits()


def check(name: str, value: int | None) -> None:
    """Tell whether a limit can be that.

    Raises:
        InvalidInput: no such limit, or a value outside its bounds.

    """
    bounds = BOUNDS.get(name)
    if bounds is None:
        raise InvalidInput(reason=f"there is no limit {name!r}")
    if value is not None and not bounds.low <= value <= bounds.high:
        raise InvalidInput(reason=f"{name} is {bounds.low} to {bounds.high}, or nothing")


async def load_limits(connection: AsyncConnection) -> FraudLimits:
    """Read what differs from the defaults."""
    known = {each.name for each in fields(FraudLimits)}
    rows = await connection.execute(select(limits))
    return FraudLimits(**{row.name: row.value for row in rows if row.name in known})


async def save_limits(engine: AsyncEngine, wanted: FraudLimits) -> FraudLimits:
    """Set all limits; returns what they were before.

    Raises:
        InvalidInput: one is outside its bounds.

    """
    values = asdict(wanted)
    for name, value in values.items():
        check(name, value)
    defaults = asdict(DEFAULTS)
    connection = await for_writing(engine)
    try:
        async with connection.begin():
            await lock_directory(connection)
            before = await load_limits(connection)
            await connection.execute(delete(limits))
            rows = [
                {"name": name, "value": value}
                for name, value in values.items()
                if value != defaults[name]
            ]
            if rows:
                await connection.execute(insert(limits), rows)
            await bump_stamp(connection)
    finally:
        await connection.close()
    return before


def changed(before: FraudLimits, after: FraudLimits) -> dict[str, tuple[int | None, int | None]]:
    """Name what is another now: from what to what."""
    old, new = asdict(before), asdict(after)
    return {name: (old[name], new[name]) for name in old if old[name] != new[name]}
