"""A sheet holds what the page shows: numbers as numbers, and no text that a program would run."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import UTC, datetime

from billing.documents import Issuer
from ivr.web import grid
from ivr.web.grid import Grid
from ivr.web.sheets import file_of, workbook

NOW = datetime(2026, 11, 2, 10, 0, tzinfo=UTC)
MARKS = ("=1+1", "+1", "-1", "@x", "https://example.com/")


def _table(rows: int = 1) -> Grid:
    return Grid(
        caption="Revenue",
        titles=("Topic", "Calls", "Billed", "Revenue", "Margin", "When"),
        rows=tuple(
            (
                grid.text(MARKS[number % len(MARKS)]),
                grid.count(1_234),
                grid.seconds(90_061),
                grid.money(5_525_001, "USD"),
                grid.percent(3_025),
                grid.moment(1_793_610_000_000_000),
            )
            for number in range(rows)
        ),
    )


def _parts(body: bytes) -> tuple[str, str]:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
        return sheet, archive.read("xl/sharedStrings.xml").decode()


def test_numbers_of_a_sheet_are_numbers():
    sheet, strings = _parts(workbook(_table(), NOW))

    values = dict(re.findall(r'<c r="([A-Z]+2)"[^>]*><v>([^<]*)</v>', sheet))
    assert values["B2"] == "1234"
    assert values["D2"] == "5.525001"
    assert values["E2"] == "0.3025"
    assert "<t>USD</t>" in strings


def test_no_text_of_a_sheet_is_a_formula_or_a_link():
    sheet, strings = _parts(workbook(_table(len(MARKS)), NOW))

    assert "<f>" not in sheet
    assert "hyperlink" not in sheet
    assert all(f"<t>{mark}</t>" in strings for mark in MARKS)


async def test_a_long_list_is_cut_in_a_document_and_says_so():
    answer = await file_of(
        _table(2_005), "pdf", name="revenue", facts=(), issuer=Issuer(title="T"), now=NOW
    )

    assert answer.headers["Content-Disposition"] == 'attachment; filename="revenue.pdf"'
    assert isinstance(answer.body, bytes)
    assert answer.body.startswith(b"%PDF")
