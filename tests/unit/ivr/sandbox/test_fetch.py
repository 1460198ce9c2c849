"""Which Asterisk is taken, and what is said when there is none."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from ivr.sandbox.fetch import AsteriskMissing, cache_folder, ensure

SHELL = shutil.which("sh")


def program(folder: Path, name: str, script: str) -> None:
    file = folder / name
    file.write_text(f"#!{SHELL}\n{script}\n")
    file.chmod(0o755)


def unpacked(cache: Path) -> None:
    """A cache as a finished fetch leaves it."""
    libraries = cache / "root/usr/lib/x86_64-linux-gnu"
    (libraries / "asterisk/modules").mkdir(parents=True)
    program(libraries, "ld-linux-x86-64.so.2", "echo Asterisk 22.99.0")
    (cache / "root/usr/sbin").mkdir(parents=True)
    (cache / "root/usr/sbin/asterisk").touch()
    (cache / ".complete").touch()


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with nothing on it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_what_was_fetched_before_is_used_without_a_network(tmp_path: Path, path: Path) -> None:
    unpacked(tmp_path / "cache")
    steps: list[str] = []

    binary = ensure(steps.append, cache=tmp_path / "cache")

    assert binary.version == "Asterisk 22.99.0"
    assert binary.command[-1] == str(tmp_path / "cache/root/usr/sbin/asterisk")
    assert steps == []


def test_an_old_asterisk_on_path_is_passed_over(tmp_path: Path, path: Path) -> None:
    unpacked(tmp_path / "cache")
    program(path, "asterisk", "echo Asterisk 18.26.1")

    binary = ensure(lambda _step: None, cache=tmp_path / "cache")

    assert binary.version == "Asterisk 22.99.0"


def test_without_apt_one_sentence_says_what_to_do(tmp_path: Path, path: Path) -> None:
    with pytest.raises(AsteriskMissing, match="no apt-get to fetch one: install Asterisk 22"):
        ensure(lambda _step: None, cache=tmp_path / "cache")


def test_a_machine_without_a_debian_mirror_is_told_so(tmp_path: Path, path: Path) -> None:
    program(path, "apt-get", "echo 'somewhere Ubuntu noble main'")
    program(path, "dpkg", "exit 1")

    with pytest.raises(AsteriskMissing, match="names no Debian mirror"):
        ensure(lambda _step: None, cache=tmp_path / "cache")


def test_a_failed_download_tells_apts_own_reason_and_can_be_repeated(
    tmp_path: Path, path: Path
) -> None:
    program(
        path,
        "apt-get",
        'case "$*" in *indextargets*) echo "http://mirror Debian bookworm main";; '
        "*) echo 'W: slow' >&2; echo 'E: The mirror is gone' >&2; exit 100;; esac",
    )
    program(path, "dpkg", "exit 1")

    for _ in range(2):
        with pytest.raises(AsteriskMissing, match="E: The mirror is gone; run it again"):
            ensure(lambda _step: None, cache=tmp_path / "cache")


def test_the_private_apt_has_a_state_of_its_own_and_checks_signatures(
    tmp_path: Path, path: Path
) -> None:
    program(
        path,
        "apt-get",
        'case "$*" in *indextargets*) echo "http://mirror Debian bookworm main";; '
        "*) exit 100;; esac",
    )
    program(path, "dpkg", "exit 1")
    cache = tmp_path / "cache"

    with pytest.raises(AsteriskMissing):
        ensure(lambda _step: None, cache=cache)

    settings = (cache / "apt/apt.conf").read_text()
    for name in ("sourcelist", "State", "State::status", "Cache"):
        assert f'"{cache}/apt' in next(line for line in settings.splitlines() if name in line)
    assert "Allow" not in settings
    assert (cache / "apt/sources.list").read_text().endswith("http://mirror sid main\n")
    assert "trusted=yes" not in (cache / "apt/sources.list").read_text()


def test_two_that_fetch_at_once_take_turns(tmp_path: Path, path: Path) -> None:
    cache = tmp_path / "cache"
    unpacked(cache)
    waits = threading.Event()
    found: list[str] = []

    def second() -> None:
        def told(step: str) -> None:
            assert "waiting" in step
            waits.set()

        found.append(ensure(told, cache=cache).version)

    with (cache / ".lock").open("w") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        thread = threading.Thread(target=second)
        thread.start()
        assert waits.wait(10)
        assert not found
    thread.join(10)

    assert found == ["Asterisk 22.99.0"]


def test_the_cache_is_shared_by_all_checkouts_of_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert cache_folder() == Path("/cache/talkmeter/asterisk-22")

    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == Path.home() / ".cache/talkmeter/asterisk-22"


def test_no_address_of_a_mirror_is_written_here() -> None:
    root = Path(__file__).parents[4]
    if not (root / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a checkout")
    names = subprocess.run(
        ["git", "grep", "-lIE", r"https?://[a-z0-9.-]*(debian|ubuntu|pypi|docker)[a-z0-9.-]*/"],
        cwd=root, capture_output=True, text=True, check=False, env=os.environ,
    ).stdout.split()  # fmt: skip

    assert [name for name in names if not name.endswith(("LICENSE", "test_fetch.py"))] == []
