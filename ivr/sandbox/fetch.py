"""Find an Asterisk of version 20 or newer, or fetch version 22 without root.

Debian's sid carries it. A private apt with its own state downloads the packages from the mirror
that this machine uses already, checked by Debian's signatures; dpkg unpacks them into a folder
that all checkouts of the user share. What was downloaded stays, so a broken fetch goes on.
"""

from __future__ import annotations

import fcntl
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ivr.settings import cache_home

VERSION_MIN: Final = 20
SUITE: Final = "sid"
PACKAGE: Final = "asterisk"
APT_SECONDS_MAX: Final = 1800
PROGRESS_SECONDS: Final = 2.0
MEGABYTE: Final = 1_000_000
READY_MARK: Final = ".complete"
KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

Progress = Callable[[str], None]


class AsteriskMissing(Exception):
    """There is no Asterisk here and none could be fetched; the text says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AsteriskBinary:
    """How to start Asterisk: the command, its modules and its data."""

    command: tuple[str, ...]
    modules: Path
    data: Path
    version: str


def cache_folder() -> Path:
    """Return the folder that all checkouts of this user share."""
    return cache_home() / "talkmeter" / "asterisk-22"


def ensure(progress: Progress, *, cache: Path | None = None) -> AsteriskBinary:
    """Return an Asterisk, fetching it when there is none.

    Raises:
        AsteriskMissing: neither was possible.

    """
    if (found := _on_path()) is not None:
        progress(f"using Asterisk {found.version} of this machine")
        return found
    folder = cache or cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / ".lock", progress) as lock:
        if not _is_complete(folder):
            _fetch(folder, progress, lock)
    return _unpacked(folder)


def _on_path() -> AsteriskBinary | None:
    program = shutil.which("asterisk")
    if program is None:
        return None
    text = _output([program, "-V"])
    match = re.search(r"Asterisk (?:GIT-)?(\d+)[.\d]*", text)
    if match is None or int(match[1]) < VERSION_MIN:
        return None
    modules = next(
        (
            folder
            for folder in (
                Path("/usr/lib/x86_64-linux-gnu/asterisk/modules"),
                Path("/usr/lib/aarch64-linux-gnu/asterisk/modules"),
                Path("/usr/lib64/asterisk/modules"),
                Path("/usr/lib/asterisk/modules"),
            )
            if folder.is_dir()
        ),
        None,
    )
    data = next(
        (path for path in map(Path, ("/usr/share/asterisk", "/var/lib/asterisk")) if path.is_dir()),
        None,
    )
    if modules is None or data is None:
        return None
    return AsteriskBinary(command=(program,), modules=modules, data=data, version=text.strip())


def _is_complete(folder: Path) -> bool:
    return (folder / READY_MARK).is_file() and (folder / "root/usr/sbin/asterisk").is_file()


def _unpacked(folder: Path) -> AsteriskBinary:
    root = folder / "root"
    modules = next(root.glob("usr/lib/*/asterisk/modules"))
    libraries = modules.parent.parent
    loader = next(libraries.glob("ld-linux-*.so.*"))
    path = ":".join(str(libraries / name) for name in (".", "pulseaudio"))
    command = (str(loader), "--library-path", path, str(root / "usr/sbin/asterisk"))
    return AsteriskBinary(
        command=command,
        modules=modules,
        data=root / "usr/share/asterisk",
        version=_output([*command, "-V"]).strip(),
    )


def _fetch(folder: Path, progress: Progress, lock: int) -> None:
    for program in ("apt-get", "dpkg"):
        if shutil.which(program) is None:
            raise AsteriskMissing(
                f"no Asterisk >= {VERSION_MIN} on PATH, and no {program} to fetch one: "
                "install Asterisk 22 with your package manager"
            )
    config = _private_apt(folder / "apt")
    progress("fetching Asterisk 22 from this machine's Debian mirror, once for this user")
    _apt(config, ["update"], lock)
    _apt(config, ["autoclean"], lock)  # of an older fetch that was broken off, only what is current
    archives = folder / "apt/cache/archives"
    _download(config, archives, progress, lock)
    packages = sorted(archives.glob("*.deb"))
    fresh = folder / "root.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    for number, package in enumerate(packages, 1):
        if number % 40 == 0 or number == len(packages):
            progress(f"unpacking {number} of {len(packages)} packages")
        subprocess.run(["dpkg", "-x", str(package), str(fresh)], check=True)  # noqa: S603, S607
    shutil.rmtree(folder / "root", ignore_errors=True)
    fresh.rename(folder / "root")
    (folder / READY_MARK).write_text("ready\n", encoding="ascii")
    shutil.rmtree(folder / "apt", ignore_errors=True)


def _download(config: Path, archives: Path, progress: Progress, lock: int) -> None:
    """Download what is missing; apt goes on where a broken download ended, and checks it all."""
    install = ["-y", "install", PACKAGE]
    listed = _output(["apt-get", "-c", str(config), "-q", "--print-uris", *install])
    # 'address' name size hash, one line for each package that is still to come
    total = sum(int(size) for size in re.findall(r"^'\S+' \S+ (\d+) \S+$", listed, re.MULTILINE))
    before = _size(archives)
    done = threading.Event()

    def report() -> None:
        while not done.wait(PROGRESS_SECONDS):
            came = max(0, _size(archives) - before)
            progress(f"downloading {came // MEGABYTE} of {total // MEGABYTE} MB")

    reporter = threading.Thread(target=report, name="fetch-progress", daemon=True)
    reporter.start()
    try:
        _apt(config, ["--download-only", *install], lock)
    finally:
        done.set()
        reporter.join()
    progress(f"downloaded {total // MEGABYTE} MB, checked by Debian's signatures")


def _size(folder: Path) -> int:
    """Add up the bytes of a folder that apt writes to meanwhile."""
    total = 0
    for file in folder.rglob("*.deb"):
        with suppress(FileNotFoundError):  # from partial/ to its place
            total += file.stat().st_size
    return total


def _private_apt(folder: Path) -> Path:
    """Write an apt configuration with a state of its own; the machine's stays untouched."""
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "status").touch()
    signed = f"[signed-by={KEYRING}] " if KEYRING.is_file() else ""
    (folder / "sources.list").write_text(
        f"deb {signed}{_mirror()} {SUITE} main\n", encoding="utf-8"
    )
    config = folder / "apt.conf"
    config.write_text(
        "\n".join(
            [
                f'Dir::Etc::sourcelist "{folder}/sources.list";',
                'Dir::Etc::sourceparts "/dev/null";',
                f'Dir::State "{folder}";',
                f'Dir::State::lists "{folder}/lists";',
                f'Dir::State::status "{folder}/status";',
                f'Dir::Cache "{folder}/cache";',
                f'Dir::Cache::archives "{folder}/cache/archives";',
                'APT::Install-Recommends "false";',
                'Acquire::Languages "none";',
                'Debug::NoLocking "true";',
                'Acquire::Retries "3";',
                "",
            ]
        ),
        encoding="utf-8",
    )
    return config


