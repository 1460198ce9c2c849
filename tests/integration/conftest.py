"""A private Asterisk for each worker, with prompts that can be told apart by their bytes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import pytest
import uvloop

from ivr.sandbox.asterisk import PrivateAsterisk
from ivr.sandbox.configure import free_port
from ivr.sandbox.fetch import AsteriskBinary, AsteriskMissing, ensure
from ivr.sandbox.prompts import texts
from tests.e2e.sipp import free_udp_port
from tests.stage import Stage, open_stage

PROMPTS = Path(__file__).parent.parent.parent / "asterisk-conf" / "prompts"


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run these on the loop of the service; asyncio's own loses connections when one closes."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def binary() -> AsteriskBinary:
    try:
        return ensure(lambda _step: None)
    except AsteriskMissing as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each prompt is 200 ms of its own noise: heard or not heard is a matter of bytes."""
    folder = tmp_path_factory.mktemp("sounds") / "en"
    folder.mkdir()
    for name in texts(PROMPTS / "en.txt"):
        noise = random.Random(name)
        (folder / f"{name}.ulaw").write_bytes(bytes(noise.choices(range(0x90, 0xFF), k=1600)))
    return folder


@pytest.fixture(scope="session")
def rtp_ports(worker_id: str) -> str:
    number = int(worker_id.removeprefix("gw")) if worker_id.startswith("gw") else 0
    return f"{30_000 + number * 200}-{30_198 + number * 200}"


@pytest.fixture(scope="session")
def asterisk(
    tmp_path_factory: pytest.TempPathFactory, binary: AsteriskBinary, sounds: Path, rtp_ports: str
) -> Iterator[PrivateAsterisk]:
    asterisk = PrivateAsterisk(
        tmp_path_factory.mktemp("asterisk"),
        binary,
        sip_port=free_udp_port(),
        rtp_ports=rtp_ports,
        agi_host="127.0.0.1",
        agi_port=free_port(),
        prompts=sounds.parent,
    )
    asyncio.run(asterisk.start(lambda _step: None))
    yield asterisk
    asyncio.run(asterisk.stop())


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(tmp_path) as stage:
        yield stage
