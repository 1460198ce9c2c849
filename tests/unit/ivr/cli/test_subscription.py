"""`talkmeter subscription`: a plan that is begun, changed, filled up and cancelled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ivr.cli import app

CATALOG = """
currency: USD
tariffs: {x: {tiers: [{price: 1/min}]}}
plans:
  pro: {price: "30", meters: {credits: {included: "10", unit_price: "0.10"}}}
  more: {price: "60", meters: {credits: {included: "20", unit_price: "0.10"}}, addons: {user: "9"}}
accounts:
  alice: {mode: prepaid, opening_balance: "100.00"}
  bob: {mode: prepaid}
"""


def talkmeter(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def answer(*words: str) -> dict[str, Any]:
    result = talkmeter("subscription", *words, "--json")
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return document


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALKMETER_STATE_DIR", str(tmp_path / "var"))
    monkeypatch.delenv("TALKMETER_DATABASE_URL", raising=False)
    file = tmp_path / "catalog.yaml"
    file.write_text(CATALOG, encoding="utf-8")
    assert talkmeter("db", "upgrade").exit_code == 0
    assert talkmeter("catalog", "apply", file).exit_code == 0


def test_a_plan_is_begun_changed_filled_up_and_cancelled() -> None:
    begun = answer("add", "alice", "pro")
    changed = answer("change", "alice", "more")
    filled = answer("buy", "alice", "credits", "--units", "5", "--key", "k")
    again = answer("buy", "alice", "credits", "--units", "5", "--key", "k")
    ended = answer("cancel", "alice", "--now")

    assert (begun["plan"], begun["state"]) == ("pro", "active")
    assert [each["left"] for each in begun["allowances"]] == ["0", "10"]
    assert [each["left"] for each in changed["allowances"]] == ["0", "20"]
    assert [each["left"] for each in filled["allowances"]] == ["0", "20", "5"]
    assert again == filled
    assert ended["state"] == "cancelled"
    assert answer("run") == {"renewed": 0, "past_due": [], "recognised": 0}


def test_an_account_without_money_is_said_to_be_past_due() -> None:
    shown = talkmeter("subscription", "add", "bob", "more", "--addon", "user=2")
    ran = talkmeter("subscription", "run")

    assert "bob: plan more (version 1), past due" in shown.stdout
    assert "past due: bob" in ran.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["add", "alice", "gold"], "there is no plan 'gold'"),
        (["add", "alice", "pro", "--addon", "user=1"], "has no add-on 'user'"),
        (["show", "bob"], "there is no subscription 'bob'"),
        (["change", "bob", "pro"], "there is no subscription 'bob'"),
    ],
)
def test_a_no_is_one_sentence(words: list[str], sentence: str) -> None:
    result = talkmeter("subscription", *words)

    assert result.exit_code == 1
    assert sentence in str(result.exception) + result.output


def test_a_purchase_says_what_it_wants() -> None:
    assert talkmeter("subscription", "buy", "alice", "credits", "--key", "k").exit_code == 2
    assert talkmeter("subscription", "add", "alice", "pro", "--addon", "user").exit_code == 2
