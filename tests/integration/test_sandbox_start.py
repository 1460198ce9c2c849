"""Starting, adopting and stopping a real private Asterisk."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ivr.sandbox.asterisk import AsteriskFailed, PrivateAsterisk
from ivr.sandbox.configure import free_port
from ivr.sandbox.fetch import AsteriskBinary
from ivr.sandbox.phone import Phone
from tests.e2e.sipp import free_udp_port
from tests.integration.parts import manager

pytestmark = pytest.mark.asterisk

ROOT = Path(__file__).parent.parent.parent
STARTER = """
import asyncio, sys
from pathlib import Path
from ivr.sandbox.asterisk import PrivateAsterisk
from ivr.sandbox.fetch import ensure

folder, sip_port, agi_port, leash = sys.argv[1:]

async def main():
    asterisk = PrivateAsterisk(
        Path(folder), ensure(lambda _step: None), sip_port=int(sip_port), rtp_ports="29000-29098",
        agi_host="127.0.0.1", agi_port=int(agi_port), die_with_parent=leash == "leash",
    )
    await asterisk.start(lambda _step: None)
    print(asterisk.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""

Make = Callable[[Path], PrivateAsterisk]


def quiet(_step: str) -> None:
    return


@pytest.fixture
async def make(binary: AsteriskBinary) -> AsyncIterator[Make]:
    """Makes private Asterisks, and stops what a test left running."""
    made: list[PrivateAsterisk] = []

    def one(folder: Path) -> PrivateAsterisk:
        asterisk = PrivateAsterisk(
            folder,
            binary,
            sip_port=free_udp_port(),
            rtp_ports="29000-29098",
            agi_host="127.0.0.1",
            agi_port=free_port(),
        )
        made.append(asterisk)
        return asterisk

    yield one
    for asterisk in made:
        await asterisk.stop()


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


async def until_gone(pid: int) -> None:
    async with asyncio.timeout(10):
        while alive(pid):  # noqa: ASYNC110 - a process tells nobody when it ends
            await asyncio.sleep(0.02)


async def test_it_starts_without_a_warning_and_stops_without_a_trace(
    make: Make, tmp_path: Path
) -> None:
    asterisk = make(tmp_path)

    await asterisk.start(quiet)
    pid = asterisk.pid
    async with manager(asterisk) as ami:
        pong = await ami.do(Action="CoreStatus")
    await asterisk.stop()

    assert pong["Response"] == "Success"
    assert not alive(pid)
    assert not (tmp_path / "running.json").exists()
    log = (tmp_path / "log" / "messages.log").read_text()
    assert not [line for line in log.splitlines() if "WARNING" in line or "ERROR" in line]


async def test_two_run_side_by_side(make: Make, tmp_path: Path) -> None:
    one, two = make(tmp_path / "one"), make(tmp_path / "two")

    await asyncio.gather(one.start(quiet), two.start(quiet))

    assert one.pid != two.pid
    assert one.ami_secret != two.ami_secret
    async with manager(one), manager(two):
        await one.stop()
        assert alive(two.pid)


async def test_who_comes_next_adopts_the_running_one(make: Make, tmp_path: Path) -> None:
    first, steps = make(tmp_path), list[str]()
    await first.start(quiet)
    second = make(tmp_path)
    second.wanted = first.wanted

    await second.start(steps.append)

    assert (second.pid, second.ami_port) == (first.pid, first.ami_port)
    assert steps == ["adopting the private Asterisk that runs already"]
    await second.stop()
    await until_gone(first.pid)


async def test_two_that_start_at_once_share_one(make: Make, tmp_path: Path) -> None:
    one, two = make(tmp_path), make(tmp_path)
    two.wanted = one.wanted

    await asyncio.gather(one.start(quiet), two.start(quiet))

    assert one.pid == two.pid


async def test_other_ports_are_not_adopted(make: Make, tmp_path: Path) -> None:
    await make(tmp_path).start(quiet)

    with pytest.raises(AsteriskFailed, match="with other ports: stop its service, or choose"):
        await make(tmp_path).start(quiet)


async def test_a_process_that_only_has_the_number_is_neither_adopted_nor_stopped(
    make: Make, tmp_path: Path
) -> None:
    asterisk = make(tmp_path)
    stranger = subprocess.Popen(  # noqa: ASYNC220 - once
        [sys.executable, "-c", "input()", "asterisk"], stdin=subprocess.PIPE
    )
    wanted = {name: getattr(asterisk.wanted, name) for name in asterisk.wanted.__slots__}
    state = {"pid": stranger.pid, "ami": 5038, "wanted": wanted}
    (tmp_path / "running.json").write_text(json.dumps(state))

    await asterisk.start(quiet)
    assert asterisk.pid != stranger.pid
    await asterisk.stop()

    assert stranger.poll() is None
    stranger.communicate(b"\n")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}', '{"pid": 1}'])
