"""asterisk-conf/ keeps its word: includes, sounds, modules, rights, and what a caller can reach.

The files are read as text, as Asterisk reads them; what only a running Asterisk can prove is in
tests/e2e.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from billing.domain.tariffs import Tariff, Tier
from ivr.agi.leg import PROMPT_FOLDER
from ivr.ami import cel
from ivr.flows import speech
from ivr.flows.numbers import number
from ivr.flows.prompts import LAST_WORDS, NAMED_TOPICS, Prompt, topic_prompt
from ivr.sandbox import configure
from ivr.sandbox.fetch import AsteriskMissing, ensure
from ivr.sandbox.prompts import texts
from ivr.settings import Settings, load

ROOT = Path(__file__).parent.parent
CONF = ROOT / "asterisk-conf"
FILES = sorted(CONF.glob("*.conf"))
DIALPLAN = CONF / "extensions.conf"

# Application -> the module that brings it; the empty ones are part of Asterisk itself.
APPLICATIONS = {
    "AGI": "res_agi.so",
    "Answer": "",
    "Bridge": "",
    "ChanSpy": "app_chanspy.so",
    "Dial": "app_dial.so",
    "Gosub": "app_stack.so",
    "Goto": "",
    "GotoIf": "",
    "Hangup": "",
    "MixMonitor": "app_mixmonitor.so",
    "MusicOnHold": "res_musiconhold.so",
    "Playback": "app_playback.so",
    "Queue": "app_queue.so",
    "Read": "app_read.so",
    "Return": "app_stack.so",
    "Ringing": "",
    "Set": "",
    "Wait": "",
}
FUNCTIONS = {
    "CALLERID": "func_callerid.so",
    "CDR": "func_cdr.so",
    "CHANNEL": "func_channel.so",
    "CSV_QUOTE": "func_strings.so",
    "DEVICE_STATE": "func_devstate.so",
    "FILTER": "func_strings.so",
    "LEN": "func_strings.so",
    "MASTER_CHANNEL": "func_channel.so",
    "TIMEOUT": "func_timeout.so",
}
# Manager action -> the classes of which one lets an account send it.
ACTIONS = {
    "AbsoluteTimeout": {"call", "system"},
    "CoreShowChannels": {"reporting", "system"},
    "Getvar": {"call", "reporting", "system"},
    "CoreStatus": {"reporting", "system"},
    "Hangup": {"call", "system"},
    "Login": set[str](),
    "Originate": {"originate"},
    "Ping": set[str](),
    "Redirect": {"call"},
    "CoreSettings": {"reporting", "system"},
    "QueueReload": set[str](),
    "QueueStatus": set[str](),
    "Setvar": {"call"},
}
# What the dialplan itself sets, or the node: nothing a caller sent.
TRUSTED = {"TALKMETER_AGENT", "TALKMETER_AGI", "TALKMETER_DID", "TALKMETER_DONE"}


def lines(file: Path) -> list[str]:
    text = file.read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.strip() and not line.startswith(";")]


def sections(file: Path) -> dict[str, list[tuple[str, str]]]:
    """Section -> its settings in order; an include is a setting named #include."""
    found: dict[str, list[tuple[str, str]]] = {}
    here = found.setdefault("", [])
    for line in lines(file):
        if match := re.fullmatch(r"\[([\w-]+)\](?:\(!\))?", line):
            here = found.setdefault(match[1], [])
        elif match := re.fullmatch(r'#tryinclude "([\w./-]+)"', line):
            here.append(("#tryinclude", match[1]))
        elif match := re.fullmatch(r'#include "([\w./-]+)"', line):
            here.append(("#include", match[1]))
        else:
            name, equals, value = line.partition("=")
            assert equals, f"{file.name}: {line}"
            here.append((name.strip(), value.removeprefix(">").strip()))
    return found


def dialplan_steps() -> Iterator[tuple[str, str]]:
    """Each step as (context, application with its arguments)."""
    for context, settings in sections(DIALPLAN).items():
        for name, value in settings:
            if name in {"exten", "same"}:
                yield context, value.split(",", 2 if name == "exten" else 1)[-1]