def _mirror() -> str:
    """Ask the machine's own apt for the mirror it gets Debian's main archive from."""
    lines = _output(
        ["apt-get", "indextargets", "--format", "$(SITE) $(ORIGIN) $(CODENAME) $(COMPONENT)"]
    ).splitlines()
    for line in lines:
        site, origin, codename, component = [*line.split(" "), "", "", ""][:4]
        if origin == "Debian" and component == "main" and "-" not in codename:
            return site
    raise AsteriskMissing(
        "no Asterisk on PATH, and this machine's apt names no Debian mirror to fetch it from: "
        "install Asterisk 22 with your package manager"
    )


def _apt(config: Path, arguments: list[str], lock: int) -> None:
    try:
        process = subprocess.run(  # noqa: S603 - fixed program and arguments
            ["apt-get", "-c", str(config), "-q", *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=APT_SECONDS_MAX,
            check=False,
            pass_fds=(lock,),  # an apt that outlives us keeps others out until it ends
        )
    except subprocess.TimeoutExpired:
        raise AsteriskMissing(
            f"Asterisk could not be fetched in {APT_SECONDS_MAX} s; run it again, it goes on"
        ) from None
    if process.returncode:
        errors = [line for line in process.stderr.splitlines() if line.startswith("E: ")]
        reason = " ".join(errors[-1:]) or process.stderr.strip()[-200:]
        raise AsteriskMissing(
            f"Asterisk could not be fetched: {reason}; run it again, it goes on where it ended, "
            "or install Asterisk 22 with your package manager"
        )


def _output(command: list[str]) -> str:
    return subprocess.run(  # noqa: S603 - fixed programs
        command, capture_output=True, text=True, timeout=60, check=False
    ).stdout


@contextmanager
def _locked(path: Path, progress: Progress) -> Iterator[int]:
    with path.open("w", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("waiting for another fetch of the same Asterisk")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()
