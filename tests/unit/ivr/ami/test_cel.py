"""The channel event log: whatever state the file is in, what was written is read, and only that."""
# ruff: noqa: ASYNC240 - the file under test is tiny, and the test has nothing else to do

from __future__ import annotations

import asyncio
import itertools
import os
import tempfile
import threading
from pathlib import Path
from typing import Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.ami.cel import CelFile
from ivr.telephony import SwitchUnavailable, TalkRecord

SECOND = 1_000_000
BASE = 1_700_000_000
CALL = "1700000000.7"
OTHER = "1700000000.9"
BRIDGE = "0f5c7a52-0d3b-4f2e-9c43-2d2f6f0f6a11"
NOTHING = TalkRecord(started_us=None, ended_us=None, over=False)


def row(
    kind: str, second: float, *, channel: str = "caller", call: str = CALL, extra: str = BRIDGE
) -> str:
    """One line as cel_custom writes it, `second` seconds after the base."""
    uniqueid = call if channel == "caller" else f"{call}1"
    stamp = f"{BASE + second:.6f}"
    return ",".join(f'"{value}"' for value in (kind, stamp, uniqueid, call, channel, extra)) + "\n"


def talk(
    call: str = CALL, *, start: float = 10, end: float = 15, bridge: str = BRIDGE
) -> list[str]:
    """All that a call of two leaves, in Asterisk's own order."""
    return [
        row("CHAN_START", start - 9, call=call, extra=""),
        row("ANSWER", start - 8, call=call, extra=""),
        row("BRIDGE_ENTER", start - 0.002, channel="agent", call=call, extra=bridge),
        row("BRIDGE_ENTER", start, call=call, extra=bridge),
        row("BRIDGE_EXIT", end, channel="agent", call=call, extra=bridge),
        row("BRIDGE_EXIT", end + 0.001, call=call, extra=bridge),
        row("HANGUP", end + 2, call=call, extra=""),
        row("CHAN_END", end + 2, call=call, extra=""),
    ]