def loaded() -> set[str]:
    return {
        value for name, value in sections(CONF / "modules.conf")["modules"] if name != "autoload"
    }


def node_files() -> dict[str, str]:
    names = {field.name for field in fields(configure.Ports)} - {"agi_host"}
    numbers = dict.fromkeys(names, 5000)
    ports = configure.Ports(agi_host="127.0.0.1", **numbers)
    return configure.node_files(ports, "s" * 64, Path("/shared"))


# --- files


def test_every_include_is_a_node_file_and_every_node_file_is_included() -> None:
    included = [
        value
        for file in FILES
        for settings in sections(file).values()
        for name, value in settings
        if name == "#include"
    ]

    assert sorted(included) == sorted(f"node/{name}" for name in node_files())


def test_only_the_queues_are_included_if_they_are_there() -> None:
    tried = [file.name for file in FILES if "#tryinclude" in file.read_text("utf-8")]

    assert tried == []
    assert node_files()["queues.conf"] == '#tryinclude "/shared/queues.conf"\n'


def test_node_files_are_not_kept() -> None:
    assert not list((CONF / "node").glob("*.conf"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_static_files_hold_no_secret_and_no_address(file: Path) -> None:
    for line in lines(file):
        assert not re.match(r"(secret|password|auth_pass)\s*=", line), line
        assert not re.search(r"\d+\.\d+\.\d+\.\d+", line.replace("0.0.0.0", "")), line


# --- modules


def used_applications() -> set[str]:
    dialplan = {step.partition("(")[0] for _, step in dialplan_steps()}
    service = {
        name
        for file in (ROOT / "ivr/agi/leg.py", ROOT / "ivr/ami/switch.py")
        for name in re.findall(
            r'EXEC (\w+)|"Application": "(\w+)"', file.read_text(encoding="utf-8")
        )
        for name in name
        if name
    }
    assert {"Dial", "Read", "Playback", "ChanSpy"} <= service
    return dialplan | service


def test_modules_bring_every_application_that_is_used() -> None:
    for name in used_applications():
        assert APPLICATIONS[name] in loaded() | {""}, name


def test_modules_bring_every_function_that_is_used() -> None:
    for file in (DIALPLAN, CONF / "cel_custom.conf", CONF / "cdr_custom.conf"):
        for name in re.findall(r"\b([A-Z_]{3,})\(", "\n".join(lines(file)).replace("AGI(", "")):
            assert FUNCTIONS[name] in loaded(), name


def test_nothing_is_loaded_by_itself_or_twice() -> None:
    settings = sections(CONF / "modules.conf")["modules"]

    modules = [value for name, value in settings if name != "autoload"]

    assert ("autoload", "no") in settings
    assert {name for name, _ in settings} == {"autoload", "load", "require"}
    assert len(modules) == len(set(modules))


def test_no_module_opens_another_door() -> None:
    doors = r"http|ari|anonymous|registrar|iax|mgcp|skinny|unistim|websocket|app_system|func_shell"

    assert not [name for name in loaded() if re.search(doors, name)]


@pytest.mark.asterisk
async def test_this_asterisk_has_every_module() -> None:
    try:
        binary = await asyncio.to_thread(ensure, lambda _step: None)
    except AsteriskMissing as error:
        pytest.skip(str(error))

    missing = {name for name in loaded() if not (binary.modules / name).is_file()}

    assert not missing


# --- the dialplan


def test_what_a_caller_sends_is_used_only_behind_a_filter() -> None:
    allowed = r"(?:[A-Za-z0-9+/&._ -]|\\x2D)+"  # the hyphen as FILTER reads it
    for _, step in dialplan_steps():
        # The length of something hostile is a number.
        rest = re.sub(r"\$\{LEN\(\$\{(?:EXTEN|TALKMETER_DID)\}\)\}", "", step)
        rest = re.sub(rf"\$\{{FILTER\({allowed},\$\{{[\w()]+\}}\)\}}", "", rest)

        assert set(re.findall(r"\$\{([^}]+)", rest)) <= TRUSTED, step


def test_what_is_trusted_is_set_from_a_filter_or_a_constant() -> None:
    for _, step in dialplan_steps():
        if match := re.fullmatch(r"Set\((TALKMETER_\w+)=(.*)\)", step):
            assert match[1] in TRUSTED
            name = r"\$\{FILTER\(a-z0-9\._\\x2D,\$\{(MEMBERNAME|TALKMETER_MEMBER)\}\)\}"
            constant = match[2] in {"", "${FILTER(0-9,${EXTEN})}"}
            assert constant or re.fullmatch(name, match[2])


def test_caller_id_is_cleaned_before_the_service_hears_of_the_call() -> None:
    steps = [step for context, step in dialplan_steps() if context == "talkmeter-call"]
    first_agi = next(place for place, step in enumerate(steps) if step.startswith("AGI("))

    before = "\n".join(steps[:first_agi])

    for name in ("num", "name", "dnid", "rdnis"):
        assert f"Set(CALLERID({name})=" in before
    assert "Set(AGIEXITONHANGUP=yes)" in before
    assert re.search(r"Set\(TIMEOUT\(absolute\)=\d+\)", before)
    assert "Set(TALKMETER_DONE=)" in before


def test_the_paths_of_the_dialplan_are_those_that_the_service_routes() -> None:
    asked = re.findall(r"AGI\(agi://\$\{TALKMETER_AGI\}/(\w+),", DIALPLAN.read_text("utf-8"))
    router = (ROOT / "ivr/app.py").read_text(encoding="utf-8")

    flows = re.search(r"^FLOWS: Final = \{(.+?)\}$", router, re.MULTILINE | re.DOTALL)
    assert flows
    named = re.findall(r'"(\w+)": ', flows[1])

    assert asked == ["call", "farewell", "wish", "consult", "consulted", "callback"]
    # Whatever is not named is a call.
    assert sorted(named) == sorted(set(asked) - {"call"})


def test_a_call_without_proof_of_a_clean_end_hears_an_apology() -> None:
    steps = [step for context, step in dialplan_steps() if context == "talkmeter-call"]

    assert steps[-3:] == ["Answer()", "Playback(talkmeter/technical-problem)", "Hangup()"]
    assert steps.count('GotoIf($["${TALKMETER_DONE}" = "1"]?done)') == 2


def test_the_contexts_that_the_service_dials_into_are_there() -> None:
    contexts = sections(DIALPLAN)
    service = "".join(
        (ROOT / name).read_text("utf-8") for name in ("ivr/agi/leg.py", "ivr/ami/switch.py")
    )

    named = set(re.findall(r"talkmeter-(?!\d)[a-z]+(?:-[a-z]+)*", service))

    assert named >= {"talkmeter-agent", "talkmeter-demo", "talkmeter-whisper"}
    assert named - {"talkmeter-"} <= set(contexts)


def test_agents_phones_and_trunks_lead_nowhere_else() -> None:
    pjsip = sections(CONF / "pjsip.conf")
    endpoints = {
        name: dict(items) for name, items in pjsip.items() if ("type", "endpoint") in items
    }

    assert set(endpoints) == {"trunk", "agents", "outbound"}
    assert endpoints["trunk"]["context"] == "talkmeter-in"
    assert endpoints["agents"]["context"] == "talkmeter-nowhere"
    assert endpoints["outbound"]["context"] == "talkmeter-nowhere"
    assert sections(DIALPLAN)["talkmeter-nowhere"] == []
    for endpoint in endpoints.values():
        assert endpoint["allow_transfer"] == "no"
        assert endpoint["allow_subscribe"] == "no"
        assert endpoint["direct_media"] == "no"
    assert dict(pjsip["global"])["endpoint_identifier_order"] == "ip"
    assert endpoints["trunk"]["identify_by"] == "ip"


# --- the manager


def manager() -> list[tuple[str, str]]:
    return sections(CONF / "manager.conf")[configure.AMI_USERNAME]


def test_the_managers_account_is_the_one_that_the_service_uses() -> None:
    assert set(sections(CONF / "manager.conf")) - {""} == {"general", configure.AMI_USERNAME}
    assert Settings().ami_username == configure.AMI_USERNAME


def test_the_manager_may_do_what_the_service_asks_and_nothing_else() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "ivr/ami").glob("*.py")]
    sent = {name for text in sources for name in re.findall(r'"Action": "(\w+)"', text)}

    rights = set(dict(manager())["write"].split(","))

    for name in sent:
        assert not ACTIONS[name] or ACTIONS[name] & rights, name
    assert rights == {"call", "originate", "reporting"}
    assert set(dict(manager())["read"].split(",")) <= {"call", "cdr"}


