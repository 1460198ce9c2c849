"""What the README shows is what happens: its runnable blocks are run and compared."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"<!-- run -->\n((?:    .*\n)+)", TEXT)


def lines_of(block: str) -> list[str]:
    return [line[4:] for line in block.splitlines()]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_shown_command_prints_what_is_shown(block: str, tmp_path: Path) -> None:
    command, *expected = lines_of(block)
    words = command.removeprefix("$ .venv/bin/talkmeter ").split()

    done = subprocess.run(
        [sys.executable, "-m", "ivr", *words],
        cwd=ROOT,
        env=os.environ | {"TALKMETER_STATE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert done.stdout.splitlines() == expected


def test_every_named_target_of_make_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    named = set(re.findall(r"`?make ([a-z]+)`?", TEXT))

    assert {name for name in named if not re.search(rf"(?m)^{name}:", makefile)} == set()


def test_every_named_path_exists() -> None:
    named = re.findall(r"`((?:billing|ivr|asterisk-conf|tests)[\w/.-]*)`", TEXT)

    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_named_command_exists() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ivr", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    named = set(re.findall(r"talkmeter ([a-z]+)", TEXT)) - {"toml"}

    assert {name for name in named if f" {name} " not in done.stdout} == set()
