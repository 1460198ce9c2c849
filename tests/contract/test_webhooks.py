"""Deliveries of webhooks in both databases: none missed, none sent by two at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.clock import microseconds_of
from billing.storage.tables import clients
from ivr.tables import calls
from ivr.web.webhooks import outbox
from ivr.web.webhooks.endpoints import (
    Endpoint,
    Whose,
    add_endpoint,
)
from tests.books import Desk, open_desk

URL = "https://hooks.example.com/talkmeter"
HOUR_US = 60 * outbox.MINUTE_US


async def _hook(desk: Desk) -> Endpoint:
    row = {"code": "acme", "title": "Acme", "currency": "USD", "shares": "[]", "created_us": 0}
    async with desk.engine.begin() as connection:
        await connection.execute(insert(clients), row)
    hook, _ = await add_endpoint(desk.engine, Whose(client="acme"), URL, clock=desk.clock)
    desk.clock.advance(1)
    return hook


async def _ended(desk: Desk, *call_ids: str, late_us: int = 0) -> None:
    now_us = microseconds_of(desk.clock.now())
    rows = [
        {
            "id": call_id, "node": "n", "boot": "b", "channel": "c", "uniqueid": call_id,
            "did": "18005550100", "client": "acme", "caller": "1", "state": "ended",
            "started_us": now_us - late_us - 1, "ended_us": now_us - late_us,
            "closed_us": now_us, "end_reason": "agent_hung_up",
        }
        for call_id in call_ids
    ]  # fmt: skip
    async with desk.engine.begin() as connection:
        await connection.execute(insert(calls), rows)


async def test_a_busy_client_is_told_of_each_call(engine: AsyncEngine, tmp_path: Path) -> None:
    async with open_desk(engine, tmp_path) as desk:
        await _hook(desk)
        await _ended(desk, *(f"call-{number}" for number in range(600)))

        made = [await outbox.collect(engine, clock=desk.clock) for _ in range(3)]

    assert made == [500, 100, 0]


async def test_an_end_written_hours_late_is_told(engine: AsyncEngine, tmp_path: Path) -> None:
    async with open_desk(engine, tmp_path) as desk:
        await _hook(desk)
        desk.clock.advance(7_200)
        await _ended(desk, "call-1")
        first = await outbox.collect(engine, clock=desk.clock)
        desk.clock.advance(3_600)
        await _ended(desk, "call-2", late_us=2 * HOUR_US)

        late = await outbox.collect(engine, clock=desk.clock)

    assert (first, late) == (1, 1)


async def test_two_who_send_at_once_never_take_the_same(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    async with open_desk(engine, tmp_path) as desk:
        await _hook(desk)
        await _ended(desk, *(f"call-{number}" for number in range(10)))
        await outbox.collect(engine, clock=desk.clock)

        both = [
            mine
            for _ in range(2)
            for mine in await asyncio.gather(
                *(outbox.claim_due(engine, clock=desk.clock, limit=10) for _ in range(4))
            )
        ]

    taken = [delivery.id for mine in both for delivery in mine]
    assert len(taken) == len(set(taken)) == 10


@pytest.mark.parametrize("claims", [0, 1])
async def test_who_dies_before_sending_loses_nothing(
    engine: AsyncEngine, tmp_path: Path, claims: int
) -> None:
    async with open_desk(engine, tmp_path) as desk:
        await _hook(desk)
        await _ended(desk, "call-1")
        await outbox.collect(engine, clock=desk.clock)
        for _ in range(claims):  # and then the service dies: nothing notes what came of it
            await outbox.claim_due(engine, clock=desk.clock, limit=10)
        desk.clock.advance(outbox.CLAIM_US // 1_000_000)

        found = await outbox.claim_due(engine, clock=desk.clock, limit=10)

    assert [delivery.attempts for delivery in found] == [0]
