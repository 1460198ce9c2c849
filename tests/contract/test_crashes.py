"""The writer is killed at the worst moments; asking again with the same key makes it right."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.domain.operations import (
    AccountRef,
    Operation,
    Post,
    Posted,
    PostedEntry,
    SessionResult,
    Settle,
)
from billing.domain.splits import split
from billing.money import parse_amount
from billing.storage.engine import create
from billing.storage.ledger import Outcome
from billing.storage.statements import Steps
from billing.storage.writer import GroupWriter, _steps, _Waiting
from tests.books import SHARES, flat, open_desk

ROOT = Path(__file__).parent.parent.parent
ALICE = AccountRef(kind="caller", code="alice", currency="USD")
FUNDING = AccountRef(kind="funding", code="funding", currency="USD")
COST = parse_amount("0.10")
OPERATIONS: tuple[Operation, ...] = (
    Settle(
        hold_id="s1", account=ALICE, transfer_id="t1", amount=COST, parts=split(COST, SHARES),
        at_us=2,
        result=SessionResult(
            started_us=1, ended_us=2, talk_us=10_000_000, billed_seconds=10, evidence="ami"
        ),
    ),
    Post(
        key="k", transfer_id="t2", kind="top_up", at_us=2,
        entries=(
            PostedEntry(account=ALICE, amount=parse_amount("5")),
            PostedEntry(account=FUNDING, amount=-parse_amount("5")),
        ),
    ),
)  # fmt: skip


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DiesBeforeCommit(GroupWriter):
    async def _commit(self, waiting):
        def steps() -> Steps[list[Outcome | None]]:
            outcomes = yield from _steps(waiting)
            die()
            return outcomes

        return await self._line.transact(steps())


class DiesBeforeReply(GroupWriter):
    async def _commit(self, waiting: list[_Waiting]):
        await super()._commit(waiting)
        die()


async def submit_and_die(url: str, writer_class: type[GroupWriter]) -> None:
    async with writer_class(create(url)) as writer:
        await asyncio.gather(*(writer.submit(operation) for operation in OPERATIONS))


@pytest.mark.parametrize("writer_class", [DiesBeforeCommit, DiesBeforeReply])
async def test_a_writer_killed_at_a_commit_books_once_when_asked_again(
    engine: AsyncEngine,
    database_url: str,
    tmp_path: Path,
    writer_class: type[GroupWriter],
) -> None:
    async with open_desk(engine, tmp_path) as desk:
        await desk.caller("alice", "20")
        terms = await desk.terms("s1", "alice", flat("0.60"))
        await desk.charging.open(terms, slice_seconds=15, expires_seconds=60)

        program = (
            "import asyncio, sys; from tests.contract import test_crashes as crashes; "
            "asyncio.run(crashes.submit_and_die(sys.argv[1], getattr(crashes, sys.argv[2])))"
        )
        died = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", program, database_url, writer_class.__name__],
            cwd=ROOT, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        survived = await desk.proved()
        _, posted = await asyncio.gather(*(desk.writer.submit(item) for item in OPERATIONS))

        assert (died.returncode, died.stderr) == (-signal.SIGKILL, "")
        assert survived
        assert isinstance(posted, Posted)
        assert posted.replayed == (writer_class is DiesBeforeReply)
        assert await desk.spendable("alice") == parse_amount("24.90")
        assert await desk.proved()
