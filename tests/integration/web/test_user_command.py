"""`talkmeter user`: people who log in and tokens of programs, made on the command line."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from billing.storage.engine import create
from ivr.web.factor import totp
from ivr.web.factor.store import Factors
from tests.site import Site, browser, log_in, served

ROOT = Path(__file__).parent.parent.parent.parent


def talkmeter(folder: Path, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ivr", "user", *arguments],
        cwd=ROOT,
        env=os.environ | {"TALKMETER_STATE_DIR": str(folder)},
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def test_a_generated_password_is_printed_once_and_opens_the_door(site: Site, tmp_path: Path):
    added = talkmeter(tmp_path, "add", "rita", "--role", "client", "--subject", "acme", "--json")
    listed = talkmeter(tmp_path, "list", "--json")
    user = json.loads(added.stdout)

    async with served(site) as server, browser(server) as client:
        answer = await log_in(client, "rita", user["password"])
    assert answer.headers["Location"] == "/portal"
    assert user["password"] not in listed.stdout
    assert user["password"].encode() not in (tmp_path / "talkmeter.db").read_bytes()
    assert {
        "login": "rita", "role": "client", "subject": "acme", "disabled": False,
        "rights": ["calls", "lines", "money", "users"],
    } in json.loads(listed.stdout)  # fmt: skip


async def test_a_password_comes_from_stdin_or_a_file_and_replaces_the_old_one(
    site: Site, tmp_path: Path
):
    file = tmp_path / "password"
    file.write_text("the first password 1\n", encoding="utf-8")
    added = talkmeter(tmp_path, "add", "rita", "--password-file", str(file))
    changed = talkmeter(
        tmp_path, "passwd", "rita", "--password-file", "-", typed="the second password 2\n"
    )

    async with served(site) as server, browser(server) as client:
        old = await log_in(client, "rita", "the first password 1")
        new = await log_in(client, "rita", "the second password 2")
    assert (added.returncode, changed.returncode) == (0, 0)
    assert "password 1" not in added.stdout + added.stderr
    assert (old.status, new.status) == (403, 303)


async def test_a_token_opens_the_api_for_its_subject_alone(site: Site, tmp_path: Path):
    made = talkmeter(
        tmp_path, "token", "books", "--role", "client", "--subject", "acme", "--days", "2", "--json"
    )
    headers = {"Authorization": f"Bearer {json.loads(made.stdout)['token']}"}

    site.deps = replace(site.deps, engine=create(str(site.desk.engine.url)))
    async with served(site) as server, browser(server) as client:
        report = await client.get("/api/v1/reports/split?client=globex", headers=headers)
        accounts = await client.get("/api/v1/accounts", headers=headers)
    await site.deps.engine.dispose()
    assert (report.status, accounts.status) == (200, 403)


async def test_a_second_factor_is_switched_off_for_who_lost_the_phone(site: Site, tmp_path: Path):
    deps = site.deps
    factors = Factors(engine=deps.engine, clock=deps.clock, key=deps.web_key)
    secret = await factors.begin(1) or b""
    await factors.confirm(1, totp.code_at(secret, totp.step_of(site.now_us())))
    done = talkmeter(tmp_path, "factor-off", "olga", "--json")

    async with served(site) as server, browser(server) as client:
        answer = await log_in(client, "olga")
    assert json.loads(done.stdout) == {"login": "olga", "second_factor": "off"}
    assert answer.headers["Location"] == "/admin"


@pytest.mark.parametrize(
    ("arguments", "typed", "code", "words"),
    [
        (("add", "olga"), "", 1, "exists already"),
        (("add", "Bad Login"), "", 1, "a login is 2 to 64"),
        (("add", "x1", "--role", "king"), "", 2, "referrer or caller"),
        (("add", "x1", "--role", "client"), "", 1, "needs the code of its client"),
        (("add", "x1", "--role", "caller", "--subject", "nobody"), "", 1, "no account 'nobody'"),
        (("add", "x1", "--role", "reseller", "--subject", "zed"), "", 1, "names a reseller 'zed'"),
        (("add", "x1", "--rights", "king"), "", 1, "one of: administrator, finance"),
        (("add", "x1", "--password-file", "-"), "P@ssw0rd-2024!\n", 1, "words that everybody"),
        (("add", "x1", "--subject", "acme"), "", 1, "an operator has no subject"),
        (("add", "x1", "--password-file", "-"), "short\n", 1, "12 to 128 characters"),
        (("add", "x1", "--password-file", "-"), "aaaaaaaaaaaaaaaa\n", 1, "too easy to guess"),
        (("add", "rita", "--password-file", "-"), "rita-1234567890\n", 1, "too easy to guess"),
        (("add", "x1", "--password-file", "/nowhere/x"), "", 1, "cannot be read"),
        (("passwd", "nobody"), "", 1, "there is no user 'nobody'"),
        (("factor-off", "nobody"), "", 1, "there is no user 'nobody'"),
        (("factor-off", "olga"), "", 1, "olga has no second factor"),
        (("token", "x y"), "", 1, "a name is 1 to 64"),
    ],
)
def test_a_mistake_is_one_sentence(
    site: Site, tmp_path: Path, arguments: tuple[str, ...], typed: str, code: int, words: str
):
    before = _users(tmp_path)

    done = talkmeter(tmp_path, *arguments, typed=typed)

    # Typer draws a frame around usage errors and wraps their words.
    text = " ".join(done.stderr.replace("\u2502", " ").split())
    assert done.returncode == code
    assert words in text
    assert "Traceback" not in text
    assert _users(tmp_path) == before


def _users(folder: Path) -> list[object]:
    with sqlite3.connect(folder / "talkmeter.db") as connection:
        rows = connection.execute("SELECT login, password_hash FROM users ORDER BY 1").fetchall()
    connection.close()
    return rows
