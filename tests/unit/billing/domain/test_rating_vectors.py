"""Costs that another charging engine publishes: each must come out exactly."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from billing.batch import BatchRater
from billing.batch_prices import PriceVersion
from billing.domain.allowances import take
from billing.domain.rating import RateTable
from billing.domain.tariffs import Period, RoundingRule, Tariff, Tier
from billing.money import DECIMALS_MAX, Rounding, parse_amount

VECTORS = json.loads(
    (Path(__file__).parents[3] / "vectors" / "rating.json").read_text(encoding="utf-8"),
    parse_float=Decimal,
)
# "none" asks for the exact fraction; the smallest amount here is a micro-unit.
METHODS = {
    "up": Rounding.UP,
    "down": Rounding.DOWN,
    "middle": Rounding.HALF_UP,
    "none": Rounding.HALF_UP,
}
EVERY_DAY = frozenset(range(7))
EVENING = 18 * 60


def micros(amount: Decimal | int) -> int:
    return int((Decimal(amount) * 1_000_000).to_integral_value())


def tiers(rows: list[dict[str, Any]]) -> tuple[Tier, ...]:
    return tuple(
        Tier(
            from_seconds=row["start_s"],
            price=micros(row["rate"]),
            per_seconds=row["rate_unit_s"],
            increment_seconds=row["increment_s"],
        )
        for row in rows
    )


def tariff(vector: dict[str, Any], **more: Any) -> Tariff:
    rule = vector.get("rounding", {"method": "none", "decimals": 0})
    decimals = DECIMALS_MAX if rule["method"] == "none" else min(rule["decimals"], DECIMALS_MAX)
    return Tariff(
        name=vector["id"],
        currency="USD",
        setup_fee=micros(vector["connect_fee"]),
        tiers=tiers(vector["tiers"]),
        rounding=RoundingRule(method=METHODS[rule["method"]], decimals=decimals),
        **more,
    )


def named(key: str, *, segments: bool = False) -> list[Any]:
    return [
        pytest.param(vector, id=vector["id"])
        for vector in VECTORS[key]
        if ("segments" in vector) is segments
    ]


@pytest.mark.parametrize("vector", named("cost"))
def test_a_published_cost_comes_out_exactly(vector: dict[str, Any]) -> None:
    table = RateTable.compile(tariff(vector))

    assert table.cost(vector["duration_s"]) == micros(vector["expected_cost"])


@pytest.mark.parametrize("vector", named("cost"))
def test_a_published_cost_comes_out_of_a_file_of_usage(vector: dict[str, Any]) -> None:
    usage = f"id,tariff,seconds,started_at\na,t,{vector['duration_s']},\n".encode()
    prices = {"t": [PriceVersion(number=1, tariff=tariff(vector))]}
    rater = BatchRater(BytesIO(usage), prices, bad=lambda row: pytest.fail(row.reason))
    rater.header()

    cost = "".join(rater.blocks()).split(",")[5]

    assert parse_amount(cost) == micros(vector["expected_cost"])


@pytest.mark.parametrize("vector", named("cost", segments=True))
def test_a_published_cost_over_two_periods_leaves_out_the_fee_held_before(
    vector: dict[str, Any],
) -> None:
    first, second = vector["segments"]
    evening = Period(days=EVERY_DAY, from_minute=EVENING, to_minute=0, tiers=tiers(second["tiers"]))
    priced = tariff({**vector, "tiers": first["tiers"]}, periods=(evening,))
    started_at = datetime.fromtimestamp(EVENING * 60 - first["duration_s"], tz=UTC)

    table = RateTable.compile(priced, started_at=started_at)

    later = table.cost(vector["duration_s"]) - priced.setup_fee
    assert later == micros(vector["expected_cost"])


@pytest.mark.parametrize(
    "vector", [item for item in named("max_duration") if "expected_max_s" in item.values[0]]
)
def test_a_published_longest_talk_comes_out_exactly(vector: dict[str, Any]) -> None:
    table = RateTable.compile(tariff(vector))

    found = table.affordable_seconds(micros(vector["balance"]), seconds_max=vector["asked_s"])

    assert found == vector["expected_max_s"]


@pytest.mark.parametrize(
    "vector", [item for item in named("max_duration") if "included_s" in item.values[0]]
)
def test_a_published_bundle_is_eaten_in_whole_increments(vector: dict[str, Any]) -> None:
    taken = take(
        vector["asked_s"],
        included_seconds=vector["included_s"],
        increment_seconds=vector["included_increment_s"],
    )

    assert taken.left_seconds == vector["expected_included_left_s"]
    assert taken.payable_seconds == 0


def test_every_published_vector_of_the_rating_layer_is_used() -> None:
    used = [*named("cost"), *named("cost", segments=True), *named("max_duration")]

    assert len(used) == len(VECTORS["cost"]) + len(VECTORS["max_duration"])
