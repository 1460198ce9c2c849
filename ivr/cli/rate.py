"""`talkmeter rate`: what each row of a usage file costs."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, TextIO

import typer

from billing.money import format_amount
from ivr.cli import context

if TYPE_CHECKING:
    from billing.batch import BadRow, BatchRater, Summary
    from billing.batch_prices import PriceVersion
    from ivr.settings import Settings

STANDARD = "-"


def rate(
    source: Annotated[str, typer.Option("--in", help="The usage, CSV; - for stdin.")],
    out: Annotated[str, typer.Option("--out", help="The rated usage, CSV; - for stdout.")],
    catalog: Annotated[
        Path | None, typer.Option(help="Prices of this file instead of the database.")
    ] = None,
    errors: Annotated[
        Path | None, typer.Option(help="Rows that cannot be rated; OUT.errors.csv if not named.")
    ] = None,
    json: context.JsonFlag = False,
) -> None:
    """Rate a file of usage: columns id, tariff, seconds, started_at and, if wanted, timezone.

    Columns may be in any order; all of them are copied as they are, also those that begin with
    = + - @, because the output is for machines: do not open it in a spreadsheet. One line is one
    row, in UTF-8. The output has billed_seconds, cost, currency and tariff_version in addition,
    and gets its name when it is complete. Exits 1 if any row could not be rated.
    """
    if out == STANDARD and (errors is None or json):
        raise typer.BadParameter("with - name --errors, and leave --json out", param_hint="--out")
    if STANDARD not in {out, source} and Path(out).absolute() == Path(source).absolute():
        raise typer.BadParameter("the output is the input", param_hint="--out")
    aside = errors or Path(f"{out}.errors.csv")
    prices = _prices(catalog)
    try:
        summary = _rate(source, out, aside, prices, quiet=json)
    except OSError as error:
        context.fail(f"{error.filename or out}: {error.strerror}; nothing was rated")
    if json:
        context.emit(_document(summary, aside))
    else:
        print(_sentence(summary, aside), file=sys.stderr)
    if summary.bad:
        raise typer.Exit(1)


def _rate(
    source: str,
    out: str,
    aside: Path,
    prices: Mapping[str, list[PriceVersion]],
    *,
    quiet: bool,
) -> Summary:
    from billing.batch import BatchRater

    with ExitStack() as stack:
        taken = sys.stdin.buffer if source == STANDARD else stack.enter_context(_opened(source))
        bad = _BadRows(aside, stack)
        rater = BatchRater(taken, prices, bad=bad.add)
        # The header is proved before anything is made.
        header = rater.header()
        if out == STANDARD:
            written: TextIO = sys.stdout
        else:
            written = stack.enter_context(_whole(Path(out)))
        size = 0 if source == STANDARD else os.fstat(taken.fileno()).st_size
        written.write(header)
        _write(rater, written, size=0 if quiet else size)
        written.flush()
    if not rater.summary.bad:
        aside.unlink(missing_ok=True)
    return rater.summary


def _write(rater: BatchRater, written: TextIO, *, size: int) -> None:
    if not size or not sys.stderr.isatty():
        written.writelines(rater.blocks())
        return
    with typer.progressbar(length=size, label="rating", file=sys.stderr) as bar:
        shown = 0
        for text in rater.blocks():
            written.write(text)
            bar.update(rater.bytes_read - shown)
            shown = rater.bytes_read


def _opened(path: str) -> BinaryIO:
    return Path(path).open("rb")


@contextmanager
def _whole(path: Path) -> Iterator[TextIO]:
    """Write beside, and give the name only when all is written: nobody sees half a file."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


class _BadRows:
    """The side file; it is made with the first bad row."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self._path = path
        self._stack = stack
        self._writer: Any = None  # Any: csv has no name for its writers

    def add(self, row: BadRow) -> None:
        if self._writer is None:
            self._writer = csv.writer(self._stack.enter_context(_whole(self._path)))
            self._writer.writerow(("row", "column", "reason", "text"))
        self._writer.writerow((row.line, row.column, row.reason, row.text))


def _prices(catalog: Path | None) -> dict[str, list[PriceVersion]]:
    if catalog is None:
        return context.run(_stored(context.settings()))
    from billing.batch_prices import PriceVersion
    from ivr.cli.catalog import read

    return {
        tariff.name: [PriceVersion(number=0, tariff=tariff)]
        for tariff in read(catalog, json=False).tariffs
    }


async def _stored(settings: Settings) -> dict[str, list[PriceVersion]]:
    from sqlalchemy import select

    from billing.batch_prices import PriceVersion
    from billing.domain.tariffs import Tariff
    from billing.storage.tables import tariff_versions
    from ivr.cli.database import database

    async with database(settings) as engine, engine.connect() as connection:
        rows = (await connection.execute(select(tariff_versions))).all()
    found: dict[str, list[PriceVersion]] = {}
    for row in rows:
        version = PriceVersion(
            number=row.version, tariff=Tariff.from_json(row.body), in_force_us=row.in_force_us
        )
        found.setdefault(row.name, []).append(version)
    return found


def _document(summary: Summary, aside: Path) -> dict[str, object]:
    return {
        "rows": summary.rows,
        "rated": summary.rated,
        "bad": summary.bad,
        "errors": str(aside) if summary.bad else None,
        "billed_seconds": sum(total.billed_seconds for total in summary.totals.values()),
        "totals": [
            {
                "currency": currency,
                "rows": total.rows,
                "billed_seconds": total.billed_seconds,
                "cost": format_amount(total.cost),
            }
            for currency, total in sorted(summary.totals.items())
        ],
    }


def _sentence(summary: Summary, aside: Path) -> str:
    costs = ", ".join(
        f"{format_amount(total.cost)} {currency}"
        for currency, total in sorted(summary.totals.items())
    )
    text = f"{summary.rated} of {summary.rows} rows rated: {costs or 'nothing'}"
    return f"{text}; {summary.bad} bad, see {aside}" if summary.bad else text
