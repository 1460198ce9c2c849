"""Daily sums of settlements: by day in UTC and what was sold, and what each party got of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from billing.domain.operations import Settle, Sold
from billing.money import Micros

DAY_US: Final = 86_400 * 1_000_000

Key: TypeAlias = tuple[int, str, str, str, int, str]
"""Day, client, service, detail, tariff version and currency."""


@dataclass(slots=True, kw_only=True)
class Sums:
    """What a batch adds.

    `revenue` is sessions, talk in microseconds, billed seconds and gross; `shares` is by party.
    """

    revenue: dict[Key, tuple[int, int, int, Micros]] = field(default_factory=dict)
    shares: dict[tuple[Key, str, str], Micros] = field(default_factory=dict)

    def add(self, operation: Settle, sold: Sold) -> None:
        """Count one settlement."""
        result, account = operation.result, operation.account
        day = result.ended_us - result.ended_us % DAY_US
        key = (
            day, sold.client, sold.service, sold.detail, sold.tariff_version_id, account.currency
        )  # fmt: skip
        count, talk_us, seconds, gross = self.revenue.get(key, (0, 0, 0, 0))
        self.revenue[key] = (
            count + 1,
            talk_us + result.talk_us,
            seconds + result.billed_seconds,
            gross + operation.amount,
        )
        for part in operation.parts:
            if part.amount:
                place = (key, part.kind, part.account)
                self.shares[place] = self.shares.get(place, 0) + part.amount

    def revenue_rows(self) -> Iterator[tuple[int | str, ...]]:
        """List rows to add, in one order for all programs: none waits for another in a circle."""
        for key in sorted(self.revenue):
            yield (*key, *self.revenue[key])

    def share_rows(self) -> Iterator[tuple[int | str, ...]]:
        """List rows to add, as above."""
        for key, kind, account in sorted(self.shares):
            yield (*key, kind, account, self.shares[key, kind, account])
