"""A private Asterisk for each worker; a fresh service and database for each test."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ivr.sandbox.asterisk import PrivateAsterisk
from ivr.sandbox.configure import free_port
from ivr.sandbox.fetch import AsteriskMissing, ensure
from tests.e2e.harness import Line, line_under_test, short_prompts
from tests.e2e.sipp import free_udp_port


@pytest.fixture(scope="session")
def asterisk(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[PrivateAsterisk]:
    if shutil.which("sipp") is None:
        pytest.skip("no SIPp on this machine (Debian package: sip-tester)")
    try:
        binary = ensure(lambda _step: None)
    except AsteriskMissing as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("asterisk")
    number = int(worker_id.removeprefix("gw")) if worker_id.startswith("gw") else 0
    low = 20_000 + number * 1_000
    asterisk = PrivateAsterisk(
        folder,
        binary,
        sip_port=free_udp_port(),
        rtp_ports=f"{low}-{low + 998}",
        agi_host="127.0.0.1",
        agi_port=free_port(),
        prompts=short_prompts(folder),
    )
    asyncio.run(asterisk.start(lambda _step: None))
    yield asterisk
    asyncio.run(asterisk.stop())


@pytest.fixture
async def line(tmp_path: Path, asterisk: PrivateAsterisk) -> AsyncIterator[Line]:
    async with line_under_test(tmp_path, asterisk, agent_port=free_udp_port()) as line:
        yield line


@pytest.fixture(scope="session")
def silence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some seconds of G.711 silence for SIPp to play in a loop."""
    file = tmp_path_factory.mktemp("sound") / "silence.ulaw"
    file.write_bytes(b"\xff" * 8000)
    return file
