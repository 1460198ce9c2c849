"""No container engine runs here: what docker-compose.yml names is checked, and its scripts run.

Each path, port, variable, volume, secret, condition and image step must meet its other end: in
the Dockerfiles, the scripts, asterisk-conf/ and `Settings`.
"""

from __future__ import annotations

import fnmatch
import http.server
import ipaddress
import json
import os
import re
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from ivr import cli
from ivr.agi.leg import PROMPT_FOLDER
from ivr.sandbox import configure
from ivr.settings import ENVIRONMENT_PREFIX, Settings, load

ROOT = Path(__file__).parent.parent
CONF = ROOT / "asterisk-conf"
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)  # Any: YAML
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]  # Any: YAML
STEPS = {"secrets", "upgrade"}
ASTERISK, TALKMETER = SERVICES["asterisk"], SERVICES["talkmeter"]
READY_SECONDS = 20.0


@dataclass(frozen=True)
class Step:
    """One instruction of a Dockerfile, continuation lines joined."""

    name: str
    words: str

    @property
    def paths(self) -> list[str]:
        return [word for word in self.words.split() if not word.startswith("--")]


def dockerfile(path: str) -> list[Step]:
    text = (ROOT / path).read_text(encoding="utf-8")
    code = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    return [Step(*line.split(None, 1)) for line in code.splitlines() if line.strip()]


BUILT = sorted(
    {service["build"]["dockerfile"] for service in SERVICES.values() if "build" in service}
)
IMAGES = {path: dockerfile(path) for path in BUILT}


def steps(service: str, name: str) -> list[Step]:
    return [step for step in IMAGES[SERVICES[service]["build"]["dockerfile"]] if step.name == name]


def mounts(service: str) -> dict[str, tuple[str, str]]:
    """Folder in the container -> volume, mode."""
    rows = [text.split(":") for text in SERVICES[service].get("volumes", ())]
    return {row[1]: (row[0], row[2] if len(row) > 2 else "rw") for row in rows}


def address(service: str, network: str) -> str:
    return str(SERVICES[service]["networks"][network]["ipv4_address"])


def script(name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(CONF / name), *arguments],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


@pytest.fixture
def secret_folder(tmp_path: Path) -> Path:
    made = script("make-secrets", str(tmp_path / "secrets"))
    assert made.returncode == 0, made.stderr
    return tmp_path / "secrets"


# --- the compose file by itself


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_published_is_published_on_loopback(name: str) -> None:
    for port in SERVICES[name].get("ports", ()):
        assert port.startswith("127.0.0.1:"), port


@pytest.mark.parametrize("name", SERVICES)
def test_services_have_no_more_rights_than_they_need(name: str) -> None:
    service = SERVICES[name]

    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not service.get("privileged")
    assert service.get("network_mode") != "host"
    # Only who makes the secrets may be root, and it has no network.
    if service.get("user") == "0:0":
        assert name == "secrets"
        assert service["network_mode"] == "none"
    else:
        assert "cap_add" not in service


@pytest.mark.parametrize("name", SERVICES)
def test_services_come_back_and_steps_end(name: str) -> None:
    restart = SERVICES[name]["restart"]

    assert restart == ("on-failure:3" if name in STEPS else "unless-stopped")


@pytest.mark.parametrize("name", SERVICES)
def test_conditions_can_be_met(name: str) -> None:
    for other, wish in SERVICES[name].get("depends_on", {}).items():
        assert other in SERVICES
        if wish["condition"] == "service_healthy":
            assert other not in STEPS
            assert "healthcheck" in SERVICES[other] or steps(other, "HEALTHCHECK")
        else:
            assert wish["condition"] == "service_completed_successfully"
            assert other in STEPS


def test_nothing_waits_for_itself() -> None:
    def before(name: str, seen: tuple[str, ...]) -> None:
        assert name not in seen, f"{name} waits for itself"
        for other in SERVICES[name].get("depends_on", {}):
            before(other, (*seen, name))

    for name in SERVICES:
        before(name, ())


def test_everything_that_stays_has_a_health_check() -> None:
    for name in set(SERVICES) - STEPS:
        assert "healthcheck" in SERVICES[name] or steps(name, "HEALTHCHECK")


def test_declared_volumes_and_networks_are_those_in_use() -> None:
    volumes = {volume for name in SERVICES for volume, _ in mounts(name).values()}
    networks = {name for service in SERVICES.values() for name in service.get("networks", ())}

    assert volumes == set(COMPOSE["volumes"])
    assert networks == set(COMPOSE["networks"])


