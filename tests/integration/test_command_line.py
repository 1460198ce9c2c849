"""The command line as its users see it: answers, one-sentence errors, exit codes."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from billing.reports import Span
from ivr.cli.sheet import show
from ivr.sandbox.configure import free_port
from tests.migrated import ROOT, demo_state


def talkmeter(
    state: Path, *arguments: str, seconds_max: float = 60, **settings: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ivr", *arguments],
        cwd=ROOT,
        env=os.environ | {"TALKMETER_STATE_DIR": str(state)} | settings,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds_max,
        check=False,
    )


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder with a database and the demo catalog."""
    return demo_state(tmp_path)


def test_the_price_of_the_seed_tariff_is_quoted_line_by_line(state: Path) -> None:
    done = talkmeter(state, "quote", "--tariff", "standard", "--seconds", "1530", "--json")

    answer = json.loads(done.stdout)
    assert (answer["cost"], answer["setup_fee"], answer["currency"]) == ("16.375", "5.00", "USD")
    assert [line["amount"] for line in answer["lines"]] == ["10.00", "1.375"]
    assert (answer["version"], answer["billed_seconds"], answer["talk_seconds"]) == (1, 1530, 1530)


def test_a_top_up_counts_once_and_shows_in_the_account(state: Path) -> None:
    once = talkmeter(state, "topup", "alice", "5.00", "--key", "k1", "--json")
    again = talkmeter(state, "topup", "alice", "5.00", "--key", "k1", "--json")
    other = talkmeter(state, "topup", "alice", "6.00", "--key", "k1")

    assert json.loads(once.stdout)["balance"] == "25.00"
    assert json.loads(again.stdout)["replayed"] is True
    assert other.returncode == 1
    assert "was used before with other content" in other.stderr
    shown = json.loads(talkmeter(state, "account", "show", "alice", "--json").stdout)
    assert (shown["balance"], shown["number"]) == ("25.00", "100001")


def test_accounts_are_opened_and_listed(state: Path) -> None:
    added = talkmeter(
        state, "account", "add", "carol", "--phone", "15551239999", "--pin", "123456", "--json"
    )
    listed = talkmeter(state, "account", "list", "--json")

    assert json.loads(added.stdout)["number"] == "100901"
    names = [item["account"] for item in json.loads(listed.stdout)]
    assert names == ["alice", "bob", "carol", "tourist"]


def test_verify_proves_a_sound_ledger_and_names_what_breaks_one(state: Path) -> None:
    sound = talkmeter(state, "verify", "--json")
    with sqlite3.connect(state / "talkmeter.db") as database:
        database.execute("UPDATE accounts SET posted = posted + 1 WHERE code = 'alice'")
    database.close()
    broken = talkmeter(state, "verify", "--json")

    assert (sound.returncode, json.loads(sound.stdout)["ok"]) == (0, True)
    assert broken.returncode == 1
    failed = [check for check in json.loads(broken.stdout)["checks"] if not check["ok"]]
    assert [check["name"] for check in failed] == ["each balance equals the sum of its entries"]
    assert "alice" in failed[0]["rows"][0]


def test_a_sheet_keeps_numbers_and_disarms_formulas(capsys: pytest.CaptureFixture[str]) -> None:
    span = Span(first=date(2026, 11, 1), last=date(2026, 11, 2))
    rows = [{"name": "=1+1", "amount": "-0.01"}, {"name": "acme", "amount": "12.50"}]

    show(rows, ("name", "amount"), "csv", span)
    show(rows, ("name", "amount"), "table", span)
    show([], ("name", "amount"), "table", span)

    assert capsys.readouterr().out.splitlines() == [
        "name,amount",
        "'=1+1,-0.01",
        "acme,12.50",
        "name  amount",
        "=1+1   -0.01",
        "acme   12.50",
        "nothing in this time",
    ]


