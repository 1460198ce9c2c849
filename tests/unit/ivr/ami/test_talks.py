"""Rows of the channel event log, whole or torn, in any order, and the talk they tell of."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ivr.ami.talks import LINE_BYTES_MAX, Row, record_of, row_of
from ivr.telephony import TalkRecord

CALL = "1700000000.1"
AGENT = "1700000005.2"
BRIDGE = "f208c6e3-5eb0-428c-884d-c5955c481a9c"
OTHER_BRIDGE = "00000000-5eb0-428c-884d-c5955c481a9c"


def line(kind: str = "BRIDGE_ENTER", extra: str = f'{{""bridge_id"":""{BRIDGE}""}}') -> bytes:
    return f'"{kind}","1700000010.000250","{CALL}","{CALL}","PJSIP/trunk-1","{extra}"'.encode()


def row(at_us: int, kind: str, uniqueid: str = CALL, bridge: str = BRIDGE) -> Row:
    return Row(at_us=at_us, kind=kind, uniqueid=uniqueid, linkedid=CALL, bridge=bridge)


TALK = [
    row(10, "BRIDGE_ENTER", AGENT),
    row(11, "BRIDGE_ENTER"),
    row(20, "BRIDGE_EXIT", AGENT),
    row(21, "HANGUP", AGENT, ""),
    row(22, "BRIDGE_EXIT"),
    row(30, "HANGUP", CALL, ""),
]


def read(rows: list[Row], since_us: int = 0, talk: int = 1) -> TalkRecord:
    return record_of(rows, uniqueid=CALL, since_us=since_us, talk=talk)


def test_a_row_carries_the_moment_to_the_microsecond() -> None:
    assert row_of(line()) == Row(
        at_us=1_700_000_010_000_250,
        kind="BRIDGE_ENTER",
        uniqueid=CALL,
        linkedid=CALL,
        bridge=BRIDGE,
    )


def test_a_row_that_follows_a_torn_one_on_its_line_is_read() -> None:
    assert row_of(line()[:25] + line("BRIDGE_EXIT")) == row_of(line("BRIDGE_EXIT"))


def test_rows_that_nobody_needs_and_lines_too_long_are_none() -> None:
    assert row_of(line("CHAN_START", "")) is None
    assert row_of(line(extra="no bridge")) is None
    assert row_of(b"x" * LINE_BYTES_MAX + line()) is None


@given(st.binary(max_size=300), st.integers(0, 200), st.integers(0, 200))
def test_any_bytes_are_a_row_or_none(junk: bytes, start: int, end: int) -> None:
    torn = line()[:start] + junk + line()[end:]

    for text in (junk, torn):
        found = row_of(text)

        assert found is None or found.kind


def test_quotes_without_end_are_read_in_no_time() -> None:
    for junk in (b'"' * LINE_BYTES_MAX, b'"A","' * 1_600, b'""' * 4_000 + b"x"):
        assert row_of(junk[:LINE_BYTES_MAX]) is None


@given(rows=st.permutations(TALK), again=st.lists(st.sampled_from(TALK), max_size=6))
def test_order_and_repetition_change_nothing(rows: list[Row], again: list[Row]) -> None:
    assert read([*rows, *again]) == TalkRecord(started_us=11, ended_us=20, over=True)


@given(st.lists(st.sampled_from(TALK), max_size=6, unique=True))
def test_rows_that_lack_never_make_a_longer_talk_than_was(rows: list[Row]) -> None:
    found = read(rows)

    if found.started_us is None:
        assert found.ended_us is None
    else:
        assert found.started_us == 11
        assert found.ended_us in {None, 20, 22}
        assert found.ended_us != 22 or TALK[2] not in rows


def test_two_others_in_a_bridge_are_no_talk_of_the_caller() -> None:
    rows = [row(10, "BRIDGE_ENTER", AGENT), row(11, "BRIDGE_ENTER", "1700000006.3")]

    assert read(rows) == TalkRecord(started_us=None, ended_us=None, over=False)


def test_the_talk_ends_in_its_own_bridge_only() -> None:
    rows = [
        *TALK[:2],
        row(12, "BRIDGE_ENTER", "1700000006.3", OTHER_BRIDGE),
        row(13, "BRIDGE_EXIT", "1700000006.3", OTHER_BRIDGE),
        *TALK[2:],
    ]

    assert read(rows) == TalkRecord(started_us=11, ended_us=20, over=True)


def test_rows_of_an_earlier_call_with_the_same_id_do_not_count() -> None:
    assert read(TALK, since_us=100) == TalkRecord(started_us=None, ended_us=None, over=False)


PUT_THROUGH = [
    row(10, "BRIDGE_ENTER", AGENT),
    row(11, "BRIDGE_ENTER"),
    row(20, "BRIDGE_EXIT", AGENT),
    row(21, "BRIDGE_EXIT"),
    row(40, "BRIDGE_ENTER", "1700000030.3", OTHER_BRIDGE),
    row(41, "BRIDGE_ENTER", CALL, OTHER_BRIDGE),
    row(50, "BRIDGE_EXIT", "1700000030.3", OTHER_BRIDGE),
    row(52, "BRIDGE_EXIT", CALL, OTHER_BRIDGE),
    row(60, "HANGUP", CALL, ""),
]


def test_each_talk_of_a_call_that_was_put_through_is_found_by_its_number() -> None:
    assert read(PUT_THROUGH) == TalkRecord(started_us=11, ended_us=20, over=True)
    assert read(PUT_THROUGH, talk=2) == TalkRecord(started_us=41, ended_us=50, over=True)
    assert read(PUT_THROUGH, talk=3) == TalkRecord(started_us=None, ended_us=None, over=True)


def test_the_second_talk_is_open_until_somebody_leaves() -> None:
    assert read(PUT_THROUGH[:6], talk=2) == TalkRecord(started_us=41, ended_us=None, over=False)
