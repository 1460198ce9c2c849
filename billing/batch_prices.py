"""The prices of one tariff for many rows of usage: each answer is worked out and written once.

A talk that ends before the next change of prices costs the same as one under those prices only.
So the changes are looked up once per hour and zone, and few rows need a table of their own.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from billing.batch_rows import Refused
from billing.clock import microseconds_of, moment_of
from billing.domain.periods import ENDLESS, HORIZON_SECONDS, Span, spans
from billing.domain.rating import MICROSECONDS, RateTable
from billing.domain.tariffs import Tariff, Tier
from billing.money import Micros, format_amount

HOUR_US: Final = 3_600 * MICROSECONDS
WINDOWS_MAX: Final = 10_000

_Table: TypeAlias = tuple[int, RateTable]
"""A table and its place among those of the tariff."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceVersion:
    """A version of a tariff; `in_force_us` is None where it holds at any time."""

    number: int
    tariff: Tariff
    in_force_us: int | None = None


@dataclass(slots=True, kw_only=True)
class Answer:
    """What is written behind a row, and how many rows got it since they were counted."""

    tail: str
    billed_seconds: int
    cost: Micros
    currency: str
    rows: int = 0


class Prices:
    """The versions of one tariff, and the answers that they gave."""

    __slots__ = (
        "_answers",
        "_begins",
        "_first",
        "_tables",
        "_versions",
        "_windows",
        "by_text",
        "timeless",
    )

    def __init__(self, versions: Sequence[PriceVersion]) -> None:
        self._versions = sorted(versions, key=lambda version: version.in_force_us or 0)
        self._begins = [version.in_force_us or 0 for version in self._versions]
        only = self._first = self._versions[0]
        self.timeless = (
            len(self._versions) == 1 and only.in_force_us is None and not only.tariff.periods
        )
        self.by_text: dict[str, Answer] = {}
        # By the place of a table and seconds.
        self._answers: dict[tuple[int, int], Answer] = {}
        # By version and the only tiers of a talk; few, because a tariff has few periods.
        self._tables: dict[tuple[int, tuple[Tier, ...]], _Table] = {}
        self._windows: dict[tuple[int, int, str], list[tuple[int, _Table]]] = {}

    def kept(self, seconds: int) -> Answer | None:
        """Find an answer of a tariff that asks for no moment; its table is the first."""
        return self._answers.get((0, seconds))

    def answer(self, seconds: int, moment: datetime | None, zone: str) -> Answer:
        """Rate so many begun seconds, or refuse for want of a moment."""
        version = self._version(moment)
        tariff = version.tariff
        if not tariff.periods:
            return self._under(version, self._table(version, tariff.tiers), seconds)
        if moment is None:
            raise Refused("started_at", "needed: the price depends on the hour")
        hour, past_us = divmod(microseconds_of(moment), HOUR_US)
        past = past_us // MICROSECONDS
        window = self._window(version, hour, zone)
        until, table = next(entry for entry in window if entry[0] > past)
        if max(seconds, tariff.minimum_seconds) <= min(until, HORIZON_SECONDS) - past:
            return self._under(version, table, seconds)
        own = RateTable.compile(tariff, started_at=moment, timezone=zone)
        return _answer(own, version, seconds)

    def take_answers(self) -> Iterator[Answer]:
        """Hand out all kept answers and forget them."""
        yield from self._answers.values()
        self._answers.clear()
        self.by_text.clear()

    def _under(self, version: PriceVersion, kept: _Table, seconds: int) -> Answer:
        """Rate a talk during which prices do not change by the clock."""
        key = (kept[0], seconds)
        found = self._answers.get(key)
        if found is None:
            found = self._answers[key] = _answer(kept[1], version, seconds)
        return found

    def _table(self, version: PriceVersion, tiers: tuple[Tier, ...]) -> _Table:
        key = (version.number, tiers)
        if key not in self._tables:
            only = Span(from_seconds=0, to_seconds=ENDLESS, tiers=tiers)
            self._tables[key] = (len(self._tables), RateTable(version.tariff, [only]))
        return self._tables[key]

    def _window(self, version: PriceVersion, hour: int, zone: str) -> list[tuple[int, _Table]]:
        """List until which second after the hour each table holds."""
        key = (version.number, hour, zone)
        found = self._windows.get(key)
        if found is None:
            if len(self._windows) >= WINDOWS_MAX:
                self._windows.clear()
            begin = moment_of(hour * HOUR_US)
            changes = spans(version.tariff, started_at=begin, zone=ZoneInfo(zone))
            found = [(span.to_seconds, self._table(version, span.tiers)) for span in changes]
            self._windows[key] = found
        return found

    def _version(self, moment: datetime | None) -> PriceVersion:
        if moment is None:
            if len(self._versions) > 1:
                raise Refused("started_at", "needed: the tariff has more than one version")
            return self._first
        if self._first.in_force_us is None:
            return self._first
        place = bisect_right(self._begins, microseconds_of(moment)) - 1
        if place < 0:
            raise Refused("started_at", "before the first version of the tariff")
        return self._versions[place]


def _answer(table: RateTable, version: PriceVersion, seconds: int) -> Answer:
    charge = table.charge(seconds)
    words = (
        str(charge.billed_seconds),
        format_amount(charge.cost),
        charge.currency,
        str(version.number),
    )
    return Answer(
        tail="," + ",".join(words) + "\n",
        billed_seconds=charge.billed_seconds,
        cost=charge.cost,
        currency=charge.currency,
    )
