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
from tests.e2e.sipp import free_udp_port
from tests.postgres import PostgresServer

pytestmark = [pytest.mark.asterisk, pytest.mark.postgres, pytest.mark.timeout(120)]


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
            await asyncio.to_thread(postgres.stop)
            try:
                async with asyncio.timeout(SLICE_SECONDS + 60):
                    await phone.ended.wait()
                await line.log("settlement journalled", seconds_max=60)
            finally:
                await asyncio.to_thread(postgres.start)

        await line.log("journalled settlement booked", seconds_max=60)
        record = await line.ended(await line.only_call(), seconds_max=30)
        assert line.cel(record) <= SLICE_SECONDS + 0.3
        assert record.cost == parse_amount("0.05")
        assert await line.balance("alice") == parse_amount("20") - record.cost
        await line.prove()


async def test_without_its_database_the_line_apologises_and_rings_nobody(
    tmp_path: Path, asterisk: PrivateAsterisk, postgres: PostgresServer
) -> None:
    url = postgres.create(f"outage_{os.getpid()}_menu")
    port = free_udp_port()
    async with line_under_test(tmp_path, asterisk, agent_port=port, database_url=url) as line:
        await asyncio.to_thread(postgres.stop)
        try:
            async with line.phone(ALICE) as phone:
                await phone.call(DID)
                async with asyncio.timeout(40):
                    await phone.ended.wait()
        finally:
            await asyncio.to_thread(postgres.start)

        assert phone.audio.packets_heard > 0
        assert not any(fact.get("after") == "waiting" for fact in line.seen)
        assert await line.balance("alice") == parse_amount("20")
        await line.prove()
