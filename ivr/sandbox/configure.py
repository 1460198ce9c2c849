"""Write the configuration of a private Asterisk from asterisk-conf/.

The static files are linked as they are; only `node/*.conf` are made here: ports, addresses and
fresh secrets. The same split is used by docker-compose.yml and by a real installation.
"""

from __future__ import annotations

import errno
import random
import shutil
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ivr import secrets
from ivr.sandbox.fetch import AsteriskBinary

STATIC: Final = Path(__file__).resolve().parent.parent.parent / "asterisk-conf"
PROMPTS: Final = STATIC / "prompts"
LANGUAGE: Final = "en"
LANGUAGE_LETTERS: Final = 2
MUSIC: Final = PROMPTS / "music"
AMI_USERNAME: Final = "talkmeter"
# Below the ports that systems give to the near end of a connection (Linux: from 32768 on).
OWN_PORTS: Final = range(10_240, 20_000)
PORTS_TRIED: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where the parts of one installation listen; all on loopback."""

    sip: int
    rtp_low: int
    rtp_high: int
    ami: int
    agi_host: str
    agi_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The folders of one private Asterisk below its state folder."""

    root: Path

    @property
    def etc(self) -> Path:
        """Configuration."""
        return self.root / "etc"

    @property
    def log(self) -> Path:
        """Logs and records."""
        return self.root / "log"

    @property
    def run(self) -> Path:
        """The control socket and the process id."""
        return self.root / "run"

    @property
    def cel(self) -> Path:
        """The channel event log."""
        return self.log / "cel-custom" / "talkmeter.csv"

    @property
    def shared(self) -> Path:
        """What Asterisk and the service hand each other: queues, voicemail, recordings."""
        return self.root / "shared"

    @property
    def secret(self) -> Path:
        """The secret of the manager account."""
        return self.root / "ami.secret"


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Find a port of loopback that nobody has.

    The system gives none of these to a connection that somebody begins: it stays free while its
    service is away for a moment.

    Raises:
        OSError: all that were tried are taken.

    """
    for port in random.SystemRandom().sample(OWN_PORTS, PORTS_TRIED):
        with socket.socket(socket.AF_INET, kind) as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError(errno.EADDRINUSE, "no port is free")


def write(home: Home, ports: Ports, binary: AsteriskBinary, *, prompts: Path = PROMPTS) -> None:
    """Write everything that `asterisk -C etc/asterisk.conf` needs."""
    for folder in (  # each before what lies in it, since parents are made with another mode
        home.root,
        home.etc,
        home.etc / "node",
        home.run,
        home.log,
        home.log / "cel-custom",
        home.log / "cdr-custom",
        home.shared,
        *(home.root / name for name in ("lib", "spool", "keys", "agi", "db")),
    ):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file in STATIC.glob("*.conf"):
        shutil.copyfile(file, home.etc / file.name)
    for name, text in node_files(ports, secrets.read_or_make(home.secret), home.shared).items():
        secrets.write(home.etc / "node" / name, text)
    (home.etc / "asterisk.conf").write_text(_asterisk_conf(home, binary), encoding="utf-8")
    data = home.root / "data"
    for folder in sorted(each for each in prompts.iterdir() if len(each.name) == LANGUAGE_LETTERS):
        _sounds(data / "sounds" / folder.name, folder)
    for name in ("documentation", "static-http"):
        if (binary.data / name).exists():
            _link(data / name, binary.data / name)


def _sounds(sounds: Path, prompts: Path) -> None:
    """Show Asterisk the recordings of one language."""
    (sounds / "digits").mkdir(parents=True, exist_ok=True)
    _link(sounds / "talkmeter", prompts)
    _link(sounds / "talkmeter-music", MUSIC)
    # Asterisk itself counts callers in a queue aloud, by names of its own.
    for file in prompts.glob("num-*.ulaw"):
        _link(sounds / "digits" / file.name.removeprefix("num-"), file)


def node_files(ports: Ports, secret: str, shared: Path) -> dict[str, str]:
    """Return the files that differ from node to node."""
    return {
        "globals.conf": f"TALKMETER_AGI={ports.agi_host}:{ports.agi_port}\n",
        "pjsip_transport.conf": (
            f"[transport-udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:{ports.sip}\n"
        ),
        "pjsip_trunk.conf": "[trunk-identify]\ntype=identify\nendpoint=trunk\nmatch=127.0.0.1/32\n",
        "manager_address.conf": f"bindaddr=127.0.0.1\nport={ports.ami}\n",
        "manager_secret.conf": f"secret={secret}\n",
        "manager_permit.conf": "permit=127.0.0.1/255.255.255.255\n",
        # What the carrier of calls to phones demands, such as outbound_auth; nothing on loopback.
        "pjsip_outbound.conf": "",
        "queues.conf": f'#tryinclude "{shared}/queues.conf"\n',
        "rtp_ports.conf": f"rtpstart={ports.rtp_low}\nrtpend={ports.rtp_high}\n",
    }


def _asterisk_conf(home: Home, binary: AsteriskBinary) -> str:
    folders = {
        "astetcdir": home.etc,
        "astmoddir": binary.modules,
        "astvarlibdir": home.root / "lib",
        "astdbdir": home.root / "db",
        "astkeydir": home.root / "keys",
        "astdatadir": home.root / "data",
        "astagidir": home.root / "agi",
        "astspooldir": home.root / "spool",
        "astrundir": home.run,
        "astlogdir": home.log,
        "astsbindir": home.root,
    }
    lines = [f"{name} => {path.resolve()}" for name, path in folders.items()]
    return "\n".join(
        [
            "[directories]",
            *lines,
            "[options]",
            "documentation_language=en_US",
            "hideconnect=yes",
            "live_dangerously=no",
            "lockconfdir=no",
            "nofork=yes",
            "",
        ]
    )


def _link(link: Path, target: Path) -> None:
    if link.is_symlink() or link.exists():
        link.unlink()
    link.symlink_to(target.resolve())
