from __future__ import annotations

import csv
import json
import stat
from pathlib import Path

import pytest

from tests.integration.test_command_line import talkmeter
from tests.migrated import demo_state


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return demo_state(tmp_path)


def test_codes_are_written_once_redeemed_once_and_called_back(state: Path) -> None:
    out = state / "codes.csv"
    generate = ("voucher", "generate", "--amount", "10.00", "--count", "3", "--out", str(out))

    made = talkmeter(state, *generate, "--expires", "2099-01-01", "--json")
    rows = list(csv.DictReader(out.read_text().splitlines()))
    again = talkmeter(state, *generate)
    first = talkmeter(state, "voucher", "redeem", "alice", rows[0]["code"], "--json")
    retried = talkmeter(state, "voucher", "redeem", "alice", rows[0]["code"], "--json")
    stolen = talkmeter(state, "voucher", "redeem", "bob", rows[0]["code"])
    wrong = talkmeter(state, "voucher", "redeem", "alice", "11111111111111")
    off = talkmeter(state, "voucher", "disable", json.loads(made.stdout)["batch"])
    late = talkmeter(state, "voucher", "redeem", "alice", rows[1]["code"])
    [listed] = json.loads(talkmeter(state, "voucher", "list", "--json").stdout)

    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert {tuple(row.values())[1:] for row in rows} == {("10.00", "USD", "2099-01-01")}
    assert again.returncode == 1
    assert "exists already" in again.stderr
    assert json.loads(first.stdout)["balance"] == "30.00"
    assert json.loads(retried.stdout)["replayed"] is True
    assert stolen.stderr == "talkmeter: this voucher was used before\n"
    assert wrong.stderr == "talkmeter: there is no such voucher\n"
    assert (off.returncode, late.returncode) == (0, 1)
    assert (listed["used"], listed["left"], listed["disabled"]) == (1, 0, 2)


def test_what_cannot_be_a_batch_leaves_no_file(state: Path) -> None:
    out = state / "codes.csv"

    done = talkmeter(
        state, "voucher", "generate", "--amount", "0", "--count", "1", "--out", str(out)
    )
    usage = talkmeter(state, "voucher", "disable")

    assert (done.returncode, usage.returncode) == (1, 2)
    assert not out.exists()