def test_the_manager_hears_the_events_that_the_service_understands() -> None:
    text = (ROOT / "ivr/ami/events.py").read_text(encoding="utf-8")

    cases = "".join(re.findall(r"^        case ([^:]+?)(?: if .+)?:$", text, re.MULTILINE))
    understood = set(re.findall(r'"(\w+)"', cases))

    filters = [re.fullmatch(r"eventfilter\(name\((\w+)\)\)", name) for name, _ in manager()]

    assert {match[1] for match in filters if match} == understood


def test_nobody_reaches_the_manager_unless_the_node_permits_it() -> None:
    names = [name for name, _ in manager()]
    values = [value for _, value in manager()]
    general = sections(CONF / "manager.conf")["general"]

    assert values[names.index("deny")] == "0.0.0.0/0.0.0.0"
    assert ("deny", "::/0") in manager()
    assert values.index("node/manager_permit.conf") > values.index("::/0")
    assert ("webenabled", "no") in general
    assert ("timestampevents", "yes") in general


# --- records


def test_the_channel_event_log_has_the_columns_that_the_service_reads() -> None:
    ((name, mapping),) = sections(CONF / "cel_custom.conf")["mappings"]

    columns = re.findall(r"\$\{CSV_QUOTE\(\$\{(\w+(?:\(\w+\))?)\}\)\}", mapping)

    assert name == configure.Home(root=Path("/x")).cel.name
    assert columns == [
        "eventtype",
        "eventtime",
        "CHANNEL(uniqueid)",
        "CHANNEL(linkedid)",
        "CHANNEL(channame)",
        "eventextra",
    ]
    assert len(columns) == cel.COLUMNS


