"""The entrypoint of Asterisk's image, run in a folder: what it writes, and what it refuses.

The proof is a real Asterisk that starts from them and lets Talkmeter log in.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from pathlib import Path

import pytest

from billing.clock import SystemClock
from ivr.ami.link import AmiLink
from ivr.sandbox import configure
from ivr.sandbox.fetch import AsteriskMissing, ensure

CONF = Path(__file__).parent.parent / "asterisk-conf"
SECRET = "0123456789abcdef" * 4
READY_SECONDS = 20.0
STOP_SECONDS = 5.0


def ports(**changes: int) -> configure.Ports:
    values = {"sip": 5060, "rtp_low": 20000, "rtp_high": 20099, "ami": 5038, "agi_port": 4573}
    return configure.Ports(agi_host="127.0.0.1", **(values | changes))


def variables(folder: Path, wanted: configure.Ports, **changes: str) -> dict[str, str]:
    secret = folder / "secret"
    secret.write_text(SECRET + "\n", encoding="ascii")
    return {
        "PATH": os.environ["PATH"],
        "ASTERISK_ETC": str(folder / "etc"),
        "ASTERISK_LOG": str(folder / "log"),
        "ASTERISK_AGI": f"{wanted.agi_host}:{wanted.agi_port}",
        "ASTERISK_SIP_BIND": f"127.0.0.1:{wanted.sip}",
        "ASTERISK_TRUNK_PEERS": "127.0.0.1/32",
        "ASTERISK_RTP_PORTS": f"{wanted.rtp_low}-{wanted.rtp_high}",
        "ASTERISK_AMI_ADDRESS": "127.0.0.1",
        "ASTERISK_AMI_PORT": str(wanted.ami),
        "ASTERISK_AMI_PEERS": "127.0.0.1/255.255.255.255",
        "ASTERISK_AMI_SECRET_FILE": str(secret),
        **changes,
    }


def enter(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(CONF / "entrypoint"), *(command or ("true",))],
        env=environment,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def written(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text("ascii") for path in (folder / "etc/node").iterdir()}


def test_the_node_files_are_those_of_the_private_asterisk(tmp_path: Path) -> None:
    wanted = ports()

    entered = enter(variables(tmp_path, wanted))

    assert entered.returncode == 0, entered.stderr
    assert written(tmp_path) == configure.node_files(wanted, SECRET, Path("/shared"))


def test_every_file_that_asterisk_conf_includes_is_written(tmp_path: Path) -> None:
    included = {
        name
        for file in CONF.glob("*.conf")
        for name in re.findall(r'^#include "(.+)"$', file.read_text("utf-8"), re.MULTILINE)
    }

    enter(variables(tmp_path, ports()))

    assert included
    for name in included:
        assert (tmp_path / "etc" / name).is_file(), name


def test_only_their_user_may_read_the_files(tmp_path: Path) -> None:
    enter(variables(tmp_path, ports()))

    for path in (tmp_path / "etc/node").iterdir():
        assert path.stat().st_mode & 0o077 == 0


def test_the_channel_event_log_is_there_before_the_first_call(tmp_path: Path) -> None:
    log = tmp_path / "log/cel-custom/talkmeter.csv"

    enter(variables(tmp_path, ports()))
    log.write_text("kept\n", encoding="ascii")
    enter(variables(tmp_path, ports()))

    assert log.read_text("ascii") == "kept\n"


def test_each_trunk_and_manager_peer_gets_a_line_of_its_own(tmp_path: Path) -> None:
    peers = {
        "ASTERISK_TRUNK_PEERS": "192.0.2.1,trunk.example.net,198.51.100.0/24",
        "ASTERISK_AMI_PEERS": "192.0.2.7/255.255.255.255,192.0.2.8/255.255.255.255",
    }

    enter(variables(tmp_path, ports(), **peers))

    files = written(tmp_path)
    assert files["pjsip_trunk.conf"].splitlines()[3:] == [
        "match=192.0.2.1",
        "match=trunk.example.net",
        "match=198.51.100.0/24",
    ]
    assert files["manager_permit.conf"].splitlines() == [
        "permit=192.0.2.7/255.255.255.255",
        "permit=192.0.2.8/255.255.255.255",
    ]


def test_phones_outside_are_told_the_external_address(tmp_path: Path) -> None:
    enter(variables(tmp_path, ports(), ASTERISK_EXTERNAL_ADDRESS="192.0.2.9"))

    assert written(tmp_path)["pjsip_transport.conf"].splitlines()[4:] == [
        "external_media_address=192.0.2.9",
        "external_signaling_address=192.0.2.9",
    ]


def test_the_entrypoint_becomes_its_command(tmp_path: Path) -> None:
    entered = enter(variables(tmp_path, ports()), "sh", "-c", "echo $PPID; exit 7")

    assert entered.returncode == 7
    assert entered.stdout.strip() == str(os.getpid())


@pytest.mark.parametrize(
    "variable",
    [
        "ASTERISK_AGI",
        "ASTERISK_SIP_BIND",
        "ASTERISK_TRUNK_PEERS",
        "ASTERISK_RTP_PORTS",
        "ASTERISK_AMI_ADDRESS",
        "ASTERISK_AMI_PORT",
        "ASTERISK_AMI_PEERS",
        "ASTERISK_AMI_SECRET_FILE",
    ],
)
@pytest.mark.parametrize("value", ["", "1\nsecret=open", "1;2", "1 2", "1]", "$(id)", "é"])
def test_a_missing_or_hostile_value_is_refused_by_name(
    tmp_path: Path, variable: str, value: str
) -> None:
    entered = enter(variables(tmp_path, ports(), **{variable: value}))

    assert entered.returncode == 1
    assert entered.stderr.startswith(f"entrypoint: {variable} ")
    assert not (tmp_path / "etc").exists()


@pytest.mark.parametrize("secret", ["", "short", SECRET + "\nread=all", SECRET + ";", SECRET[:31]])
def test_a_weak_or_hostile_secret_is_refused(tmp_path: Path, secret: str) -> None:
    environment = variables(tmp_path, ports())
    (tmp_path / "secret").write_text(secret, encoding="ascii")

    entered = enter(environment)

    assert entered.returncode == 1
    assert "secret" in entered.stderr
    assert secret == "" or secret not in entered.stderr
    assert not (tmp_path / "etc").exists()


def test_a_secret_that_is_not_there_is_named(tmp_path: Path) -> None:
    entered = enter(variables(tmp_path, ports(), ASTERISK_AMI_SECRET_FILE="/nowhere/secret"))

    assert entered.returncode == 1
    assert "/nowhere/secret cannot be read" in entered.stderr


@pytest.mark.asterisk
async def test_a_real_asterisk_starts_from_them_and_lets_talkmeter_log_in(tmp_path: Path) -> None:
    try:
        binary = await asyncio.to_thread(ensure, lambda _step: None)
    except AsteriskMissing as error:
        pytest.skip(str(error))
    home = configure.Home(root=tmp_path)
    wanted = ports(sip=configure.free_port(), ami=configure.free_port())
    configure.write(home, wanted, binary)  # asterisk.conf, as the package of the image brings it
    for file in (home.etc / "node").iterdir():
        file.unlink()
    asterisk = await asyncio.create_subprocess_exec(
        str(CONF / "entrypoint"),
        *binary.command,
        *("-f", "-C", str(home.etc / "asterisk.conf")),
        env=variables(tmp_path, wanted),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    link = AmiLink(
        "127.0.0.1", wanted.ami, username=configure.AMI_USERNAME, secret=SECRET, clock=SystemClock()
    )
    up = asyncio.Event()
    link.subscribe(lambda _event: up.set())
    task = asyncio.create_task(link.run(), name="ami")

    try:
        async with asyncio.timeout(READY_SECONDS):
            await up.wait()

        assert link.boot
        assert home.cel.is_file()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        asterisk.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await asterisk.wait()
        except TimeoutError:
            asterisk.kill()
            await asterisk.wait()