def test_images_and_builds_name_no_host() -> None:
    for service in SERVICES.values():
        assert re.fullmatch(r"[a-z-]+(:[a-z0-9.-]+)?", service["image"]), service["image"]
    for path in (*BUILT, "docker-compose.yml", "asterisk-conf/entrypoint"):
        assert not re.search(r"\bhttps?://(?!127\.0\.0\.1)", (ROOT / path).read_text("utf-8")), path


def test_images_that_are_not_built_here_have_a_version() -> None:
    bases = [step.words for image in IMAGES.values() for step in image if step.name == "FROM"]
    others = [service["image"] for service in SERVICES.values() if "build" not in service]

    assert bases
    for image in (*bases, *others):
        assert ":" in image
        assert not image.endswith(":latest")


# --- variables


@pytest.mark.parametrize("name", SERVICES)
def test_every_variable_of_talkmeter_is_a_setting(name: str) -> None:
    for variable in SERVICES[name].get("environment", {}):
        if variable.startswith(ENVIRONMENT_PREFIX):
            field = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
            assert {field, field.removesuffix("_file")} & set(Settings.model_fields), variable


def test_every_variable_of_the_host_is_a_setting_with_the_same_default() -> None:
    found = re.findall(r"\$\{(\w+):-(\w+)\}", TEXT)

    assert len(found) == TEXT.count("${")
    for variable, default in found:
        field = Settings.model_fields[variable.removeprefix(ENVIRONMENT_PREFIX).lower()]
        assert str(field.default) == default


def test_no_secret_stands_in_the_file() -> None:
    for service in SERVICES.values():
        for variable, value in service.get("environment", {}).items():
            if re.search(r"SECRET|PASSWORD|TOKEN|KEY|URL", variable):
                assert variable.endswith("_FILE"), variable
                assert value.startswith("/secrets/")
    assert not re.search(r"[0-9a-f]{20}", TEXT)


def test_the_service_accepts_its_variables(secret_folder: Path) -> None:
    environment = {
        name: value.replace("/secrets", str(secret_folder))
        for name, value in TALKMETER["environment"].items()
    }

    settings = load(environment=environment)

    assert settings.asterisk == "external"
    assert settings.ami_secret is not None
    assert settings.url.startswith("postgresql+asyncpg://talkmeter:")
    assert settings.state_dir.as_posix() in mounts("talkmeter")


def test_the_entrypoint_reads_the_variables_that_asterisk_is_given() -> None:
    text = (CONF / "entrypoint").read_text(encoding="utf-8")
    folders = {"ASTERISK_ETC", "ASTERISK_LOG"}  # the image has them where they are by default

    # Only where the carrier of calls to phones wants a login.
    login = {"ASTERISK_OUTBOUND_USERNAME", "ASTERISK_OUTBOUND_SECRET_FILE"}
    read = set(re.findall(r"(?:\$\{|value )(ASTERISK_\w+)", text))

    assert read - folders - login == set(ASTERISK["environment"])


# --- addresses and ports


def test_addresses_lie_in_their_networks() -> None:
    for name, service in SERVICES.items():
        networks = service.get("networks", {})
        for network in networks if isinstance(networks, dict) else ():
            if networks[network]:
                subnet = COMPOSE["networks"][network]["ipam"]["config"][0]["subnet"]
                there = ipaddress.ip_network(subnet)
                assert ipaddress.ip_address(address(name, network)) in there


def test_asterisk_and_talkmeter_let_in_each_other_and_nobody_else() -> None:
    asterisk, talkmeter = ASTERISK["environment"], TALKMETER["environment"]
    inside = address("asterisk", "inside"), address("talkmeter", "inside")

    assert COMPOSE["networks"]["inside"]["internal"]
    assert asterisk["ASTERISK_AMI_ADDRESS"] == talkmeter["TALKMETER_AMI_HOST"] == inside[0]
    assert asterisk["ASTERISK_AMI_PORT"] == talkmeter["TALKMETER_AMI_PORT"]
    assert asterisk["ASTERISK_AMI_PEERS"] == f"{inside[1]}/255.255.255.255"
    assert talkmeter["TALKMETER_AGI_HOST"] == inside[1]
    assert talkmeter["TALKMETER_AGI_PEERS"] == inside[0]
    assert asterisk["ASTERISK_AGI"] == f"{inside[1]}:{talkmeter['TALKMETER_AGI_PORT']}"


def test_only_callers_of_this_machine_are_a_trunk() -> None:
    outside = COMPOSE["networks"]["outside"]["ipam"]["config"][0]

    assert ASTERISK["environment"]["ASTERISK_TRUNK_PEERS"] == f"{outside['gateway']}/32"


