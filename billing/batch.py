"""Rate a file of usage, row by row, in constant memory.

    in       a header, then one row per line: id, tariff, seconds, started_at, timezone if wanted
    out      each row as it was, and what it costs
    bad      a row that cannot be rated is told apart with its reason; the others go on

A line is a row: a quoted cell ends on its own line, so that a quote that is never closed spoils
one row and not the rest of the file. Work goes in blocks, and a cost is formatted once for
all the rows that ask for the same tariff and the same seconds: both are for speed.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from billing.batch_rows import ROW, Refused, begun_seconds, cells_of, moment_in
from billing.clock import microseconds_of
from billing.domain.rating import RateTable
from billing.domain.tariffs import Tariff
from billing.errors import InvalidInput
from billing.money import Micros, format_amount

NEEDED: Final = ("id", "tariff", "seconds", "started_at")
ADDED: Final = ("billed_seconds", "cost", "currency", "tariff_version")
BLOCK_BYTES: Final = 1 << 20
LINE_BYTES_MAX: Final = 1 << 16
SHOWN_MAX: Final = 1_000
MEMO_MAX: Final = 50_000
TABLES_MAX: Final = 500
_CAREFUL = re.compile('[\0\r"]')


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceVersion:
    """A version of a tariff; `in_force_us` is None where it holds at any time."""

    number: int
    tariff: Tariff
    in_force_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A row that was not rated: its line in the file, the column at fault, why, and its text."""

    line: int
    column: str
    reason: str
    text: str


@dataclass(slots=True, kw_only=True)
class Total:
    """What the rows of one currency come to."""

    rows: int = 0
    billed_seconds: int = 0
    cost: Micros = 0


@dataclass(slots=True, kw_only=True)
class Summary:
    """What was read, and what it came to per currency."""

    rows: int = 0
    bad: int = 0
    totals: dict[str, Total] = field(default_factory=dict)

    @property
    def rated(self) -> int:
        """Rows with a cost."""
        return self.rows - self.bad


@dataclass(slots=True, kw_only=True)
class _Answer:
    """What is written behind a row, and how many rows got it since they were counted."""

    tail: str
    billed_seconds: int
    cost: Micros
    currency: str
    rows: int = 0


class _Prices:
    """The versions of one tariff, and the answers that they gave."""

    __slots__ = ("_answers", "_begins", "_tables", "_versions", "by_text", "timeless")

    def __init__(self, versions: Sequence[PriceVersion]) -> None:
        self._versions = sorted(versions, key=lambda version: version.in_force_us or 0)
        self._begins = [version.in_force_us or 0 for version in self._versions]
        only = self._versions[0]
        self.timeless = (
            len(self._versions) == 1 and only.in_force_us is None and not only.tariff.periods
        )
        self.by_text: dict[str, _Answer] = {}
        self._answers: dict[tuple[int, int], _Answer] = {}
        self._tables: dict[tuple[int, datetime, str], RateTable] = {}

    def answer(self, seconds: int, moment: datetime | None, zone: str) -> _Answer:
        """Rate so many begun seconds, or refuse for want of a moment."""
        version = self._version(moment)
        if not version.tariff.periods:
            key = (version.number, seconds)
            if key not in self._answers:
                self._answers[key] = _answer(RateTable.compile(version.tariff), version, seconds)
            return self._answers[key]
        if moment is None:
            raise Refused("started_at", "needed: the price depends on the hour")
        return _answer(self._table(version, moment, zone), version, seconds)

    def take_answers(self) -> Iterator[_Answer]:
        """Hand out all kept answers and forget them."""
        yield from self._answers.values()
        self._answers.clear()
        self.by_text.clear()

    def _version(self, moment: datetime | None) -> PriceVersion:
        if moment is None:
            if len(self._versions) > 1:
                raise Refused("started_at", "needed: the tariff has more than one version")
            return self._versions[0]
        place = bisect_right(self._begins, microseconds_of(moment)) - 1
        if self._versions[0].in_force_us is None:
            place = max(place, 0)
        if place < 0:
            raise Refused("started_at", "before the first version of the tariff")
        return self._versions[place]

    def _table(self, version: PriceVersion, moment: datetime, zone: str) -> RateTable:
        key = (version.number, moment, zone)
        found = self._tables.get(key)
        if found is None:
            if len(self._tables) >= TABLES_MAX:
                self._tables.clear()
            found = RateTable.compile(version.tariff, started_at=moment, timezone=zone)
            self._tables[key] = found
        return found


