"""Re-rating on both databases: the difference is shown, then posted once and split anew."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.domain.operations import AccountRef, Post, PostedEntry
from billing.domain.tariffs import Tariff
from billing.errors import InsufficientFunds, InvalidInput, UnknownTariff
from billing.reports import Span
from billing.rerating import Rerater, Selection
from billing.storage.tables import tariff_versions
from billing.storage.writer import GroupWriter
from tests.books import START, Desk, flat, open_desk

OLD = flat("0.60")
WANTED = Selection(
    span=Span(first=START.date(), last=START.date() + timedelta(days=1)), tariff=OLD.name
)


@pytest.fixture
async def desk(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(engine, tmp_path) as desk:
        await desk.caller("alice", "10")
        await desk.caller("bob", "0.50")
        await talk(desk, "s1", "alice", 100)
        await talk(desk, "s2", "bob", 50)
        yield desk


@pytest.fixture
def rerater(desk: Desk) -> Rerater:
    return Rerater(engine=desk.engine, writer=desk.writer, clock=desk.clock)


async def talk(desk: Desk, name: str, account: str, seconds: int) -> None:
    terms = await desk.terms(name, account, OLD)
    grant = await desk.charging.open(terms, slice_seconds=seconds, expires_seconds=300)
    await desk.settle(terms, seconds, grant.seconds)


async def second_version(desk: Desk, price_per_minute: str) -> None:
    tariff: Tariff = replace(flat(price_per_minute), name=OLD.name)
    row = {
        "name": OLD.name, "version": 2, "currency": "USD", "body": tariff.to_json(),
        "body_hash": "", "in_force_us": 0, "created_us": 0,
    }  # fmt: skip
    async with desk.engine.begin() as connection:
        await connection.execute(insert(tariff_versions), row)


async def test_by_their_own_version_nothing_differs(desk: Desk, rerater: Rerater) -> None:
    found = await rerater.preview(WANTED)

    assert (found.sessions, found.differences) == (2, [])


async def test_a_preview_moves_nothing(desk: Desk, rerater: Rerater) -> None:
    await second_version(desk, "0.30")

    found = await rerater.preview(WANTED, version=2)

    assert [(item.session_id, item.paid, item.amount) for item in found.differences] == [
        ("s1", 1_000_000, -500_000),
        ("s2", 500_000, -250_000),
    ]
    assert found.posted == 0
    assert await desk.spendable("alice") == 9_000_000


async def test_a_lower_price_is_given_back_by_every_party_once(
    desk: Desk, rerater: Rerater
) -> None:
    await second_version(desk, "0.30")

    first = await rerater.post(WANTED, version=2, key="october", actor="test")
    again = await rerater.post(WANTED, version=2, key="october", actor="test")

    assert (first.posted, again.posted, again.differences) == (2, 0, [])
    assert await desk.spendable("alice") == 9_500_000
    by_party = {
        entry.account.kind: entry.amount
        for entry in next(item for item in first.differences if item.session_id == "s1").entries
    }
    assert by_party == {"caller": 500_000, "client": -350_000, "provider": -150_000}
    assert await desk.proved()


async def test_a_higher_price_is_charged_where_the_money_is_there(
    desk: Desk, rerater: Rerater
) -> None:
    await second_version(desk, "1.20")

    found = await rerater.post(WANTED, version=2, key="october", actor="test")

    assert found.posted == 1
    ((refused, error),) = found.refused
    assert (refused.account, type(error)) == ("bob", InsufficientFunds)
    assert await desk.spendable("alice") == 8_000_000
    assert await desk.proved()


async def test_what_was_refunded_is_left_alone(desk: Desk, rerater: Rerater) -> None:
    await second_version(desk, "0.30")
    alice = AccountRef(kind="caller", code="alice", currency="USD")
    provider = AccountRef(kind="provider", code="provider", currency="USD")
    await desk.writer.submit(
        Post(
            key="r",
            transfer_id="r",
            kind="refund",
            at_us=1,
            reference="s1",
            entries=(
                PostedEntry(account=alice, amount=1),
                PostedEntry(account=provider, amount=-1),
            ),
        )
    )

    found = await rerater.post(WANTED, version=2, key="october", actor="test")

    assert (found.refunded, found.posted) == (["s1"], 1)


async def test_a_run_that_was_cut_short_is_finished_by_the_next(
    desk: Desk, rerater: Rerater, monkeypatch: pytest.MonkeyPatch
) -> None:
    await second_version(desk, "0.30")
    monkeypatch.setattr("billing.rerating.CHUNK", 1)
    submit, calls = GroupWriter.submit, []

    async def dies(self: GroupWriter, operation: Post) -> object:
        calls.append(operation)
        if len(calls) == 2:
            raise OSError("power cut")
        return await submit(self, operation)

    with monkeypatch.context() as broken:
        broken.setattr(GroupWriter, "submit", dies)
        with pytest.raises(OSError, match="power cut"):
            await rerater.post(WANTED, version=2, key="october", actor="test")
    rest = await rerater.post(WANTED, version=2, key="october", actor="test")

    assert (len(rest.differences), rest.posted) == (1, 1)
    assert await desk.spendable("bob") == 250_000
    assert await desk.proved()


async def test_a_wrong_question_is_refused(desk: Desk, rerater: Rerater) -> None:
    with pytest.raises(UnknownTariff):
        await rerater.preview(WANTED, version=9)
    with pytest.raises(InvalidInput):
        await rerater.preview(replace(WANTED, tariff=None), version=1)
    with pytest.raises(InvalidInput):
        await rerater.post(WANTED, key="", actor="test")