def test_published_ports_are_the_ones_listened_on() -> None:
    asterisk, talkmeter = ASTERISK["environment"], TALKMETER["environment"]
    sip, rtp = ASTERISK["ports"]
    (web,) = TALKMETER["ports"]

    assert sip.endswith(f":{asterisk['ASTERISK_SIP_BIND'].rpartition(':')[2]}/udp")
    low_high = asterisk["ASTERISK_RTP_PORTS"]
    assert rtp == f"127.0.0.1:{low_high}:{low_high}/udp"
    assert web.endswith(f":{talkmeter['TALKMETER_WEB_PORT']}")
    exposed = [step.words for name in ("asterisk", "talkmeter") for step in steps(name, "EXPOSE")]
    assert exposed == ["5060/udp", "8080/tcp 4573/tcp"]


# --- volumes and secrets


def test_talkmeter_reads_the_channel_event_log_that_asterisk_writes() -> None:
    file = Path(TALKMETER["environment"]["TALKMETER_CEL_FILE"])
    mapping = (CONF / "cel_custom.conf").read_text(encoding="utf-8")

    assert mounts("asterisk")["/var/log/asterisk/cel-custom"] == ("records", "rw")
    assert mounts("talkmeter")[file.parent.as_posix()] == ("records", "ro")
    assert f"\n{file.name} => " in mapping


def test_who_may_write_what() -> None:
    writers: dict[str, set[str]] = {}
    for name in SERVICES:
        for volume, mode in mounts(name).values():
            if mode == "rw":
                writers.setdefault(volume, set()).add(name)

    assert writers == {
        "ami-secret": {"secrets"},
        "database-secret": {"secrets"},
        "database": {"database"},
        "records": {"asterisk"},
        "shared": {"asterisk", "talkmeter"},
        "asterisk-state": {"asterisk"},
        "asterisk-log": {"asterisk"},
        "state": {"talkmeter", "upgrade"},
    }


@pytest.mark.parametrize("name", SERVICES)
def test_every_secret_that_is_read_is_made_and_mounted(name: str, secret_folder: Path) -> None:
    made_at = {volume: folder for folder, (volume, _) in mounts("secrets").items()}

    for variable, value in SERVICES[name].get("environment", {}).items():
        if variable.endswith("_FILE") and variable != "TALKMETER_CEL_FILE":
            path = Path(value)
            volume, _ = mounts(name)[path.parent.as_posix()]
            made = Path(made_at[volume]) / path.name
            assert (secret_folder / made.relative_to("/secrets")).is_file()


def test_secrets_are_made_once_and_belong_to_their_reader(secret_folder: Path) -> None:
    before = {path: path.read_text("ascii") for path in secret_folder.rglob("*") if path.is_file()}

    again = script("make-secrets", str(secret_folder))

    assert again.returncode == 0
    assert {path: path.read_text("ascii") for path in before} == before
    assert len(before) == 3
    assert all(path.stat().st_mode & 0o777 == 0o400 for path in before)
    password = before[secret_folder / "database/password"].strip()
    assert re.fullmatch(r"[0-9a-f]{64}", password)
    assert before[secret_folder / "ami/secret"].strip() != password
    owner = SERVICES["database"]["environment"]
    url = f"postgresql+asyncpg://{owner['POSTGRES_USER']}:{password}"
    assert before[secret_folder / "database/url"] == f"{url}@database:5432/{owner['POSTGRES_DB']}\n"


def test_secrets_are_given_to_the_users_that_run_the_services() -> None:
    text = (CONF / "make-secrets").read_text(encoding="utf-8")
    users = dict(re.findall(r"^(\w+)_user=(\d+)$", text, re.MULTILINE))

    assert SERVICES["database"]["user"] == f"{users['database']}:{users['database']}"
    for name in ("asterisk", "talkmeter"):
        (user,) = steps(name, "USER")
        assert user.words == f"{users['talkmeter']}:{users['talkmeter']}"
    for mount in ASTERISK["tmpfs"][1:]:
        assert f"uid={users['talkmeter']},gid={users['talkmeter']}," in mount


# --- images


@pytest.mark.parametrize("path", BUILT)
def test_what_an_image_copies_is_there_and_is_sent_to_the_builder(path: str) -> None:
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    sent = [line.removeprefix("!") for line in ignore if line.startswith("!")]

    for step in IMAGES[path]:
        if step.name == "COPY":
            for source in step.paths[:-1]:
                assert list(ROOT.glob(source)), f"{path}: {source}"
                top = [part for part in sent if fnmatch.fnmatch(source, f"{part}*")]
                assert top, f"{path}: {source} is left out by .dockerignore"