class BatchRater:
    """Rates one file: `header` first, then `blocks` until the end."""

    def __init__(
        self,
        source: BinaryIO,
        prices: Mapping[str, Sequence[PriceVersion]],
        *,
        bad: Callable[[BadRow], None],
    ) -> None:
        """Prepare to rate.

        Args:
            source: A stream of bytes, UTF-8.
            prices: The versions of each tariff by its name.
            bad: Is told every row that cannot be rated.

        """
        self.summary = Summary()
        self.bytes_read = 0
        self._source = source
        self._prices = {name: _Prices(versions) for name, versions in prices.items() if versions}
        self._timeless = {
            name: prices.by_text for name, prices in self._prices.items() if prices.timeless
        }
        self._bad = bad
        self._zones = {"": "UTC"}
        self._columns: dict[str, int] = {}
        self._line = 1
        self._slow = 0

    def header(self) -> str:
        """Read the header and return that of the output.

        Raises:
            InvalidInput: a column is missing, is there twice, or would be written over.

        """
        raw = self._source.readline(LINE_BYTES_MAX)
        self.bytes_read += len(raw)
        if len(raw) == LINE_BYTES_MAX:
            raise InvalidInput(reason=f"row 1: a header longer than {LINE_BYTES_MAX} bytes")
        try:
            text = raw.decode("utf-8-sig").rstrip("\r\n")
            names = cells_of(text)
        except (UnicodeDecodeError, Refused) as error:
            raise InvalidInput(reason=f"row 1: no header can be read: {error}") from None
        for name in names:
            if names.count(name) > 1:
                raise InvalidInput(reason=f"row 1: the column {name[:80]!r} is there twice")
            if name in ADDED:
                raise InvalidInput(reason=f"row 1: the column {name!r} would be written over")
        for name in NEEDED:
            if name not in names:
                raise InvalidInput(reason=f"row 1: the column {name!r} is missing")
        self._columns = {name: place for place, name in enumerate(names)}
        return ",".join((text, *ADDED)) + "\n"

    def blocks(self) -> Iterator[str]:
        """Rate what follows the header; each item is text to be written."""
        for block in self._read():
            try:
                text = block.decode().replace("\r\n", "\n")
            except UnicodeDecodeError:
                text = None
            if text is not None and _CAREFUL.search(text) is None:
                lines = text.split("\n")
                if not lines[-1]:
                    lines.pop()
                bytes_each = 1 if text.isascii() else 4
                if max(map(len, lines), default=0) * bytes_each <= LINE_BYTES_MAX:
                    yield self._fast(lines)
                    continue
            yield self._careful(block)
        self._count()

    def _read(self) -> Iterator[bytes]:
        """Read whole lines; of one that never ends only its beginning is kept."""
        rest = b""
        while piece := self._source.read(BLOCK_BYTES):
            self.bytes_read += len(piece)
            head, newline, tail = piece.rpartition(b"\n")
            if newline:
                yield rest + head + newline
                rest = tail
            else:
                rest += piece
            # One byte more than a line may have: so it is known as too long.
            rest = rest[: LINE_BYTES_MAX + 1]
        if rest:
            yield rest

    def _fast(self, lines: list[str]) -> str:
        """Rate lines without a quote or a control: a row is what is between commas."""
        tariff, seconds = self._columns["tariff"], self._columns["seconds"]
        started_at, zone = self._columns["started_at"], self._columns.get("timezone")
        width, timeless, zones = len(self._columns), self._timeless, self._zones
        parse = datetime.fromisoformat
        written: list[str] = []
        add = written.append
        for number, line in enumerate(lines, self._line + 1):
            cells = line.split(",")
            if len(cells) == width and (zone is None or cells[zone] in zones):
                known = timeless.get(cells[tariff])
                found = None if known is None else known.get(cells[seconds])
                if found is not None:
                    moment = cells[started_at]
                    try:
                        fine = not moment or parse(moment).tzinfo is not None
                    except ValueError:
                        fine = False
                    if fine:
                        found.rows += 1
                        add(line + found.tail)
                        continue
            self._row(number, line, add)
        self._line += len(lines)
        self.summary.rows += len(lines)
        return "".join(written)

    def _careful(self, block: bytes) -> str:
        """Rate lines of which some have quotes, controls or a wrong encoding."""
        written: list[str] = []
        lines = block.removesuffix(b"\n").split(b"\n")
        for number, raw in enumerate(lines, self._line + 1):
            line = raw.removesuffix(b"\r")
            shown = line[:SHOWN_MAX].decode(errors="backslashreplace")
            if len(line) > LINE_BYTES_MAX:
                reason = f"longer than {LINE_BYTES_MAX} bytes"
                self._refuse(number, shown, Refused(ROW, reason))
                continue
            try:
                text = line.decode()
            except UnicodeDecodeError as error:
                reason = f"not UTF-8 at byte {error.start + 1}"
                self._refuse(number, shown, Refused(ROW, reason))
                continue
            self._row(number, text, written.append)
        self._line += len(lines)
        self.summary.rows += len(lines)
        return "".join(written)

    def _row(self, number: int, line: str, add: Callable[[str], None]) -> None:
        try:
            found = self._rate(line)
        except Refused as refused:
            self._refuse(number, line, refused)
            return
        found.rows += 1
        add(line + found.tail)
        self._slow += 1
        self._add(found)
        if self._slow >= MEMO_MAX:
            self._count()

    def _rate(self, line: str) -> _Answer:
        cells = cells_of(line)
        columns = self._columns
        if len(cells) != len(columns):
            raise Refused(ROW, f"{len(cells)} columns where the header has {len(columns)}")
        name = cells[columns["tariff"]]
        prices = self._prices.get(name)
        if prices is None:
            raise Refused("tariff", f"there is no tariff {name[:80]!r}")
        text = cells[columns["seconds"]]
        seconds = begun_seconds(text)
        moment = moment_in(cells[columns["started_at"]])
        zone = self._zone(cells[columns["timezone"]]) if "timezone" in columns else "UTC"
        try:
            found = prices.answer(seconds, moment, zone)
        except (OverflowError, ValueError):
            raise Refused("started_at", "outside the calendar") from None
        if prices.timeless:
            prices.by_text[text] = found
        return found

    def _zone(self, name: str) -> str:
        if name not in self._zones:
            try:
                ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                raise Refused("timezone", "write a time zone such as Europe/Vilnius") from None
            self._zones[name] = name
        return self._zones[name]

    def _refuse(self, number: int, text: str, refused: Refused) -> None:
        self.summary.bad += 1
        shown = text[:SHOWN_MAX]
        self._bad(
            BadRow(line=number, column=refused.column, reason=refused.reason, text=shown),
        )

    def _count(self) -> None:
        """Add up and forget what was kept, so that memory stays the same."""
        self._slow = 0
        for prices in self._prices.values():
            for found in prices.take_answers():
                self._add(found)

    def _add(self, found: _Answer) -> None:
        total = self.summary.totals.setdefault(found.currency, Total())
        total.rows += found.rows
        total.billed_seconds += found.rows * found.billed_seconds
        total.cost += found.rows * found.cost
        found.rows = 0


def _answer(table: RateTable, version: PriceVersion, seconds: int) -> _Answer:
    charge = table.charge(seconds)
    words = (
        str(charge.billed_seconds),
        format_amount(charge.cost),
        charge.currency,
        str(version.number),
    )
    return _Answer(
        tail="," + ",".join(words) + "\n",
        billed_seconds=charge.billed_seconds,
        cost=charge.cost,
        currency=charge.currency,
    )
