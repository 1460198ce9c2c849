"""What is written for one private Asterisk."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from ivr.sandbox.configure import STATIC, Home, Ports, node_files, write
from ivr.sandbox.fetch import AsteriskBinary

PORTS = Ports(
    sip=5070, rtp_low=20000, rtp_high=20098, ami=5038, agi_host="127.0.0.1", agi_port=4573
)


@pytest.fixture
def binary(tmp_path: Path) -> AsteriskBinary:
    data = tmp_path / "share"
    (data / "documentation").mkdir(parents=True)
    return AsteriskBinary(command=("asterisk",), modules=tmp_path, data=data, version="22")


def test_every_file_that_is_included_is_written_and_no_other(tmp_path: Path) -> None:
    included = {
        name
        for file in STATIC.glob("*.conf")
        for name in re.findall(r'^#include "node/([^"]+)"', file.read_text(), re.MULTILINE)
    }

    assert included == node_files(PORTS, "s", tmp_path).keys()


def test_static_files_are_used_as_they_are(tmp_path: Path, binary: AsteriskBinary) -> None:
    home = Home(root=tmp_path / "one")

    write(home, PORTS, binary)

    for file in STATIC.glob("*.conf"):
        assert (home.etc / file.name).read_bytes() == file.read_bytes()


def test_what_holds_a_secret_is_for_its_owner_only(tmp_path: Path, binary: AsteriskBinary) -> None:
    home = Home(root=tmp_path / "one")

    write(home, PORTS, binary)

    secret = home.secret.read_bytes().strip()
    holders = [
        file for file in home.root.rglob("*") if file.is_file() and secret in file.read_bytes()
    ]
    assert len(secret) == 64
    assert {file.name for file in holders} == {"ami.secret", "manager_secret.conf"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in holders} == {0o600}
    assert stat.S_IMODE(home.etc.stat().st_mode) == 0o700


def test_each_folder_has_a_secret_of_its_own_and_keeps_it(
    tmp_path: Path, binary: AsteriskBinary
) -> None:
    one, two = Home(root=tmp_path / "one"), Home(root=tmp_path / "two")
    write(one, PORTS, binary)
    write(two, PORTS, binary)
    first = one.secret.read_text()

    write(one, PORTS, binary)

    assert one.secret.read_text() == first
    assert two.secret.read_text() != first


def test_no_folder_of_asterisk_lies_outside_its_own(tmp_path: Path, binary: AsteriskBinary) -> None:
    home = Home(root=tmp_path / "one")

    write(home, PORTS, binary)

    folders = dict(
        re.findall(r"^(ast\w+dir) => (.+)$", (home.etc / "asterisk.conf").read_text(), re.MULTILINE)
    )
    assert len(folders) == 11
    assert folders.pop("astmoddir") == str(tmp_path)
    assert all(folder.startswith(str(home.root)) for folder in folders.values())


def test_prompts_are_where_asterisk_looks_for_them(tmp_path: Path, binary: AsteriskBinary) -> None:
    home = Home(root=tmp_path / "one")

    write(home, PORTS, binary)
    write(home, PORTS, binary)

    assert (home.root / "data/sounds/en/talkmeter/technical-problem.ulaw").is_file()


def test_every_node_file_stays_on_loopback() -> None:
    files = node_files(PORTS, "s", Path("/shared"))

    addresses = set(re.findall(r"\d+\.\d+\.\d+\.\d+", "".join(files.values())))

    assert addresses == {"127.0.0.1", "255.255.255.255"}