def test_asterisk_finds_the_files_where_it_looks() -> None:
    copied = {step.paths[-1]: step.paths[:-1] for step in steps("asterisk", "COPY")}
    sounds = f"/usr/share/asterisk/sounds/{configure.LANGUAGE}/{PROMPT_FOLDER}"

    assert copied["/etc/asterisk/"] == ["asterisk-conf/*.conf"]
    assert copied[sounds] == [f"asterisk-conf/prompts/{configure.LANGUAGE}"]
    text = (CONF / "entrypoint").read_text(encoding="utf-8")
    assert "${ASTERISK_ETC:-/etc/asterisk}/node" in text
    assert "${ASTERISK_LOG:-/var/log/asterisk}" in text
    (command,) = steps("asterisk", "CMD")
    assert "/etc/asterisk/asterisk.conf" in json.loads(command.words)


def test_scripts_that_are_started_are_copied_and_may_be_started() -> None:
    (copied,) = [step for step in steps("asterisk", "COPY") if "/usr/local/bin/" in step.words]
    (entry,) = steps("asterisk", "ENTRYPOINT")
    started = [*json.loads(entry.words), *SERVICES["secrets"]["entrypoint"]]

    names = {Path(source).name: source for source in copied.paths[:-1]}

    assert {f"/usr/local/bin/{name}" for name in names} == set(started)
    for source in names.values():
        assert os.access(ROOT / source, os.X_OK), source
        assert (ROOT / source).read_bytes().startswith(b"#!/bin/sh\n")


def test_what_is_copied_can_be_read_by_the_user_of_the_image() -> None:
    for name, folder in (("asterisk", "/etc/asterisk"), ("talkmeter", "/opt/talkmeter")):
        image = IMAGES[SERVICES[name]["build"]["dockerfile"]]
        places = {step.name: place for place, step in enumerate(image) if step.name != "RUN"}
        readable = next(
            place
            for place, step in enumerate(image)
            if re.search(rf"chmod -R a\+rX {folder}\b", step.words)
        )

        assert places["COPY"] < readable < places["USER"]


def test_volumes_begin_with_folders_that_their_user_owns() -> None:
    for name, folders in (
        ("asterisk", ("/var/lib/asterisk", "/var/log/asterisk", "/var/log/asterisk/cel-custom")),
        ("talkmeter", ("/var/lib/talkmeter",)),
    ):
        made = " ".join(step.words for step in steps(name, "RUN") if "install -d" in step.words)
        assert "-o talkmeter -g talkmeter" in made
        for folder in folders:
            assert folder in made.split()
            assert folder in mounts(name)


def test_the_image_of_the_service_installs_what_is_locked() -> None:
    runs = [step.words for step in steps("talkmeter", "RUN")]

    installs = [words for words in runs if "pip install" in words]

    assert installs[0] == "pip install --require-hashes -r .ci/requirements.txt"
    assert installs[1].startswith("pip install --no-deps --editable .")
    assert "--hash=sha256:" in (ROOT / ".ci/requirements.txt").read_text(encoding="ascii")
    (base,) = steps("talkmeter", "FROM")
    assert base.words.startswith("python:3.11-slim")


@pytest.mark.parametrize(
    "command", [json.loads(steps("talkmeter", "CMD")[0].words), SERVICES["upgrade"]["command"]]
)
def test_commands_of_the_containers_exist(command: list[str]) -> None:
    assert command[0] == "talkmeter"

    answer = CliRunner().invoke(cli.app, [*command[1:], "--help"])

    assert answer.exit_code == 0


def test_the_catalog_that_the_first_lines_name_is_in_the_image() -> None:
    (path,) = re.findall(r"catalog apply (\S+)", TEXT)

    assert (ROOT / path).is_file()
    (folder,) = steps("talkmeter", "WORKDIR")
    assert folder.words == "/opt/talkmeter"
    assert any(step.words == "ivr ivr" for step in steps("talkmeter", "COPY"))


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_the_health_check_of_the_service_asks_readyz(status: int, healthy: bool) -> None:  # noqa: FBT001 - a table
    asked: list[str] = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    (step,) = steps("talkmeter", "HEALTHCHECK")
    command = json.loads(step.words.partition("CMD ")[2])
    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.handle_request, name="readyz", daemon=True).start()
        checked = subprocess.run(
            [sys.executable, *command[1:]],
            env={"TALKMETER_WEB_PORT": str(server.server_port)},
            capture_output=True,
            timeout=20,
            check=False,
        )

    assert command[0] == "python"
    assert (checked.returncode == 0) is healthy
    assert asked == ["/readyz"]
