"""Rated rows of usage per second on one core, beside a plain copy of the same CSV; peak memory."""

from __future__ import annotations

import csv
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.report import Figure

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "ivr" / "sandbox" / "demo-catalog.yaml"
SIZES = (1_000_000, 10_000_000)
MEMORY_MB = 100
# Runs the command in a process of its own, and tells what it took.
WATCHED = """
import resource, sys
from ivr.cli import main
try:
    main()
finally:
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, file=sys.stderr)
"""


def figures() -> list[Figure]:
    """Speed must not fall and memory must not grow with the number of rows."""
    found: list[Figure] = []
    with tempfile.TemporaryDirectory() as name:
        usage, out = Path(name) / "usage.csv", Path(name) / "rated.csv"
        for rows in SIZES:
            _write(usage, rows)
            copied = rows / _copy(usage, out)
            seconds, megabytes = _rate(usage, out)
            named = f"{rows // 1_000_000} M rows"
            found += [
                Figure(
                    name=f"rated rows/s/core, {named}",
                    value=rows / seconds,
                    floor_name="csv copied rows/s",
                    floor=copied,
                    must=0.2,
                    goal=0.5,
                    more_is_better=True,
                ),
                Figure(
                    name=f"peak MB of rating {named}",
                    value=megabytes,
                    floor_name="MB allowed",
                    floor=MEMORY_MB,
                    must=1.0,
                    goal=1.0,
                ),
            ]
    return found


def _write(path: Path, rows: int) -> None:
    """Tenths of seconds, so that few texts repeat at first; another start for each row."""
    draw = random.Random(1).randrange
    with path.open("w", encoding="utf-8") as file:
        file.write("id,tariff,seconds,started_at\n")
        file.writelines(
            f"call-{number},standard,{draw(3_600)}.{draw(10)},"
            f"2026-01-{number % 28 + 1:02d}T{number % 24:02d}:00:{number % 60:02d}+00:00\n"
            for number in range(rows)
        )


def _copy(source: Path, target: Path) -> float:
    began = time.process_time()
    with source.open(newline="") as taken, target.open("w", newline="") as written:
        csv.writer(written).writerows(csv.reader(taken))
    return time.process_time() - began


def _rate(usage: Path, out: Path) -> tuple[float, float]:
    command = ["rate", "--catalog", str(DEMO), "--in", str(usage), "--out", str(out), "--json"]
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, megabytes = done.stderr.split()[-2:]
    return float(seconds), float(megabytes)


if __name__ == "__main__":
    for figure in figures():
        print(figure.line())
