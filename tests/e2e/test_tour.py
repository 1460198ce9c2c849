"""The tour of `talkmeter demo`: a newcomer's first call, from an empty folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ivr.sandbox.configure import free_port
from ivr.sandbox.fetch import AsteriskMissing, ensure
from tests.e2e.sipp import free_udp_port

ROOT = Path(__file__).parent.parent.parent
STEPS = [
    "Please enter your account number",
    "-> keys in the PIN",
    "-> presses 1",
    "To use a voucher, enter its digits",
    "-> presses 1 to accept",
    "waits Waiting is free",
    "talks 0 s",
    "is whispered The price is about to change",
    "The longest time for one call is over.",
]
pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(150)]


def test_the_tour_tells_each_step_as_the_caller_hears_it(tmp_path: Path) -> None:
    try:
        ensure(lambda _step: None)
    except AsteriskMissing as error:
        pytest.skip(str(error))
    environment = os.environ | {
        "TALKMETER_STATE_DIR": str(tmp_path / "state"),
        "TALKMETER_SIP_PORT": str(free_udp_port()),
        "TALKMETER_AGI_PORT": str(free_port()),
        "TALKMETER_WEB_PORT": str(free_port()),
    }

    done = subprocess.run(
        [sys.executable, "-m", "ivr", "demo", "--json"],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=140, check=True,
    )  # fmt: skip

    told = " ".join(done.stderr.split())
    places = [told.find(step) for step in STEPS]
    record = json.loads(done.stdout)
    assert -1 not in places, told
    assert places == sorted(places)
    assert (record["end_reason"], record["cost"]) == ("time_limit", "0.58")
