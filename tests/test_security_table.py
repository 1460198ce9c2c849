"""The table of the security policy names only tests that exist, and each line says something."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / ".github" / "SECURITY.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| V")
]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def test_every_named_test_exists():
    missing = [
        f"{path}::{name}"
        for row in ROWS
        for path, name in NAMED.findall(row[2])
        if not (ROOT / path).is_file()
        or not re.search(rf"def {name}\(", (ROOT / path).read_text(encoding="utf-8"))
    ]

    assert not missing


def test_every_line_has_a_test_or_a_reason():
    bare = [row for row in ROWS if len(row) != 3 or not row[2]]
    badly_named = [row for row in ROWS if "tests/" in row[2] and not NAMED.search(row[2])]

    assert len(ROWS) > 50
    assert not bare
    assert not badly_named


def test_every_chapter_is_there():
    chapters = {int(re.findall(r"V(\d+)", row[0])[0]) for row in ROWS}

    assert chapters == set(range(1, 18))
