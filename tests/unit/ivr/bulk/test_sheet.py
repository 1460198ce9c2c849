"""Tables that strangers send: letters, delimiters, limits, and cells that compute."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.bulk.catalogs import fates_of
from ivr.bulk.fates import Change, Fate, counted, fates_from_json, fates_json
from ivr.bulk.sheet import ROWS_MAX, SheetRefused, read_sheet, write_sheet
from ivr.directory.rows import Applied
from ivr.spreadsheet import harmless, plain

KNOWN = ("account", "amount", "note")


def _read(body: bytes) -> list[dict[str, str]]:
    return [dict(row) for _, row in read_sheet(body, known=KNOWN, needed=("account",)).rows]


@pytest.mark.parametrize(
    "body",
    [
        b"account,note\nalice,caf\xc3\xa9\n",
        b"\xef\xbb\xbfaccount;note\r\nalice;caf\xc3\xa9\r\n",
        b"Account\tNote\nalice\tcaf\xe9\n",
        b"\n\naccount,note\n\nalice,caf\xc3\xa9\n,,\n",
    ],
)
def test_letters_marks_delimiters_and_empty_lines_make_no_difference(body: bytes):
    assert _read(body) == [{"account": "alice", "note": "café"}]


def test_rows_know_the_lines_that_they_begin_on():
    body = b'account,note\n\nalice,"two\nlines"\nbob,x\n'

    sheet = read_sheet(body, known=KNOWN, needed=())

    assert [line for line, _ in sheet.rows] == [3, 5]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "empty"),
        (b"PK\x03\x04rest", "not a text file"),
        (b"account\n\x00", "not a text file"),
        (b"account,secret\nx,y\n", "no column 'secret'"),
        (b"amount\n1\n", "'account' is missing"),
        (b"account,account\nx,y\n", "twice"),
        (b"account\n", "no rows"),
        (b"account\nx,y\n", "more cells"),
        (b"account\n" + b"x" * 1_001, "more than 1,000 characters"),
        (b'account\n"x', "not CSV"),
        (b"account\n" + b"x\n" * (ROWS_MAX + 1), "more than 10,000 rows"),
        (b"account\n\x81\x8d", "neither UTF-8"),
        (b"x" * 4_000_001, "more than 4 MB"),
    ],
)
def test_what_is_no_such_table_is_refused_with_a_reason(body: bytes, why: str):
    with pytest.raises(SheetRefused, match=why):
        _read(body)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)))
def test_what_is_written_is_never_a_formula_and_reads_back_the_same(cells: list[str]):
    cells = [" ".join(cell.split()) for cell in cells]
    kept = [cell for cell in cells if cell and not cell.startswith("'")]
    if not kept:
        return

    body = write_sheet([("note", "account"), *((cell, "a") for cell in kept)])

    assert [row["note"] for row in _read(body)] == kept
    assert all(plain(harmless(cell)) == cell for cell in kept)


def test_fates_survive_the_database_and_differ_by_their_tokens():
    change = Change(field="f", before="1", after="2")
    fates = [
        Fate(line=2, subject="a", what="changed", changes=(change,)),
        Fate(line=3, subject="b", what="refused", column="c", reason="r"),
    ]  # fmt: skip

    assert fates_from_json(fates_json(fates)) == fates
    assert counted(fates) == {"new": 0, "changed": 1, "unchanged": 0, "refused": 1}
    assert fates[0].token != fates[1].token


def test_a_catalog_tells_each_field_that_changes_but_no_hash():
    applied = Applied()
    applied.note("DID 1", before=({"tariff": "a", "rules": '{"x": 1}'}, []),
                 after=({"tariff": "b", "rules": '{"x": 2}'}, []))  # fmt: skip
    applied.note("PIN of a", before=None, after={"pin_hash": "scrypt-1$abc"})

    new, changed = fates_of(applied)

    assert [(c.field, c.before, c.after) for c in changed.changes] == [
        ("rules.x", "1", "2"), ("tariff", "a", "b"),
    ]  # fmt: skip
    assert "scrypt" not in str(new)