def test_the_split_report_of_nothing_is_empty_in_every_format(state: Path) -> None:
    table = talkmeter(state, "report", "split")
    document = talkmeter(state, "report", "split", "--format", "json")
    csv = talkmeter(state, "report", "split", "--format", "csv")

    assert "nothing was sold" in table.stdout
    assert json.loads(document.stdout)["rows"] == []
    assert csv.stdout.startswith("client,did,topic,currency,calls,billed_seconds,gross,provider")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["account", "show", "nobody"], "there is no account 'nobody'"),
        (["topup", "alice", "12.3456789", "--key", "k"], "not an amount of money"),
        (["quote", "--tariff", "nope", "--seconds", "1"], "there is no tariff 'nope'"),
        (["calls", "show", "nope"], "there is no call nope"),
        (["call", "--did", "18005550100", "--from", "15551230001"], "no service answers"),
        (["--config", "nowhere.toml", "verify"], "nowhere.toml: no such file"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_exit_1(
    state: Path, arguments: list[str], sentence: str
) -> None:
    done = talkmeter(state, *arguments)

    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [["quote"], ["quote", "--tariff", "standard", "--seconds", "-1"], ["nonsense"], ["topup"]],
)
def test_wrong_usage_exits_2(state: Path, arguments: list[str]) -> None:
    assert talkmeter(state, *arguments).returncode == 2


def test_an_empty_database_is_explained(tmp_path: Path) -> None:
    done = talkmeter(tmp_path, "verify")

    assert done.returncode == 1
    assert "run `talkmeter db upgrade`" in done.stderr


def test_a_database_of_another_version_is_explained(state: Path) -> None:
    with sqlite3.connect(state / "talkmeter.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '0000'")
    database.close()

    done = talkmeter(state, "verify")

    assert done.returncode == 1
    assert "has revision 0000, this version needs" in done.stderr


def test_a_locked_database_is_explained(state: Path) -> None:
    with sqlite3.connect(state / "talkmeter.db", isolation_level=None) as database:
        database.execute("BEGIN EXCLUSIVE")
        done = talkmeter(state, "account", "add", "late")
        database.execute("ROLLBACK")
    database.close()

    assert done.returncode == 1
    assert "is locked by another program" in done.stderr


def test_a_database_that_is_not_there_is_explained(tmp_path: Path) -> None:
    done = talkmeter(
        tmp_path,
        "verify",
        TALKMETER_DATABASE_URL="postgresql+asyncpg://someone:hidden@127.0.0.1:1/none",
    )

    assert done.returncode == 1
    assert "cannot be reached" in done.stderr
    assert "hidden" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("TALKMETER_WEB_PORT", "99999", "TALKMETER_WEB_PORT"),
        ("TALKMETER_RTP_PORTS", "9-1", "write a range of ports"),
        ("TALKMETER_ASTERISK", "other", "TALKMETER_ASTERISK"),
        ("TALKMETER_DATABASE_URL", "mysql://x", "database driver 'mysql'"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, name: str, value: str, sentence: str) -> None:
    done = talkmeter(tmp_path, "verify", **{name: value})

    assert done.returncode == 1
    assert sentence in done.stderr


def test_an_external_asterisk_without_its_account_is_explained(state: Path) -> None:
    done = talkmeter(state, "serve", TALKMETER_ASTERISK="external")

    assert done.returncode == 1
    assert "TALKMETER_AMI_PORT and TALKMETER_AMI_SECRET are needed" in done.stderr


def test_a_port_in_use_is_explained(state: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = talkmeter(
            state,
            "serve",
            TALKMETER_ASTERISK="external",
            TALKMETER_AMI_PORT="1",
            TALKMETER_AMI_SECRET="secret",
            TALKMETER_CEL_FILE=str(state / "cel.csv"),
            TALKMETER_AGI_PORT=port,
        )

    assert done.returncode == 1
    assert "a port is in use" in done.stderr
    assert "TALKMETER_AGI_PORT" in done.stderr


def test_an_asterisk_that_does_not_answer_is_explained(state: Path) -> None:
    done = talkmeter(
        state,
        "serve",
        TALKMETER_ASTERISK="external",
        TALKMETER_AMI_PORT="1",
        TALKMETER_AMI_SECRET="secret",
        TALKMETER_CEL_FILE=str(state / "cel.csv"),
        TALKMETER_AGI_PORT=str(free_port()),
        TALKMETER_WEB_PORT=str(free_port()),
    )

    assert done.returncode == 1
    assert "manager does not answer on 127.0.0.1:1" in done.stderr


def test_secrets_are_masked_where_settings_are_shown(state: Path) -> None:
    done = talkmeter(
        state, "doctor", "--json", TALKMETER_AMI_SECRET="open sesame", TALKMETER_AMI_PORT="5038"
    )

    assert "open sesame" not in done.stdout + done.stderr
    names = [item["name"] for item in json.loads(done.stdout)]
    assert names[:2] == ["settings", "database"]
