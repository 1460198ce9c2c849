"""Alarms in the database: one for each condition, acknowledged once, over by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.clock import microseconds_of
from billing.ids import new_id
from ivr.alarms.findings import Condition, Finding
from ivr.alarms.store import Alarm, acknowledge, keep, list_alarms, open_alarms
from ivr.alarms.watch import Watch
from ivr.directory.cache import DirectoryCache
from ivr.directory.fraud_limits import FraudLimits, load_limits, save_limits
from ivr.tables import calls
from tests.site import DIDS, Site, open_site

HOT = Finding(kind="pumping_number", subject="1>2", severity="bad", client="acme")
MINE = {"pumping_number"}


@pytest.fixture
async def site(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(engine, tmp_path) as site:
        yield site


async def on(site: Site) -> list[Alarm]:
    async with site.desk.engine.connect() as connection:
        return await open_alarms(connection)


async def look(site: Site, *found: Finding) -> list[Alarm]:
    return await keep(site.desk.engine, found, mine=MINE, clock=site.desk.clock)


async def test_what_is_found_again_and_again_is_one_alarm(site: Site):
    first = await look(site, HOT)
    again = await look(site, HOT)

    assert len(first) == 1
    assert not again
    assert [alarm.id for alarm in await on(site)] == [first[0].id]


async def test_what_is_not_found_for_three_minutes_is_over_and_opens_anew_later(site: Site):
    await look(site, HOT)
    site.desk.clock.advance(179)
    await look(site)
    still = await on(site)
    site.desk.clock.advance(1)
    await look(site)
    over = await on(site)

    assert len(still) == 1
    assert not over
    assert len(await look(site, HOT)) == 1


async def test_two_processes_that_find_the_same_open_one(site: Site):
    await asyncio.gather(look(site, HOT), look(site, HOT))

    assert len(await on(site)) == 1


async def test_who_looks_for_other_kinds_ends_none_of_these(site: Site):
    await look(site, HOT)
    site.desk.clock.advance(999)
    await keep(site.desk.engine, (), mine={"disk@node-2"}, clock=site.desk.clock)

    assert len(await on(site)) == 1


async def test_the_first_who_acknowledges_counts(site: Site):
    (alarm,) = await look(site, HOT)
    await acknowledge(site.desk.engine, alarm.id, who="olga", note="mine", clock=site.desk.clock)
    second = await acknowledge(
        site.desk.engine, alarm.id, who="otto", note="no", clock=site.desk.clock
    )

    assert second
    assert (second.acknowledged_by, second.note, second.state) == ("olga", "mine", "acknowledged")
    assert await acknowledge(site.desk.engine, "x", who="o", note="", clock=site.desk.clock) is None


async def test_alarms_are_listed_by_state_newest_first(site: Site):
    (old,) = await look(site, HOT)
    site.desk.clock.advance(1)
    (new,) = await look(site, HOT, Finding(kind="pumping_number", subject="3>4"))
    await acknowledge(site.desk.engine, old.id, who="olga", note="", clock=site.desk.clock)
    async with site.desk.engine.connect() as connection:
        everything = await list_alarms(connection, after=None, limit=9)
        rest = await list_alarms(connection, after=(new.opened_us, new.id), limit=9)
        opened = await list_alarms(connection, after=None, limit=9, state="open")
        seen = await list_alarms(connection, after=None, limit=9, state="acknowledged")

    assert [one.id for one in everything] == [new.id, old.id]
    assert [one.id for one in rest] == [old.id]
    assert [one.id for one in opened] == [new.id]
    assert [one.id for one in seen] == [old.id]


async def test_the_watch_finds_a_number_that_pumps_and_tells_once(site: Site):
    told: list[str] = []

    async def tell(alarm: Alarm) -> None:
        told.append(alarm.kind)

    async def well(late: int) -> Condition:
        return Condition(node="node-1", webhooks_late=late)

    watch = Watch(
        site.desk.engine, site.desk.clock, directory=site.directory.current, condition=well,
        on_open=tell,
    )  # fmt: skip
    rows = [
        {
            "id": new_id(site.desk.clock), "node": "n", "boot": "b", "channel": "c",
            "uniqueid": str(number), "did": DIDS["acme"], "client": "acme",
            "caller": "15550001111", "state": "ended",
            "started_us": microseconds_of(site.desk.clock.now()) - number,
        }
        for number in range(15)
    ]  # fmt: skip
    async with site.desk.engine.begin() as connection:
        await connection.execute(insert(calls), rows)
    await site.call()

    await watch.round()
    await watch.round()

    assert told == ["pumping_number"]
    assert watch.on == {("pumping_number", "bad"): 1}
    (alarm,) = await on(site)
    assert (alarm.client, alarm.facts["calls"]) == ("acme", 15)


async def test_limits_are_read_back_and_reach_the_directory(site: Site):
    wanted = FraudLimits(calls_max=5, caller_calls=None, account_spend=5_000_000)
    before = await save_limits(site.desk.engine, wanted)
    async with site.desk.engine.connect() as connection:
        stored = await load_limits(connection)
    cache = DirectoryCache(site.desk.engine, site.desk.clock)
    await cache.load()

    assert before == FraudLimits()
    assert stored == wanted
    assert cache.current().limits == wanted
