"""Limits against fraud on a line: what is refused, in which words, and nothing is charged."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import insert

from billing.money import parse_amount
from billing.storage.tables import clients
from ivr.calls.tally import Tally
from ivr.directory.fraud_limits import FraudLimits
from tests.doubles.leg import ScriptedLeg
from tests.stage import Stage, open_stage


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(tmp_path) as stage:
        yield stage


def limit(stage: Stage, **values: int) -> None:
    stage.directory = replace(stage.directory, limits=FraudLimits(**values))


def leg(stage: Stage, *, talk: int | None = 10) -> ScriptedLeg:
    talk_us = talk * 1_000_000 if talk else None
    return ScriptedLeg(stage.switch, digits=["1"], talk_us=talk_us)


async def test_a_number_that_rings_too_often_is_told_that_the_line_is_busy(stage: Stage):
    limit(stage, caller_calls=1)
    await stage.play(leg(stage))
    stage.books.clock.advance(60)

    second = leg(stage)
    record = await stage.play(second)

    assert record.end_reason == "line_busy"
    assert second.heard == ["line-busy"]


async def test_an_hour_later_it_may_ring_again(stage: Stage):
    limit(stage, caller_calls=1)
    await stage.play(leg(stage))
    stage.books.clock.advance(3_601)

    assert (await stage.play(leg(stage))).end_reason == "agent_hung_up"


async def test_no_more_calls_at_once_than_the_installation_takes(stage: Stage):
    limit(stage, calls_max=0)

    assert (await stage.play(leg(stage))).end_reason == "line_busy"


async def test_an_account_may_talk_so_long_on_one_day(stage: Stage):
    limit(stage, account_talk_seconds=60)
    first = leg(stage, talk=50)
    await stage.play(first)
    stage.books.clock.advance(60)
    second = leg(stage, talk=9)
    await stage.play(second)

    assert first.dialled
    assert first.dialled[1] <= 60
    assert second.dialled
    assert second.dialled[1] == 10  # what was left of the day


async def test_an_account_that_spent_its_day_hears_that_its_limit_is_reached(stage: Stage):
    limit(stage, account_spend=parse_amount("0.10"))
    await stage.play(leg(stage, talk=10))
    stage.books.clock.advance(60)

    again = leg(stage)
    record = await stage.play(again)
    tomorrow = leg(stage, talk=1)
    stage.books.clock.advance(86_400)

    assert record.end_reason == "daily_limit"
    assert "daily-limit" in again.heard
    assert (await stage.play(tomorrow)).end_reason == "agent_hung_up"


async def test_a_service_that_starts_anew_knows_what_was_before(stage: Stage):
    await stage.play(leg(stage, talk=10))
    acme = {"code": "acme", "title": "A", "currency": "USD", "shares": "[]", "created_us": 0}
    async with stage.books.engine.begin() as connection:
        await connection.execute(insert(clients), acme)

    fresh = Tally(stage.books.clock)
    await fresh.read(stage.books.engine)

    assert fresh.calls_of("+15551230001") == 1
    assert fresh.talked_seconds("alice") == 10
    assert fresh.spent("alice") == parse_amount("0.10")


async def test_hidden_numbers_are_not_counted(stage: Stage):
    stage.desk.tally.rang("")

    assert stage.desk.tally.calls_of("") == 0
