"""The audit log is read by who may, and never changed by anybody."""

from __future__ import annotations

import csv
import io

import pytest
from sqlalchemy import delete, update
from sqlalchemy.exc import DBAPIError

from ivr.configuration import configured
from ivr.settings import Settings
from ivr.tables import audit_log
from ivr.web.scope import Role, Scope, Who
from ivr.web.state import Web
from tests.site import Site, browser, served, text_of


def _who(login: str, role: Role, subject: str | None) -> Who:
    scope = Scope(role=role, subject=subject)
    return Who(login=login, scope=scope, address="192.0.2.7", csrf="", session="")


async def _fill(site: Site) -> None:
    running = Web(site.deps)
    for number in range(60):
        await running.note(
            _who("olga", Role.OPERATOR, None), "top up", f"account-{number}",
            before="1.00 USD", after="2.00 USD",
        )  # fmt: skip
    await running.note(_who("acme", Role.CLIENT, "acme"), "add webhook", "acme-hook")
    await running.note(
        _who("globex", Role.CLIENT, "globex"), "add webhook", "=1+1", after="globex hook"
    )


@pytest.mark.parametrize("change", [update(audit_log).values(actor="nobody"), delete(audit_log)])
async def test_the_database_refuses_to_change_what_was_written(site_of_both: Site, change):
    await Web(site_of_both.deps).note(_who("olga", Role.OPERATOR, None), "top up", "alice")
    before = await site_of_both.rows("audit_log")

    with pytest.raises(DBAPIError, match="never changed"):
        async with site_of_both.desk.engine.begin() as connection:
            await connection.execute(change)

    assert before["audit_log"]
    assert await site_of_both.rows("audit_log") == before


async def test_an_operator_finds_a_change_and_pages_through_all(site: Site):
    await _fill(site)
    async with served(site) as server, browser(server, "olga") as client:
        first = await (await client.get("/admin/audit?what=top+up")).text()
        follow = first.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
        second = await (await client.get(follow)).text()
        one = text_of(await (await client.get("/admin/audit?subject=account-7")).text())
        none = text_of(await (await client.get("/admin/audit?who=nobody")).text())
        await client.get("/language/de")
        german = await (await client.get("/admin/audit?what=aufgeladen")).text()

    assert (first.count("<del>"), second.count("<del>")) == (50, 10)
    assert german.count('data-label="Aktion">Aufgeladen<') == 50
    assert "Before: 1.00 USD" in one
    assert "account-8" not in one
    assert "No change matches" in none


async def test_a_company_reads_what_its_own_logins_did(site: Site):
    await _fill(site)
    async with served(site) as server, browser(server, "acme") as client:
        page = text_of(await (await client.get("/portal/audit")).text())
        file = await (await client.get("/portal/audit.csv?who=olga")).text()

    assert "acme-hook" in page
    assert "globex" not in page
    assert "account-" not in page
    assert file.splitlines() == ["at,who,role,company,address,action,subject,before,after"]


async def test_the_file_holds_no_formula(site: Site):
    await _fill(site)
    async with served(site) as server, browser(server, "olga") as client:
        answer = await client.get("/admin/audit.csv?who=globex")
        rows = list(csv.DictReader(io.StringIO(await answer.text())))

    assert rows[-1]["subject"] == "'=1+1"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit.csv"'


def test_settings_are_shown_without_secrets():
    settings = Settings(
        database_url="postgresql+asyncpg://talk:hunter22@db/talk", ami_secret="hunter22"
    )
    groups = configured(settings, {"TALKMETER_AMI_SECRET_FILE": "/run/secret"})
    shown = {one.name: one for group in groups.values() for one in group}

    assert "hunter22" not in str(groups)
    assert shown["ami_secret"].value == "set"
    assert shown["ami_secret"].source == "TALKMETER_AMI_SECRET_FILE"
    assert shown["web_port"].source == "default"
    assert shown.keys() == Settings.model_fields.keys()
    assert all(one.meaning for group, found in groups.items() if group != "Other" for one in found)
