"""Run all benchmarks, print a table and write var/bench.json."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from tests.benchmarks import (
    bench_batch,
    bench_calls,
    bench_ledger,
    bench_pages,
    bench_rating,
    bench_reports,
    bench_usage,
)
from tests.benchmarks.report import Figure

OUTPUT = Path("var/bench.json")


def main() -> None:
    figures: list[Figure] = []
    print("rating", flush=True)
    figures += bench_rating.figures()
    print("a file of usage (a minute)", flush=True)
    figures += bench_batch.figures()
    print("ledger (a minute)", flush=True)
    figures += bench_ledger.figures()
    print("usage", flush=True)
    figures += bench_usage.figures()
    print("reports (some minutes)", flush=True)
    figures += bench_reports.figures()
    print("pages (some minutes)", flush=True)
    figures += bench_pages.figures()
    print("calls (a few minutes)", flush=True)
    figures += asyncio.run(bench_calls.figures())
    print()
    for figure in figures:
        print(figure.line())
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps([figure.document() for figure in figures], indent=1) + "\n")
    missed = [figure.name for figure in figures if figure.grade == "MISSED"]
    print(f"\nwritten to {OUTPUT}; missed: {', '.join(missed) or 'none'}")


if __name__ == "__main__":
    main()
