"""The database goes away and comes back while people talk; the manager link is cut."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from billing.money import parse_amount
from ivr.sandbox.asterisk import PrivateAsterisk
from tests.e2e import sipp
from tests.e2e.harness import ALICE, DID, SLICE_SECONDS, line_under_test
from tests.e2e.proxy import Proxy
from tests.e2e.sipp import free_udp_port
from tests.postgres import PostgresServer

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(120)]


async def test_a_call_whose_database_stops_is_cut_as_granted_and_booked_when_it_is_back(
    tmp_path: Path, asterisk: PrivateAsterisk, postgres: PostgresServer, silence: Path
) -> None:
    url = postgres.create(f"outage_{os.getpid()}_talking")
    port = free_udp_port()
    async with line_under_test(tmp_path, asterisk, agent_port=port, database_url=url) as line:
        async with (
            sipp.agent(tmp_path, port=port, sound=silence),
            line.phone(ALICE) as phone,
        ):
            await phone.call(DID)
            await line.state("choosing")
            await phone.press("1")
            await line.state("talking")
            async with postgres.down():
                async with asyncio.timeout(SLICE_SECONDS + 60):
                    await phone.ended.wait()
                await line.log("settlement journalled", seconds_max=60)

        await line.log("journalled settlement booked", seconds_max=60)
        record = await line.ended(await line.only_call(), seconds_max=30)
        assert line.cel(record) <= SLICE_SECONDS + 0.3
        assert record.cost == SLICE_SECONDS * 10_000
        assert await line.balance("alice") == parse_amount("20") - record.cost
        await line.prove()


async def test_without_its_database_the_line_apologises_and_rings_nobody(
    tmp_path: Path, asterisk: PrivateAsterisk, postgres: PostgresServer
) -> None:
    url = postgres.create(f"outage_{os.getpid()}_menu")
    port = free_udp_port()
    async with line_under_test(tmp_path, asterisk, agent_port=port, database_url=url) as line:
        async with postgres.down(), line.phone(ALICE) as phone:
            await phone.call(DID)
            async with asyncio.timeout(40):
                await phone.ended.wait()

        assert phone.audio.packets_heard > 0
        assert not any(fact.get("after") == "waiting" for fact in line.seen)
        assert await line.balance("alice") == parse_amount("20")
        await line.prove()


async def test_a_call_that_ends_while_the_manager_link_is_cut_is_settled_from_the_record(
    tmp_path: Path, asterisk: PrivateAsterisk, silence: Path
) -> None:
    port = free_udp_port()
    async with (
        Proxy(asterisk.ami_port) as proxy,
        line_under_test(tmp_path, asterisk, agent_port=port, ami_port=proxy.port) as line,
    ):
        async with (
            sipp.agent(tmp_path, port=port, talk_seconds=2.0, sound=silence),
            line.phone(ALICE) as phone,
        ):
            await phone.call(DID)
            await line.state("choosing")
            await phone.press("1")
            await line.state("talking")
            proxy.cut()
            settled = await line.log("call settled", seconds_max=30)
            proxy.mend()

        record = await line.ended(await line.only_call())
        assert settled["evidence"] == "cel"
        assert record.talk_us / 1e6 == pytest.approx(line.cel(record), abs=0.001)
        assert record.cost == record.billed_seconds * 10_000
        await line.prove()


async def test_a_talk_goes_on_over_a_short_cut_of_the_manager_link(
    tmp_path: Path, asterisk: PrivateAsterisk, silence: Path
) -> None:
    port = free_udp_port()
    async with (
        Proxy(asterisk.ami_port) as proxy,
        line_under_test(tmp_path, asterisk, agent_port=port, ami_port=proxy.port) as line,
    ):
        async with sipp.agent(tmp_path, port=port, sound=silence), line.phone(ALICE) as phone:
            await phone.call(DID)
            await line.state("choosing")
            await phone.press("1")
            await line.state("talking")
            proxy.cut()
            proxy.mend()
            ended = asyncio.create_task(phone.ended.wait(), name="ended")
            done, _ = await asyncio.wait([ended], timeout=SLICE_SECONDS + 3)
            assert not done, "the talk was not extended after the link was back"
            await phone.hang_up()

        record = await line.ended(await line.only_call())
        assert record.talk_us / 1e6 > SLICE_SECONDS + 2
        assert record.talk_us / 1e6 == pytest.approx(line.cel(record), abs=0.05)
        await line.prove()


async def test_while_the_manager_link_is_down_the_line_apologises(
    tmp_path: Path, asterisk: PrivateAsterisk
) -> None:
    async with (
        Proxy(asterisk.ami_port) as proxy,
        line_under_test(
            tmp_path, asterisk, agent_port=free_udp_port(), ami_port=proxy.port
        ) as line,
    ):
        proxy.cut()
        async with line.phone(ALICE) as phone:
            since = len(line.seen)
            await line.log("ami not reached", since=since)
            await phone.call(DID)
            async with asyncio.timeout(20):
                await phone.ended.wait()

        record = await line.ended(await line.only_call())
        assert record.end_reason == "technical_problem"
        await line.prove()
