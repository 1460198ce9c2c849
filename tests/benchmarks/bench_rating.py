"""Rated calls per second on one core: a cost and its split, in pure Python."""

from __future__ import annotations

import random
import statistics
import time

from billing.domain.rating import RateTable
from billing.domain.splits import Share, SplitTable
from billing.domain.tariffs import Tariff, Tier
from tests.benchmarks.report import Figure

MILLION = 1_000_000
CALLS = 200_000
TURNS = 5
SHARES = (
    Share(kind="provider", account="provider", basis_points=2_500),
    Share(kind="client", account="acme", basis_points=7_000),
    Share(kind="referrer", account="acme", basis_points=500),
)


def figures() -> list[Figure]:
    """Three tiers, and a hundred: the cost of a rating must not grow with the price list."""
    return [
        Figure(
            name=f"rated calls/s, {tiers} tiers + 3-way split",
            value=_rated_per_second(tiers),
            floor_name="1 M/s",
            floor=MILLION,
            must=0.5,
            goal=1.0,
            more_is_better=True,
        )
        for tiers in (3, 100)
    ]


def _rated_per_second(tiers: int) -> float:
    tariff = Tariff(
        name="bench",
        currency="USD",
        setup_fee=5 * MILLION,
        tiers=tuple(
            Tier(
                from_seconds=number * 3_600 // tiers,
                price=500_000 - number * 1_000,
                increment_seconds=6 if number == 1 else 1,
            )
            for number in range(tiers)
        ),
    )
    cost = RateTable.compile(tariff).cost
    amounts = SplitTable(SHARES).amounts
    talks = [random.Random(seed).randint(1, 7_200) for seed in range(CALLS)]
    rates: list[float] = []
    for _ in range(TURNS):
        began = time.process_time()
        for seconds in talks:
            amounts(cost(seconds))
        rates.append(CALLS / (time.process_time() - began))
    return statistics.median(rates)