def test_the_events_that_calls_are_settled_by_are_written() -> None:
    general = dict(sections(CONF / "cel.conf")["general"])

    assert general["enable"] == "yes"
    assert set(general["events"].split(",")) == {"BRIDGE_ENTER", "BRIDGE_EXIT", "HANGUP"}


# --- sounds

WORDS = texts(CONF / "prompts/en.txt")
SOUNDS = CONF / "prompts/en"


def spoken_names() -> set[str]:
    """Every name that a flow or the dialplan can ask for."""
    names: set[str] = {*Prompt, *LAST_WORDS.values()}
    for value in (*range(1200), 999_999_999, -7, 12_345_678):
        names.update(number(value, "en"))
    for currency in (*speech.SPOKEN_CURRENCIES, "CHF"):
        for cents in (0, 1, 2, 100, 101, 250, -150):
            names.update(speech.money(cents * speech.MICROS_PER_CENT, currency))
            names.update(speech.cost(cents * speech.MICROS_PER_CENT, currency))
    for seconds in (0, 1, 2, 119, 120, 3600, 3660, 7320):
        names.update(speech.duration(seconds))
    tiers = tuple(
        Tier(from_seconds=start, price=500_000, per_seconds=60) for start in (0, 60, 1200)
    )
    tariff = Tariff(name="standard", currency="USD", setup_fee=5_000_000, tiers=tiers)
    names.update(speech.price(tariff, tiers))
    for digit in range(10):
        names.add(f"num-{digit}")
        names.add(topic_prompt(digit=digit, name="Something else"))
    names.update(topic_prompt(digit=1, name=name.title()) for name in NAMED_TOPICS)
    names.update(re.findall(rf"{PROMPT_FOLDER}/([\w-]+)\)", DIALPLAN.read_text(encoding="utf-8")))
    return names


