"""How people write prices, durations and shares: `0.50/min`, `20m`, `33.33%`; and back."""

from __future__ import annotations

import re
from typing import Final

from billing.domain.tariffs import HOLIDAY
from billing.errors import InvalidInput
from billing.money import Micros, format_amount, parse_amount

UNIT_SECONDS: Final = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d{1,9})\s*(s|m|min|h|d)?", re.ASCII)
_PRICE = re.compile(r"([0-9.]{1,20})\s*/\s*(\d{0,6})\s*(s|m|min|h)", re.ASCII)
_PERCENT = re.compile(r"(\d{1,3})(?:\.(\d{1,2}))?\s*%", re.ASCII)
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00", re.ASCII)
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def parse_duration(text: str) -> int:
    """Read `90`, `90s`, `20m`, `2h` as whole seconds.

    Raises:
        InvalidInput: not a duration.

    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise InvalidInput(reason="write a duration such as 30s, 20m or 1h")
    return int(match[1]) * UNIT_SECONDS[match[2] or "s"]


def format_duration(seconds: int) -> str:
    """Write seconds in the largest unit that divides them."""
    for unit in ("h", "m"):
        if seconds and seconds % UNIT_SECONDS[unit] == 0:
            return f"{seconds // UNIT_SECONDS[unit]}{unit}"
    return f"{seconds}s"


def parse_price(text: str) -> tuple[Micros, int]:
    """Read `0.50/min`, `50/h` or `0.2/60s` as an amount per so many seconds.

    Raises:
        InvalidInput: not a price.

    """
    match = _PRICE.fullmatch(text.strip())
    if match is None:
        raise InvalidInput(reason="write a price such as 0.50/min, 50/h or 0.2/60s")
    per_seconds = int(match[2] or 1) * UNIT_SECONDS[match[3]]
    if per_seconds == 0:
        raise InvalidInput(reason="write a price per at least one second")
    return parse_amount(match[1]), per_seconds


def format_price(price: Micros, per_seconds: int) -> str:
    """Write a price as people do."""
    amount = format_amount(price)
    named = {60: "min", 3600: "h", 1: "s"}.get(per_seconds)
    return f"{amount}/{named}" if named else f"{amount}/{per_seconds}s"


def parse_percent(text: str) -> int:
    """Read `30%` or `33.33%` as basis points.

    Raises:
        InvalidInput: not a percentage of at most two decimals.

    """
    match = _PERCENT.fullmatch(text.strip())
    if match is None:
        raise InvalidInput(reason="write a percentage such as 30% or 33.33%")
    return int(match[1]) * 100 + int((match[2] or "").ljust(2, "0"))


def format_percent(basis_points: int) -> str:
    """Write basis points as a percentage."""
    whole, rest = divmod(basis_points, 100)
    return f"{whole}.{rest:02d}%".replace(".00%", "%")


def parse_days(text: str) -> frozenset[int]:
    """Read `mon-fri`, `sat,sun,holiday` or `daily`; Monday is 0, a holiday 7.

    Raises:
        InvalidInput: not days of the week.

    """
    found: set[int] = set()
    for part in text.strip().lower().replace("daily", "mon-sun").split(","):
        if part.strip() == "holiday":
            found.add(HOLIDAY)
            continue
        first, dash, last = part.strip().partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            raise InvalidInput(reason="write days such as mon-fri or sat,sun,holiday")
        start, stop = DAYS.index(first), DAYS.index(last or first)
        length = (stop - start) % len(DAYS) + 1
        found |= {(start + offset) % len(DAYS) for offset in range(length)}
    return frozenset(found)


def format_days(days: frozenset[int]) -> str:
    """Write days as `parse_days` reads them."""
    return ",".join("holiday" if day == HOLIDAY else DAYS[day] for day in sorted(days))


def parse_minute(text: str) -> int:
    """Read `18:00` as the minute of the day; 24:00 is its end.

    Raises:
        InvalidInput: not a time of the day.

    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise InvalidInput(reason='write a time such as "18:00"')
    return int(match[1]) * 60 + int(match[2]) if match[1] else 24 * 60
