"""`talkmeter catalog` checks, applies and exports; a broken file applies nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ivr.cli import app

ROOT = Path(__file__).parents[4]
DEMO = ROOT / "ivr" / "sandbox" / "demo-catalog.yaml"
BROKEN = ROOT / "tests" / "unit" / "ivr" / "directory" / "broken-catalog.yaml"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def talkmeter(state: Path, *arguments: object) -> Result:
    environment = {"TALKMETER_STATE_DIR": str(state), "TALKMETER_DATABASE_URL": None}
    return CliRunner(env=environment).invoke(app, [str(argument) for argument in arguments])


def test_a_good_file_checks_clean(state: Path) -> None:
    result = talkmeter(state, "catalog", "check", DEMO, "--json")

    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "file": str(DEMO),
        "ok": True,
        "mistakes": [],
    }


def test_a_broken_file_names_all_mistakes_on_stderr_and_exits_one(state: Path) -> None:
    result = talkmeter(state, "catalog", "check", BROKEN)

    assert result.exit_code == 1
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) > 40
    assert all(line.startswith(f"{BROKEN}:") for line in result.stderr.splitlines())


def test_a_broken_file_as_json_lists_line_field_and_message(state: Path) -> None:
    result = talkmeter(state, "catalog", "check", BROKEN, "--json")

    document = json.loads(result.stdout)
    assert (result.exit_code, document["ok"]) == (1, False)
    assert document["mistakes"][0] == {
        "line": 2,
        "field": "currency",
        "message": "write a currency such as USD",
    }


def test_a_catalog_is_applied_exported_and_quoted(state: Path, tmp_path: Path) -> None:
    written = tmp_path / "written.yaml"
    assert talkmeter(state, "db", "upgrade").exit_code == 0

    first = talkmeter(state, "catalog", "apply", DEMO, "--json")
    broken = talkmeter(state, "catalog", "apply", BROKEN)
    again = talkmeter(state, "catalog", "apply", DEMO, "--json")
    exported = talkmeter(state, "catalog", "export", written)
    third = talkmeter(state, "catalog", "apply", written, "--json")
    quoted = talkmeter(state, "quote", "--tariff", "hourly", "--seconds", "72", "--json")

    assert "account alice" in json.loads(first.stdout)["created"]
    assert broken.exit_code == 1
    for result in (again, third):
        document = json.loads(result.stdout)
        assert (document["created"], document["changed"]) == ([], [])
    assert exported.exit_code == 0
    answer = json.loads(quoted.stdout)
    assert (answer["cost"], answer["version"]) == ("1.00", 1)


def test_an_export_may_go_to_stdout_and_not_into_nothing(state: Path, tmp_path: Path) -> None:
    talkmeter(state, "db", "upgrade")

    shown = talkmeter(state, "catalog", "export", "-")
    lost = talkmeter(state, "catalog", "export", tmp_path / "none" / "x.yaml")

    assert shown.stdout.startswith("currency: USD\n")
    assert lost.exit_code == 1
    assert "cannot be written" in lost.stderr


def test_a_plan_without_a_price_is_named_with_its_line(state: Path, tmp_path: Path) -> None:
    file = tmp_path / "plans.yaml"
    text = "currency: USD\ntariffs: {x: {tiers: [{price: 1/min}]}}\nplans: {pro: {}}\n"
    file.write_text(text, encoding="utf-8")

    result = talkmeter(state, "catalog", "check", file)

    assert result.exit_code == 1
    assert ":3: plans.pro.price: is missing" in result.stderr
