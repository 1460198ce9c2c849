"""Sound files of calls: rows for what is there, nothing left of what is out of date."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.clock import ManualClock, microseconds_of
from ivr.calls.call import Call
from ivr.calls.mailbox import DAY_US, Mailbox
from ivr.tables import calls, recordings
from ivr.telephony import CallFacts

START = datetime(2026, 3, 4, 12, tzinfo=UTC)
SOUND = bytes(44 + 16_000)
ONE, TWO = (f"00000000-0000-7000-8000-00000000000{number}" for number in (1, 2))


async def _call(engine: AsyncEngine, call_id: str, *, ended_us: int | None = 2) -> None:
    row = {
        "id": call_id, "node": "n", "boot": "b", "channel": "c", "uniqueid": call_id,
        "did": "1800", "client": "acme", "caller": "1555", "state": "ended", "started_us": 1,
        "ended_us": ended_us,
    }  # fmt: skip
    async with engine.begin() as connection:
        await connection.execute(insert(calls), row)


async def _rows(engine: AsyncEngine) -> list[Any]:
    async with engine.connect() as connection:
        return list(await connection.execute(select(recordings).order_by(recordings.c.call)))


def _mailbox(engine: AsyncEngine, folder: Path, clock: ManualClock) -> Mailbox:
    mailbox = Mailbox(engine, folder / "recordings", clock)
    mailbox.open()
    return mailbox


async def test_what_a_call_left_is_kept_as_long_as_its_line_says(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    clock = ManualClock(START)
    mailbox = _mailbox(engine, tmp_path, clock)
    await _call(engine, ONE)
    facts = CallFacts(
        node="n", channel="c", uniqueid="u", did="1800", caller_number="1", caller_name=""
    )
    call = Call(
        id=ONE, facts=facts, boot="b", started_us=1, clock=clock, client="acme", record_days=7
    )
    mailbox.file(ONE, "talk").write_bytes(SOUND)

    await mailbox.keep(call)

    (row,) = await _rows(engine)
    assert (row.call, row.kind, row.client, row.bytes) == (ONE, "talk", "acme", len(SOUND))
    assert row.keep_until_us == microseconds_of(clock.now()) + 7 * DAY_US


async def test_a_file_that_a_crash_left_without_a_row_gets_one_when_its_call_is_over(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    mailbox = _mailbox(engine, tmp_path, ManualClock(START))
    await _call(engine, ONE)
    await _call(engine, TWO, ended_us=None)
    for call_id in (ONE, TWO):
        mailbox.file(call_id, "message").write_bytes(SOUND)
    (tmp_path / "recordings" / "strange.wav").write_bytes(SOUND)

    await mailbox.round()
    await mailbox.round()

    assert [(row.call, row.kind) for row in await _rows(engine)] == [(ONE, "message")]


async def test_what_is_out_of_date_is_gone_with_its_row(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    clock = ManualClock(START)
    mailbox = _mailbox(engine, tmp_path, clock)
    await _call(engine, ONE)
    mailbox.file(ONE, "message").write_bytes(SOUND)
    await mailbox.round()
    clock.advance(29 * 86_400)
    await mailbox.round()
    kept = mailbox.is_there(ONE, "message")
    clock.advance(2 * 86_400)

    await mailbox.round()

    assert kept
    assert not mailbox.file(ONE, "message").exists()
    assert await _rows(engine) == []


async def test_half_a_second_is_nobodys_message(engine: AsyncEngine, tmp_path: Path) -> None:
    mailbox = _mailbox(engine, tmp_path, ManualClock(START))
    await _call(engine, ONE)
    mailbox.file(ONE, "message").write_bytes(bytes(4_000))

    await mailbox.round()

    assert await _rows(engine) == []
