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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from billing.batch_prices import Answer, Prices, PriceVersion
from billing.batch_rows import ROW, Refused, begun_seconds, cells_of, moment_in
from billing.errors import InvalidInput
from billing.money import Micros

NEEDED: Final = ("id", "tariff", "seconds", "started_at")
ADDED: Final = ("billed_seconds", "cost", "currency", "tariff_version")
BLOCK_BYTES: Final = 1 << 18
LINE_BYTES_MAX: Final = 1 << 16
SHOWN_MAX: Final = 1_000
MEMO_MAX: Final = 50_000
TEXTS_MAX: Final = 40_000
_CAREFUL = re.compile('[\0\r"]')


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
        self._prices = {name: Prices(versions) for name, versions in prices.items() if versions}
        self._timeless = {
            name: prices.by_text for name, prices in self._prices.items() if prices.timeless
        }
        self._bad = bad
        self._zones = {"": "UTC"}
        self._columns: dict[str, int] = {}
        self._line = 1
        self._slow = 0
        self._texts = 0

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
                if found is None and known is not None:
                    found = self._kept(cells[tariff], cells[seconds])
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

    def _kept(self, tariff: str, text: str) -> Answer | None:
        """Find the answer for a text that was not asked before; None: the long way is needed."""
        prices = self._prices[tariff]
        try:
            found = prices.kept(begun_seconds(text))
        except Refused:
            return None
        if found is not None:
            self._remember(prices, text, found)
        return found

    def _remember(self, prices: Prices, text: str, found: Answer) -> None:
        if self._texts < TEXTS_MAX:
            self._texts += 1
            prices.by_text[text] = found

    def _careful(self, block: bytes) -> str:
        """Rate lines of which some have quotes, controls or a wrong encoding."""
        written: list[str] = []
        lines = block.removesuffix(b"\n").split(b"\n")
        for number, raw in enumerate(lines, self._line + 1):
            line = raw.removesuffix(b"\r")
            try:
                if len(line) > LINE_BYTES_MAX:
                    raise Refused(ROW, f"longer than {LINE_BYTES_MAX} bytes")
                text = _decoded(line)
            except Refused as refused:
                shown = line[:SHOWN_MAX].decode(errors="backslashreplace")
                self._refuse(number, shown, refused)
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

    def _rate(self, line: str) -> Answer:
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
            self._remember(prices, text, found)
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
        self._slow = self._texts = 0
        for prices in self._prices.values():
            for found in prices.take_answers():
                self._add(found)

    def _add(self, found: Answer) -> None:
        total = self.summary.totals.setdefault(found.currency, Total())
        total.rows += found.rows
        total.billed_seconds += found.rows * found.billed_seconds
        total.cost += found.rows * found.cost
        found.rows = 0


def _decoded(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise Refused(ROW, f"not UTF-8 at byte {error.start + 1}") from None