async def test_a_broken_note_of_what_runs_is_passed_over(
    make: Make, tmp_path: Path, text: str
) -> None:
    (tmp_path / "running.json").write_text(text)

    assert not make(tmp_path)._adopt()


async def test_a_taken_sip_port_is_named_before_anything_starts(make: Make, tmp_path: Path) -> None:
    asterisk = make(tmp_path)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", asterisk.wanted.sip))

        with pytest.raises(AsteriskFailed, match=f"UDP port {asterisk.wanted.sip} is in use"):
            await asterisk.start(quiet)

    assert asterisk.pid == 0


async def test_one_that_ends_at_once_leaves_its_last_words(
    make: Make, tmp_path: Path, binary: AsteriskBinary
) -> None:
    asterisk = make(tmp_path)
    script = tmp_path / "broken"
    script.write_text("#!/bin/sh\necho 'ERROR: no room'\nexit 1\n")
    script.chmod(0o755)
    asterisk._binary = replace(binary, command=(str(script),))

    with pytest.raises(AsteriskFailed, match="Asterisk ended: ERROR: no room"):
        await asterisk.start(quiet)

    assert not (tmp_path / "running.json").exists()


async def starter(folder: Path, sip_port: int, agi_port: int, leash: str) -> tuple[int, int]:
    """Start one from another process; returns the process ids of both."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", STARTER, str(folder), str(sip_port), str(agi_port), leash,
        cwd=ROOT, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    async with asyncio.timeout(20):
        pid = int(await process.stdout.readline())
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    return process.pid, pid


async def test_it_survives_the_death_of_its_service_and_is_adopted(
    make: Make, tmp_path: Path
) -> None:
    asterisk = make(tmp_path)

    _, pid = await starter(tmp_path, asterisk.wanted.sip, asterisk.wanted.agi_port, "free")
    await asterisk.start(quiet)

    assert alive(pid)
    assert asterisk.pid == pid


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="no setpriv (package util-linux)")
async def test_it_dies_with_its_service_when_told_to(make: Make, tmp_path: Path) -> None:
    asterisk = make(tmp_path)

    _, pid = await starter(tmp_path, asterisk.wanted.sip, asterisk.wanted.agi_port, "leash")

    await until_gone(pid)


async def test_it_is_killed_when_it_does_not_end_by_itself(make: Make, tmp_path: Path) -> None:
    asterisk = make(tmp_path)
    await asterisk.start(quiet)
    pid = asterisk.pid
    os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()

    await asterisk.stop()

    assert not alive(pid)
    assert time.monotonic() - began < 10


async def test_a_call_right_after_the_start_is_answered(make: Make, tmp_path: Path) -> None:
    asterisk = make(tmp_path)
    await asterisk.start(quiet)

    async with Phone(server=("127.0.0.1", asterisk.wanted.sip), from_number="15551230001") as phone:
        await phone.call("18005550100", seconds_max=5)

        assert phone.answered.is_set()
