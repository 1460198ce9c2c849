"""Metering events on both databases: once each, in burning order, then money, with stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.clock import microseconds_of
from billing.domain.plans import Plan
from billing.domain.usage import UsageAnswer, UsageEvent
from billing.errors import InvalidInput, UnknownSubscription, UsageStopped
from billing.reports import Span
from billing.storage.plan_tables import usage_alerts, usage_events
from billing.usage import Metering
from tests.books import START
from tests.plans import STARTER, TCU, UNITS, Shop, open_shop

TODAY = Span(first=START.date(), last=START.date() + timedelta(days=1))
M = 1_000_000
SMALL = Plan(
    name="small", currency="USD", price=0,
    meters=(replace(TCU, included=1_000 * M, hard_stop=None),),
)  # fmt: skip
CLOSED = Plan(
    name="closed", currency="USD", price=0,
    meters=(replace(TCU, included=1_000 * M, hard_stop=100),),
)  # fmt: skip


@pytest.fixture
async def shop(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Shop]:
    async with open_shop(engine, tmp_path) as shop:
        await shop.offer(STARTER, UNITS, SMALL, CLOSED)
        await shop.desk.caller("alice", "100")
        yield shop


@pytest.fixture
def metering(shop: Shop) -> Metering:
    return Metering(engine=shop.desk.engine, clock=shop.desk.clock)


def event(key: str, kind: str, units: float | None = None, **facts: str) -> UsageEvent:
    return UsageEvent(
        key=key, account=facts.pop("account", "alice"), type=kind,
        at_us=microseconds_of(START), units=None if units is None else int(units * M), **facts,
    )  # fmt: skip


def outcomes(answers: list[UsageAnswer]) -> list[str]:
    return [answer.code or answer.outcome for answer in answers]


async def test_a_chat_takes_half_a_minute_of_a_thousand(shop: Shop, metering: Metering) -> None:
    await shop.plans.subscribe("alice", "starter")

    (answer,) = await metering.record([event("1", "chat")])

    assert (answer.units, answer.remaining) == (30 * M, 59_970 * M)
    assert await shop.left("alice") == {"minutes rollover": "0", "minutes cycle": "999.5"}
    assert await shop.desk.proved()


async def test_a_replay_changes_nothing_and_a_conflict_is_named(
    shop: Shop, metering: Metering
) -> None:
    await shop.plans.subscribe("alice", "starter")
    batch = [event("1", "chat"), event("2", "review"), event("1", "chat")]
    first = await metering.record(batch)
    before = await shop.left("alice")

    again = await metering.record(batch)
    other = await metering.record([event("1", "review"), event("3", "chat")])

    assert outcomes(first) == ["accepted", "accepted", "replayed"]
    assert outcomes(again) == ["replayed"] * 3
    assert [answer.remaining for answer in again] == [answer.remaining for answer in first]
    assert before == {"minutes rollover": "0", "minutes cycle": "997.5"}
    assert outcomes(other) == ["idempotency_conflict", "accepted"]
    assert "'1'" in (other[0].reason or "")
    assert await shop.desk.proved()


async def test_overage_is_money_with_uplift_and_discount(shop: Shop, metering: Metering) -> None:
    await shop.plans.subscribe("alice", "small")

    answers = await metering.record(
        [
            event("1", "tcu", 900),
            event("2", "tcu", 200, segment="medical"),
            event("3", "tcu", 1_000, key_type="byok"),
        ]
    )

    assert [answer.units // M for answer in answers] == [900, 260, 1_000]
    assert [answer.overage_units // M for answer in answers] == [0, 160, 1_000]
    assert [answer.overage for answer in answers] == [0, 240_000, 1_350_000]
    assert await shop.money("caller", "alice") == "98.41"
    assert await shop.desk.proved()


async def test_a_soft_stop_warns_and_each_alert_is_told_once(
    shop: Shop, metering: Metering
) -> None:
    await shop.plans.subscribe("alice", "small")

    answers = [(await metering.record([event(str(number), "tcu", 170)]))[0] for number in range(7)]
    async with shop.desk.engine.connect() as connection:
        told = (await connection.scalars(select(usage_alerts.c.percent))).all()

    warned = [answer.warning is not None for answer in answers]
    assert warned == [False, False, False, False, False, True, True]
    assert sorted(told) == [80, 90, 100]


async def test_a_hard_stop_takes_nothing(shop: Shop, metering: Metering) -> None:
    await shop.plans.subscribe("alice", "closed")

    answers = await metering.record(
        [event("1", "tcu", 999), event("2", "tcu", 2), event("3", "tcu", 1)]
    )

    assert outcomes(answers) == ["accepted", "hard_stop", "accepted"]
    assert (await shop.left("alice"))["tcu cycle"] == "0"
    assert await shop.money("caller", "alice") == "100.00"


async def test_overage_that_cannot_be_paid_is_refused(shop: Shop, metering: Metering) -> None:
    await shop.desk.caller("bob", "0.30")
    await shop.plans.subscribe("bob", "small")

    answers = await metering.record(
        [event(key, "tcu", 600, account="bob") for key in ("1", "2", "3")]
    )

    assert outcomes(answers) == ["accepted", "accepted", "insufficient_funds"]
    assert await shop.money("caller", "bob") == "0.00"
    assert await shop.desk.proved()


async def test_what_nobody_can_meter_is_refused_alone(shop: Shop, metering: Metering) -> None:
    await shop.plans.subscribe("alice", "starter")

    answers = await metering.record(
        [
            event("1", "chat"),
            event("2", "dance"),
            event("3", "minutes"),
            event("4", "chat", account="nobody"),
        ]
    )

    assert outcomes(answers) == ["accepted", "unknown_type", "unknown_type", "no_subscription"]


async def test_events_that_cannot_be_are_named_and_nothing_is_recorded(
    shop: Shop, metering: Metering
) -> None:
    await shop.plans.subscribe("alice", "starter")
    good = event("1", "chat")

    for wrong in (
        replace(good, key=""), replace(good, units=0), replace(good, units=10**16),
        replace(good, at_us=good.at_us + 10**12),
    ):  # fmt: skip
        with pytest.raises(InvalidInput, match="event 2"):
            await metering.record([good, wrong])
    for many in ([], [good] * 10_001):
        with pytest.raises(InvalidInput):
            await metering.record(many)

    assert (await shop.left("alice"))["minutes cycle"] == "1000"


async def test_batches_at_once_use_nothing_twice(shop: Shop, metering: Metering) -> None:
    await shop.plans.subscribe("alice", "closed")
    batches = [
        [event(f"{batch}-{number}", "tcu", 3) for number in range(20)] for batch in range(20)
    ]

    answers = await asyncio.gather(
        *(metering.record(batch) for batch in batches), *(metering.record(b) for b in batches[:5])
    )

    accepted = [answer for some in answers for answer in some if answer.outcome == "accepted"]
    assert len(accepted) == 333
    assert (await shop.left("alice"))["tcu cycle"] == "1"
    async with shop.desk.engine.connect() as connection:
        assert len((await connection.execute(select(usage_events.c.key))).all()) == 333
    assert await shop.desk.proved()


async def test_a_quote_tells_before_it_is_spent(shop: Shop, metering: Metering) -> None:
    await shop.plans.subscribe("alice", "small")

    inside = await metering.quote("alice", type="tcu", units=400 * M)
    beyond = await metering.quote("alice", type="tcu", units=1_200 * M, byok=True)

    assert (inside.covered // M, inside.overage, inside.remaining // M) == (400, 0, 600)
    assert (beyond.covered // M, beyond.overage_units // M, beyond.overage) == (1_000, 200, 270_000)
    assert (await shop.left("alice"))["tcu cycle"] == "1000"
    with pytest.raises(InvalidInput):
        await metering.quote("alice", type="dance")
    with pytest.raises(UnknownSubscription):
        await metering.quote("nobody", type="tcu", units=1)
    with pytest.raises(UsageStopped):
        await metering.quote("alice", type="tcu", units=10**6 * M)


async def test_usage_is_reported_by_account_and_type(shop: Shop, metering: Metering) -> None:
    await shop.plans.subscribe("alice", "starter")
    await metering.record([event("1", "chat"), event("2", "chat"), event("3", "review")])

    rows = await metering.report(TODAY)

    assert [(row.type, row.events, row.units // M) for row in rows] == [
        ("chat", 2, 60),
        ("review", 1, 120),
    ]
    assert await metering.report(TODAY, account="bob") == []


async def test_the_cycle_ends_and_overage_begins_anew(shop: Shop, metering: Metering) -> None:
    await shop.plans.subscribe("alice", "small")
    await metering.record([event("1", "tcu", 1_100)])
    shop.desk.clock.advance(32 * 86_400)
    await shop.plans.run_cycles()

    (answer,) = await metering.record([event("2", "tcu", 950)])

    assert (answer.overage, answer.remaining // M) == (0, 50)
    assert await shop.money("caller", "alice") == "99.85"