def talked(start: float, end: float | None, *, over: bool) -> TalkRecord:
    return TalkRecord(
        started_us=round((BASE + start) * SECOND),
        ended_us=None if end is None else round((BASE + end) * SECOND),
        over=over,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "cel.csv"
    path.write_bytes(b"")
    return path


async def read(cel: CelFile, call: str = CALL) -> TalkRecord:
    return await cel.of(uniqueid=call, since_us=0)


def append(path: Path, *rows: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.writelines(rows)


async def test_talk_lasts_from_the_later_entry_to_the_first_exit(path: Path) -> None:
    append(path, *talk())

    assert await read(CelFile(path)) == talked(10, 15, over=True)


async def test_one_party_in_a_bridge_is_no_talk(path: Path) -> None:
    append(path, row("BRIDGE_ENTER", 1), row("BRIDGE_EXIT", 9))

    assert await read(CelFile(path)) == NOTHING


async def test_a_talk_that_goes_on_has_a_start_and_no_end(path: Path) -> None:
    append(path, *talk()[:4])

    assert await read(CelFile(path)) == talked(10, None, over=False)


async def test_an_agent_who_hangs_up_does_not_end_the_call(path: Path) -> None:
    append(path, *talk()[:5], row("HANGUP", 15, channel="agent", extra=""))

    assert await read(CelFile(path)) == talked(10, 15, over=False)


async def test_what_is_appended_later_is_found_later(path: Path) -> None:
    cel = CelFile(path)
    found = []
    for line in talk():
        append(path, line)
        found.append(await read(cel))

    assert found[2] == NOTHING
    assert found[3] == talked(10, None, over=False)
    assert found[4] == talked(10, 15, over=False)
    assert found[-1] == talked(10, 15, over=True)


async def test_half_a_line_is_read_when_it_is_whole(path: Path) -> None:
    lines = talk()
    cel = CelFile(path)
    append(path, *lines[:3], lines[3][:40])
    before = await read(cel)

    append(path, lines[3][40:])
    after = await read(cel)

    assert (before, after) == (NOTHING, talked(10, None, over=False))


async def test_a_log_that_grows_byte_by_byte_says_the_same_in_the_end(path: Path) -> None:
    cel = CelFile(path)
    text = "".join(talk())
    for start in range(0, len(text), 7):
        append(path, text[start : start + 7])
        await read(cel)

    assert await read(cel) == talked(10, 15, over=True)


async def test_a_line_torn_by_a_crash_costs_itself_and_nothing_after_it(path: Path) -> None:
    lines = talk()
    append(path, *lines[:3], '"BRIDGE_ENTER","1700000000.0000\n', *lines[3:])

    assert await read(CelFile(path)) == talked(10, 15, over=True)


@pytest.mark.parametrize(
    "junk",
    [
        pytest.param(b'"a\rb",c\n', id="a carriage return"),
        pytest.param(b"a\rb,c\n", id="a bare carriage return"),
        pytest.param(b"\0\0\0\0\n", id="nulls"),
        pytest.param(b"\xff\xfe" * 40 + b"\n", id="no utf-8"),
        pytest.param(b'"' + b"x" * 200_000 + b'"\n', id="a long field"),
        pytest.param(b",,,,,,,,,,\n\n", id="empty fields"),
        pytest.param(b'"BRIDGE_ENTER","soon","1","1700000000.7","x","y"\n', id="no time"),
    ],
)
async def test_junk_between_the_lines_costs_nothing(path: Path, junk: bytes) -> None:
    path.write_bytes(junk + "".join(talk()[:4]).encode() + junk)
    append(path, *talk()[4:])

    assert await read(CelFile(path)) == talked(10, 15, over=True)


async def test_a_line_that_stands_twice_counts_once(path: Path) -> None:
    lines = talk()
    append(path, *(line for line in lines for _ in range(2)), *lines)

    assert await read(CelFile(path)) == talked(10, 15, over=True)


async def test_a_party_that_enters_twice_is_not_two_parties(path: Path) -> None:
    append(path, row("BRIDGE_ENTER", 1), row("BRIDGE_ENTER", 2), row("BRIDGE_EXIT", 3))

    assert await read(CelFile(path)) == NOTHING


@given(st.permutations(talk()))
def test_the_order_of_the_lines_does_not_matter(lines: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cel.csv"
        append(path, *lines)

        found = asyncio.run(read(CelFile(path)))

    assert found == talked(10, 15, over=True)


async def test_two_calls_in_one_log_are_kept_apart(path: Path) -> None:
    second = "1b5c7a52-0d3b-4f2e-9c43-2d2f6f0f6a22"
    pairs = zip(talk(), talk(OTHER, start=11, end=30, bridge=second), strict=True)
    append(path, *itertools.chain.from_iterable(pairs))
    cel = CelFile(path)

    assert await read(cel) == talked(10, 15, over=True)
    assert await read(cel, OTHER) == talked(11, 30, over=True)
    assert await read(cel, "1700000000.1") == NOTHING


async def test_the_first_of_two_talks_of_a_call_is_the_record(path: Path) -> None:
    again = "2c5c7a52-0d3b-4f2e-9c43-2d2f6f0f6a33"
    append(path, *talk(start=100, end=200, bridge=again)[2:6], *talk())

    assert await read(CelFile(path)) == talked(10, 15, over=True)


async def test_a_log_that_was_rotated_goes_on_in_the_new_file(path: Path) -> None:
    append(path, *talk()[:4])
    cel = CelFile(path)
    await read(cel)

    path.rename(path.with_suffix(".1"))
    append(path, *talk()[4:])

    assert await read(cel) == talked(10, 15, over=True)


async def test_what_was_written_between_the_last_look_and_the_rotation_is_found(path: Path) -> None:
    append(path, *talk()[:2])
    cel = CelFile(path)
    await read(cel)

    append(path, *talk()[2:5])
    path.rename(path.with_name("cel.csv.1"))
    append(path, *talk()[5:])

    assert await read(cel) == talked(10, 15, over=True)


async def test_a_call_from_before_our_start_is_looked_for_behind_many_others(path: Path) -> None:
    append(path, *talk())
    path.rename(path.with_name("cel.csv.1"))
    append(path, *(line for number in range(500) for line in talk(f"1700000001.{number}")))
    cel = CelFile(path, first_bytes=4_096)

    assert await read(cel) == talked(10, 15, over=True)
    assert await read(cel, "1700000001.0") == talked(10, 15, over=True)


async def test_what_is_kept_is_bounded_and_what_was_let_go_is_found_again(path: Path) -> None:
    cel = CelFile(path, calls_max=10)
    calls = [f"1700000001.{number}" for number in range(200)]
    for call in calls:
        append(path, *talk(call))
        await read(cel, call)

    found = [await read(cel, call) for call in calls]

    assert set(found) == {talked(10, 15, over=True)}
    assert len(cel._calls) <= 10


async def test_a_log_that_was_emptied_is_read_from_its_new_beginning(path: Path) -> None:
    append(path, *talk()[:4], *talk(OTHER))
    cel = CelFile(path)
    await read(cel)

    os.truncate(path, 0)
    append(path, *talk()[4:])

    assert await read(cel) == talked(10, 15, over=True)


async def test_half_a_line_of_the_old_file_does_not_spoil_the_new_one(path: Path) -> None:
    append(path, *talk()[:3], '"BRIDGE_ENTER","17')
    cel = CelFile(path)
    await read(cel)

    path.rename(path.with_suffix(".1"))
    append(path, *talk()[3:])

    assert await read(cel) == talked(10, 15, over=True)


async def test_a_log_that_cannot_be_read_says_so_and_is_no_empty_answer(tmp_path: Path) -> None:
    folder = tmp_path / "cel.csv"
    folder.mkdir()

    with pytest.raises(SwitchUnavailable):
        await read(CelFile(folder))


async def test_a_log_that_begins_later_is_read_then(tmp_path: Path) -> None:
    path = tmp_path / "cel.csv"
    cel = CelFile(path)
    before = await read(cel)

    append(path, *talk())
    after = await read(cel)

    assert (before, after) == (NOTHING, talked(10, 15, over=True))


class BusyPath(type(Path())):  # type: ignore[misc]  # the concrete path of this system
    """A file whose first reader stands still inside until it is let go."""

    def prepare(self) -> Self:
        self.readers = 0
        self.first_inside, self.second_inside = threading.Event(), threading.Event()
        self.let_go = threading.Event()
        return self

    def open(self, *arguments: Any, **options: Any) -> Any:  # Any: hands all on to Path.open
        self.readers += 1
        if self.readers == 1:
            self.first_inside.set()
            assert self.let_go.wait(10)
        else:
            self.second_inside.set()
        return super().open(*arguments, **options)


async def test_a_reader_that_is_cancelled_goes_on_alone_in_its_thread(path: Path) -> None:
    append(path, *talk())
    busy = BusyPath(path).prepare()
    cel = CelFile(busy)
    first = asyncio.create_task(read(cel))
    await asyncio.to_thread(busy.first_inside.wait, 10)

    first.cancel()
    second = asyncio.create_task(read(cel))
    both_inside = await asyncio.to_thread(busy.second_inside.wait, 0.1)
    busy.let_go.set()
    found = await second

    assert not both_inside
    assert found == talked(10, 15, over=True)
