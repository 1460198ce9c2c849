"""Settlements survive a ledger that is away: written down first, booked once when it is back."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from billing.domain.operations import SessionResult, Settle
from billing.domain.sessions import SessionTerms
from billing.domain.splits import split
from billing.errors import LedgerUnavailable
from billing.money import parse_amount
from billing.storage.engine import create
from ivr.migrations import upgrade
from tests.books import Desk, flat, open_desk
from tests.postgres import PostgresServer

TARIFF = flat("0.60")


@pytest.fixture
async def desk(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(engine, tmp_path) as desk:
        await desk.caller("alice", "20")
        yield desk


async def opened(desk: Desk, session_id: str) -> SessionTerms:
    terms = await desk.terms(session_id, "alice", TARIFF)
    await desk.charging.open(terms, slice_seconds=15, expires_seconds=60)
    return terms


def settlement(terms: SessionTerms, seconds: int) -> Settle:
    cost = terms.table.cost(seconds)
    return Settle(
        hold_id=terms.session_id,
        account=terms.payer,
        transfer_id=f"transfer-{terms.session_id}",
        amount=cost,
        parts=split(cost, terms.shares),
        at_us=2,
        result=SessionResult(
            started_us=1, ended_us=2, talk_us=seconds * 1_000_000, billed_seconds=seconds,
            evidence="cel", review=True, note="why",
        ),
    )  # fmt: skip


async def test_what_is_written_down_is_read_back_unchanged(desk: Desk) -> None:
    settle = settlement(await opened(desk, "s1"), 10)

    desk.journal.keep(settle)
    desk.journal.keep(settle)

    assert desk.journal.waiting() == ["s1"]
    assert desk.journal.read("s1") == settle


async def test_a_journalled_session_is_nobody_elses_to_close_and_is_booked_once(
    desk: Desk,
) -> None:
    terms = await opened(desk, "s1")
    desk.journal.keep(settlement(terms, 10))

    left_to_recovery = await desk.charging.open_sessions()
    await desk.charging.replay_once()
    await desk.charging.replay_once()

    assert left_to_recovery == ()
    assert desk.journal.waiting() == []
    assert await desk.spendable("alice") == parse_amount("19.90")
    assert await desk.proved()


async def test_a_settlement_that_was_booked_before_the_crash_is_not_booked_again(
    desk: Desk,
) -> None:
    terms = await opened(desk, "s1")
    await desk.writer.submit(settlement(terms, 10))
    desk.journal.keep(settlement(terms, 10))

    await desk.charging.replay_once()

    assert desk.journal.waiting() == []
    assert await desk.spendable("alice") == parse_amount("19.90")
    assert await desk.proved()


async def test_one_that_cannot_be_booked_is_set_aside_and_does_not_stop_the_others(
    desk: Desk, tmp_path: Path
) -> None:
    voided, good = await opened(desk, "s1"), await opened(desk, "s3")
    await desk.charging.void(voided, note="no talk")
    for terms in (voided, good):
        desk.journal.keep(settlement(terms, 10))
    (tmp_path / "journal" / "s2.settle.json").write_text('{"half": ', encoding="utf-8")

    with capture_logs() as logs:
        await desk.charging.replay_once()

    refused = [(log["session_id"], log["reason"]) for log in logs if "refused" in log["event"]]
    assert refused == [("s1", "HoldAlreadyResolved"), ("s2", "JournalDamaged")]
    assert desk.journal.waiting() == []
    assert sorted(path.name for path in (tmp_path / "journal").iterdir()) == [
        "s1.refused.json", "s2.refused.json",
    ]  # fmt: skip
    assert await desk.spendable("alice") == parse_amount("19.90")
    assert await desk.proved()


@pytest.mark.postgres
async def test_a_session_that_ends_while_the_database_is_down_is_booked_when_it_is_back(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    engine = create(postgres.create(f"journal_{os.getpid()}"))
    await upgrade(engine)
    async with open_desk(engine, tmp_path) as desk:
        await desk.caller("alice", "20")
        terms = await opened(desk, "s1")
        async with postgres.down("fast"):
            settled = await desk.settle(terms, 10, 15)
            await desk.charging.replay_once()
            waiting = desk.journal.waiting()
            with pytest.raises(LedgerUnavailable):
                await desk.charging.balance("alice")
        await desk.charging.replay_once()

        assert (settled.cost, settled.balance_after) == (parse_amount("0.10"), None)
        assert waiting == ["s1"]
        assert desk.journal.waiting() == []
        assert await desk.spendable("alice") == parse_amount("19.90")
        assert await desk.proved()
    await engine.dispose()
