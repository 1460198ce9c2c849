"""`talkmeter quote` answers from a file alone, exactly as the interface says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from billing.errors import UnknownTariff
from ivr.cli import app

DEMO = Path(__file__).parents[4] / "ivr" / "sandbox" / "demo-catalog.yaml"


def quote(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["quote", "--catalog", str(DEMO), *arguments])


def answer(*arguments: str) -> dict[str, Any]:
    result = quote("--json", *arguments)
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_a_quote_explains_each_tier() -> None:
    assert answer("--tariff", "standard", "--seconds", "1530") == {
        "tariff": "standard",
        "version": 0,
        "currency": "USD",
        "talk_seconds": 1530,
        "billed_seconds": 1530,
        "cost": "16.375",
        "lines": [
            {"tier_from_s": 0, "seconds": 1200, "price_per_minute": "0.50", "amount": "10.00"},
            {"tier_from_s": 1200, "seconds": 330, "price_per_minute": "0.25", "amount": "1.375"},
        ],
        "setup_fee": "5.00",
        "adjustment": "0.00",
        "net": "16.375",
        "tax": "0.00",
        "tax_included": False,
    }


def test_a_begun_second_is_billed() -> None:
    document = answer("--tariff", "hourly", "--seconds", "71.2")

    assert (document["talk_seconds"], document["billed_seconds"]) == (71.2, 72)
    assert document["cost"] == "1.00"


@pytest.mark.parametrize(
    ("at", "price"),
    [
        ("2026-01-05T12:00:00", "0.20"),
        ("2026-01-05T19:00:00", "0.05"),
        ("2026-01-05T17:00:00+00:00", "0.05"),
        ("2026-01-05T15:00:00Z", "0.20"),
    ],
)
def test_a_moment_is_local_unless_it_says_otherwise(at: str, price: str) -> None:
    document = answer(
        "--tariff", "full", "--seconds", "30", "--at", at, "--timezone", "Europe/Vilnius"
    )

    assert document["lines"][0]["price_per_minute"] == price


def test_people_read_the_same_as_a_table() -> None:
    result = quote("--tariff", "standard", "--seconds", "1530")

    assert result.exit_code == 0
    assert "16.375" in result.stdout.splitlines()[-1]


def test_an_unknown_tariff_is_an_error_with_its_name() -> None:
    result = quote("--tariff", "none", "--seconds", "1")

    assert result.exit_code == 1
    assert isinstance(result.exception, UnknownTariff)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--seconds", "-1"),
        ("--seconds", "ten"),
        ("--seconds", "99999999"),
        ("--seconds", "1", "--at", "yesterday"),
        ("--seconds", "1", "--timezone", "Mars/Base"),
    ],
)
def test_wrong_usage_exits_two(arguments: tuple[str, ...]) -> None:
    assert quote("--tariff", "standard", *arguments).exit_code == 2