def test_everything_that_can_be_said_has_a_text_and_a_sound() -> None:
    for name in sorted(spoken_names()):
        assert name in WORDS, f"{name} is not in en.txt"
        assert (SOUNDS / f"{name}.ulaw").is_file(), f"{name} has no sound: make prompts"


def test_every_text_has_a_sound_and_every_sound_a_text() -> None:
    assert {path.name for path in SOUNDS.iterdir()} == {f"{name}.ulaw" for name in WORDS}


@pytest.mark.parametrize("name", WORDS)
def test_sounds_are_speech_of_a_sensible_length(name: str) -> None:
    sound = (SOUNDS / f"{name}.ulaw").read_bytes()

    seconds = len(sound) / 8000

    assert 0.1 < seconds < 1.5 + len(WORDS[name]) / 8
    # Mu-law has two silences; a sound has more than them.
    assert len(set(sound)) > 10


def test_numbers_and_currencies_are_complete() -> None:
    assert {f"topic-{name}" for name in NAMED_TOPICS} <= set(WORDS)
    assert {f"topic-{digit}" for digit in range(10)} <= set(WORDS)
    assert {f"num-{digit}" for digit in range(21)} <= set(WORDS)


# --- the instructions


README = (CONF / "README.md").read_text(encoding="utf-8")


def test_the_readme_tells_what_every_file_is_for() -> None:
    for path in CONF.iterdir():
        if path.is_file() and path.name != "README.md":
            assert f"`{path.name}`" in README, path.name
    for name in (*re.findall(r"`([\w-]+\.conf)`", README), "prompts/en.txt"):
        known = {"asterisk.conf", *node_files(), *(path.name for path in FILES)}
        assert name in known or (CONF / name).is_file(), name


def test_the_blocks_of_the_readme_write_the_node_files(tmp_path: Path) -> None:
    blocks = [line.strip() for line in README.splitlines() if line.startswith("    ")]
    wanted = [
        line for line in blocks if ("> /etc/" in line and "toml" not in line) or "secret=$(" in line
    ]
    for folder in ("asterisk/node", "talkmeter"):
        (tmp_path / folder).mkdir(parents=True)

    subprocess.run(
        ["sh", "-eu"],
        input="\n".join(wanted).replace("/etc/", f"{tmp_path}/"),
        text=True,
        check=True,
        timeout=20,
    )

    secret = (tmp_path / "talkmeter/ami.secret").read_text("ascii").strip()
    assert re.fullmatch(r"[0-9a-f]{64}", secret)
    written = {
        path.name: path.read_text("ascii") for path in (tmp_path / "asterisk/node").iterdir()
    }
    assert set(written) == set(node_files())
    for name, text in node_files().items():
        assert keys(written[name]) == keys(text), name
    assert written["manager_secret.conf"] == f"secret={secret}\n"


def keys(text: str) -> list[str]:
    return [
        line.replace("/var/lib/talkmeter-shared/", "/shared/").partition("=")[0]
        for line in text.splitlines()
    ]


def test_the_settings_of_the_readme_are_settings(tmp_path: Path) -> None:
    lines = re.findall(r"^        '(\w+ = .+)' \\$", README, re.MULTILINE)
    file = tmp_path / "talkmeter.toml"
    file.write_text("\n".join(lines), encoding="utf-8")

    settings = load(file, environment={})

    assert settings.asterisk == "external"
    assert settings.cel_file == Path("/var/log/asterisk/cel-custom/talkmeter.csv")
    for variable in re.findall(r"TALKMETER_(\w+)_FILE=", README):
        assert variable.lower() in Settings.model_fields
