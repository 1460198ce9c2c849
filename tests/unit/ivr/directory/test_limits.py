"""Prices that a client may make: never more for a caller than its provider allows."""

from __future__ import annotations

from typing import Any

import pytest

from billing.domain.rating import RateTable
from billing.money import parse_amount
from ivr.directory.catalog_tariffs import read_tariff
from ivr.directory.edits import node_of
from ivr.directory.limits import ClientLimits, beyond_limits, limits_document, read_limits

NIGHT = {"tiers": [{"price": "0.40/min"}]}
LIMITS = ClientLimits(
    edit=("tariffs",),
    price_from=parse_amount("0.10"),
    price_to=parse_amount("2"),
    setup_fee_max=parse_amount("1"),
)


def beyond(prices: dict[str, Any]) -> set[str]:
    tariff, _ = read_tariff("acme.night", node_of(prices), "USD")
    assert tariff is not None
    return {place for place, _ in beyond_limits(tariff, LIMITS)}


@pytest.mark.parametrize(
    ("prices", "place"),
    [
        ({"tiers": [{"price": "2.01/min"}]}, "tiers[0].price"),
        ({"tiers": [{"price": "0.04/s"}]}, "tiers[0].price"),
        ({"tiers": [{"price": "0.05/min"}]}, "tiers[0].price"),
        (NIGHT | {"setup_fee": "1.01"}, "setup_fee"),
        (NIGHT | {"minimum": "2m"}, "minimum"),
        (NIGHT | {"minimum_cost": "4"}, "minimum_cost"),
        (NIGHT | {"increment": "1h"}, "tiers[0].increment"),
        (NIGHT | {"rounding": {"method": "up", "decimals": "0"}}, "rounding.decimals"),
        (NIGHT | {"free": "1h"}, "free"),
        (NIGHT | {"maximum_cost": "1"}, "maximum_cost"),
        ({"tiers": [{"price": "1.90/min"}], "tax": {"rate": "19%", "included": "false"}},
         "tiers[0].price"),
        (NIGHT | {"periods": [{"days": "sun", "from": "00:00", "to": "24:00",
                               "tiers": [{"price": "9/min"}]}]}, "periods[0].tiers[0].price"),
    ],
)  # fmt: skip
def test_callers_never_pay_more_nor_the_provider_gets_less(prices: dict[str, Any], place: str):
    assert beyond(prices) == {place}


@pytest.mark.parametrize(
    "prices",
    [
        NIGHT,
        {"setup_fee": "1", "minimum": "60s", "increment": "60s", "minimum_cost": "3",
         "tiers": [{"price": "2/min"}, {"from": "7s", "price": "1.99/min", "increment": "59s"}]},
        {"tiers": [{"price": "1/min"}], "tax": {"rate": "19%", "included": "false"}},
    ],
)  # fmt: skip
def test_what_is_allowed_never_costs_more_than_fee_and_begun_minutes(prices: dict[str, Any]):
    tariff, _ = read_tariff("acme.night", node_of(prices), "USD")
    assert tariff is not None
    table = RateTable.compile(tariff)

    assert beyond(prices) == set()
    for seconds in range(1, 400):
        minutes = -(-seconds // 60) + 1
        most = LIMITS.setup_fee_max + (LIMITS.price_to or 0) * minutes
        assert table.charge(seconds).cost <= most


def test_limits_are_read_as_they_are_written():
    node = node_of(limits_document(LIMITS))

    assert read_limits(node) == LIMITS
    assert not node.notes.mistakes


def test_without_limits_a_client_changes_its_sounds_and_nothing_else():
    limits = ClientLimits()

    assert limits.edit == ("prompts",)
    assert limits_document(limits) == {}
