"""`talkmeter rate` reads a file, writes a whole one or none, and tells what it left out."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from billing.batch import BatchRater
from ivr.cli import app

ROOT = Path(__file__).parents[4]
DEMO = ROOT / "ivr" / "sandbox" / "demo-catalog.yaml"
HEADER = "id,tariff,seconds,started_at\n"


@pytest.fixture
def usage(tmp_path: Path) -> Path:
    path = tmp_path / "usage.csv"
    path.write_text(HEADER + "a,standard,1530,\n", encoding="utf-8")
    return path


def rate(folder: Path, *arguments: object, stdin: str | None = None) -> Result:
    environment = {"TALKMETER_STATE_DIR": str(folder / "state"), "TALKMETER_DATABASE_URL": None}
    words = ["rate", *map(str, arguments)]
    return CliRunner(env=environment).invoke(app, words, input=stdin)


def test_a_file_is_rated_by_a_catalog_without_a_database(usage: Path) -> None:
    out = usage.with_name("rated.csv")

    result = rate(usage.parent, "--catalog", DEMO, "--in", usage, "--out", out, "--json")

    assert result.exit_code == 0
    assert out.read_text().splitlines()[1] == "a,standard,1530,,1530,16.375,USD,0"
    assert json.loads(result.stdout) == {
        "rows": 1,
        "rated": 1,
        "bad": 0,
        "errors": None,
        "billed_seconds": 1530,
        "totals": [{"currency": "USD", "rows": 1, "billed_seconds": 1530, "cost": "16.375"}],
    }
    assert sorted(path.name for path in usage.parent.iterdir()) == ["rated.csv", "usage.csv"]


def test_bad_rows_go_to_a_side_file_and_exit_one(usage: Path) -> None:
    out = usage.with_name("rated.csv")
    aside = usage.with_name("rated.csv.errors.csv")
    usage.write_text(HEADER + 'a,standard,-1,\n"b,standard,1,\nc,standard,0,\n', encoding="utf-8")

    result = rate(usage.parent, "--catalog", DEMO, "--in", usage, "--out", out)

    assert result.exit_code == 1
    assert "1 of 3 rows rated: 0.00 USD; 2 bad" in result.stderr
    assert len(out.read_text().splitlines()) == 2
    with aside.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["row"], row["column"], row["text"]) for row in rows] == [
        ("2", "seconds", "a,standard,-1,"),
        ("3", "row", '"b,standard,1,'),
    ]


def test_a_later_run_without_bad_rows_leaves_no_old_side_file(usage: Path) -> None:
    out, aside = usage.with_name("rated.csv"), usage.with_name("bad.csv")
    words = ("--catalog", DEMO, "--in", usage, "--out", out, "--errors", aside)
    good = usage.read_text()
    usage.write_text(good + "b,nothing,1,\n", encoding="utf-8")
    rate(usage.parent, *words)
    assert aside.exists()
    usage.write_text(good, encoding="utf-8")

    rate(usage.parent, *words)

    assert not aside.exists()


def test_it_works_between_pipes(tmp_path: Path) -> None:
    words = ("--catalog", DEMO, "--in", "-", "--out", "-", "--errors", tmp_path / "bad.csv")

    result = rate(tmp_path, *words, stdin=HEADER + "a,standard,60,\n")

    assert result.exit_code == 0
    assert result.stdout.splitlines()[1] == "a,standard,60,,60,5.50,USD,0"
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_run_leaves_nothing(usage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = usage.with_name("rated.csv")
    usage.write_text(HEADER + "a,nothing,1,\nb,standard,1,\n", encoding="utf-8")

    def interrupted(self: BatchRater, *arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(BatchRater, "_add", interrupted)
    result = rate(usage.parent, "--catalog", DEMO, "--in", usage, "--out", out)

    assert result.exit_code != 0
    assert [path.name for path in usage.parent.iterdir()] == ["usage.csv"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--in", "usage.csv", "--out", "usage.csv"), 2),
        (("--in", "usage.csv", "--out", "-"), 2),
        (("--in", "nothing.csv", "--out", "rated.csv"), 1),
        (("--in", "usage.csv", "--out", "no/folder.csv"), 1),
        (("--in", "bad.csv", "--out", "rated.csv"), 1),
    ],
)
def test_what_cannot_be_done_makes_no_file(
    usage: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], code: int
) -> None:
    monkeypatch.chdir(usage.parent)
    Path("bad.csv").write_text("id,seconds\n", encoding="utf-8")

    result = rate(usage.parent, "--catalog", DEMO, *words)

    assert result.exit_code == code
    assert sorted(path.name for path in usage.parent.iterdir()) == ["bad.csv", "usage.csv"]


def test_the_help_says_that_cells_are_copied_unchanged(tmp_path: Path) -> None:
    result = rate(tmp_path, "--help")

    assert "spreadsheet" in result.stdout


def test_without_a_catalog_the_versions_of_the_database_price_by_their_time(usage: Path) -> None:
    environment = {
        "TALKMETER_STATE_DIR": str(usage.parent / "state"),
        "TALKMETER_DATABASE_URL": None,
    }
    runner = CliRunner(env=environment)
    assert runner.invoke(app, ["db", "upgrade"]).exit_code == 0
    assert runner.invoke(app, ["catalog", "apply", str(DEMO)]).exit_code == 0
    rows = "a,standard,60,2999-01-01T00:00:00Z\nb,standard,60,1999-01-01T00:00:00Z\n"
    usage.write_text(HEADER + rows, encoding="utf-8")
    out = usage.with_name("rated.csv")

    result = rate(usage.parent, "--in", usage, "--out", out)

    assert result.exit_code == 1
    assert out.read_text().splitlines()[1:] == ["a,standard,60,2999-01-01T00:00:00Z,60,5.50,USD,1"]
