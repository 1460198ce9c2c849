"""Logins are managed by who may: rights, state, passwords, second factor, sessions."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

import pytest
from sqlalchemy import select

from billing.errors import Refused
from ivr.tables import audit_log, users
from ivr.web.factor import totp
from ivr.web.logins.manage import set_disabled
from ivr.web.rights import ALL
from ivr.web.scope import Right, Role, Scope, Who
from tests.site import PASSWORD, Browser, Site, browser, csrf_of, log_in, served, text_of

FRESH = "vivid lantern quarrel 7"


async def _post(client: Browser, path: str, page: str = "/settings", **form: str):
    csrf = csrf_of(await (await client.get(page)).text())
    return await client.post(path, data={"csrf": csrf, **form}, allow_redirects=False)


async def test_a_generated_password_opens_only_the_page_that_changes_it(site: Site):
    async with served(site) as server, browser(server, "olga") as operator:
        shown = await (
            await _post(operator, "/admin/new-user", login="rita", role="operator", rights="")
        ).text()
        password = re.findall(r'id="secret">([^<]+)<', shown)[0]
        async with browser(server) as client:
            entered = await log_in(client, "rita", password)
            page = await client.get("/admin/accounts", allow_redirects=False)
            form = {"new_password": FRESH, "new_password_again": FRESH}
            kept = await _post(
                client, "/settings/first", "/settings/first",
                new_password=password, new_password_again=password,
            )  # fmt: skip
            blocked = await _post(client, "/admin/new-account", "/settings/first", code="carol")
            changed = await _post(client, "/settings/first", "/settings/first", **form)
            free = await client.get("/admin/accounts")
        async with browser(server) as client:
            old = await log_in(client, "rita", password)
        again = await (await operator.get("/admin/users/rita")).text()

    assert entered.headers["Location"] == "/admin"
    assert page.headers["Location"] == blocked.headers["Location"] == "/settings/first"
    assert (kept.status, changed.headers["Location"], free.status) == (422, "/admin", 200)
    assert old.status == 403
    assert password not in again


async def test_a_role_that_needs_a_second_factor_sets_it_up_before_anything_else(site: Site):
    site.deps = replace(site.deps, require_second_factor=frozenset({"operator"}))
    async with served(site) as server, browser(server, "olga") as client:
        page = await client.get("/admin", allow_redirects=False)
        setup = await _post(
            client, "/settings/factor/begin", "/settings/first", factor_password=PASSWORD
        )
        secret = re.findall(r'id="secret">([^<]+)<', await setup.text())[0]
        code = totp.code_at(_decoded(secret), totp.step_of(site.now_us()))
        await _post(client, "/settings/factor/confirm", "/settings/first", code=code)
        free = await client.get("/admin", allow_redirects=False)
        off = await _post(client, "/settings/factor/off", off_password=PASSWORD, off_code=code)
        async with browser(server, "acme") as company:
            other = await company.get("/portal", allow_redirects=False)

    assert page.headers["Location"] == "/settings/first"
    assert (free.status, off.status, other.status) == (200, 422, 200)


def _decoded(secret: str) -> bytes:
    import base64

    bare = secret.replace(" ", "")
    return base64.b32decode(bare + "=" * (-len(bare) % 8))


async def test_a_company_adds_logins_of_its_own_whatever_the_form_says(site: Site):
    async with served(site) as server, browser(server, "acme") as client:
        page = await _post(
            client, "/portal/new-user", login="agnes", role="operator", subject="globex",
            rights="client:desk", must_change="", disabled="",
        )  # fmt: skip
    async with site.desk.engine.connect() as connection:
        row = (await connection.execute(select(users).where(users.c.login == "agnes"))).one()

    assert page.status == 200
    assert (row.role, row.subject, row.rights, row.must_change) == (
        "client", "acme", "calls", True,
    )  # fmt: skip


async def test_nobody_hands_out_or_takes_more_than_he_holds(site: Site):
    few = frozenset({Right.USERS, Right.CALLS})
    await site.login("vera", Role.OPERATOR, rights=few)
    await site.login("rita", Role.OPERATOR, rights=frozenset())
    async with served(site) as server, browser(server, "vera") as client:
        given = await _post(client, "/admin/users/rita/rights", money="yes", calls="yes")
        added = await _post(
            client, "/admin/new-user", login="x1", role="operator", rights="operator:finance"
        )
        above = [
            await _post(client, f"/admin/users/olga/{name}", state="disabled")
            for name in ("rights", "password", "state", "sessions", "factor")
        ]
        own = await _post(client, "/admin/users/vera/rights", calls="yes")
        right = await _post(client, "/admin/users/rita/rights", calls="yes")

    assert {answer.status for answer in (given, added, own, *above)} == {422}
    assert right.headers["Location"] == "/admin/users/rita?done=rights"


async def test_the_last_administrator_stays_even_when_two_disable_each_other(site_of_both: Site):
    site = site_of_both
    await site.login("omar", Role.OPERATOR)
    visitors = [
        Who(
            login=login, scope=Scope(role=Role.OPERATOR, subject=None), address="", csrf="",
            session="", rights=ALL,
        )
        for login in ("olga", "omar")
    ]  # fmt: skip
    done = await asyncio.gather(
        *(
            set_disabled(site.desk.engine, who, victim, disabled=True)
            for who, victim in zip(visitors, ("omar", "olga"), strict=True)
        ),
        return_exceptions=True,
    )

    async with site.desk.engine.connect() as connection:
        left = await connection.scalars(
            select(users.c.login).where(users.c.role == "operator", users.c.disabled.is_(False))
        )
        assert len(list(left)) == 1
    assert sum(isinstance(outcome, Refused) for outcome in done) == 1


async def test_a_disabled_login_is_out_at_once_and_that_is_written_down(site: Site):
    async with served(site) as server, browser(server, "olga") as operator:
        async with browser(server, "globex") as client:
            await _post(operator, "/admin/users/globex/state", state="disabled")
            out = await client.get("/portal", allow_redirects=False)
            back = await log_in(client, "globex")
        shown = text_of(await (await operator.get("/admin/users?state=disabled")).text())
    async with site.desk.engine.connect() as connection:
        row = (
            await connection.execute(select(audit_log).where(audit_log.c.action == "disable login"))
        ).one()

    assert out.headers["Location"].startswith("/?next=")
    assert back.status == 403
    assert "globex Client globex" in shown
    assert "acme" not in shown
    assert (row.actor, row.subject, row.before, row.after) == (
        "olga", "globex", "active", "disabled",
    )  # fmt: skip


async def test_a_change_long_after_the_last_proof_asks_for_the_own_password(site: Site):
    async with served(site) as server, browser(server, "olga") as client:
        site.desk.clock.advance(700)
        bare = await _post(client, "/admin/users/globex/sessions")
        wrong = await _post(client, "/admin/users/globex/sessions", own_password="guessed it")
        asked = await (await client.get("/admin/users/globex")).text()
        right = await _post(client, "/admin/users/globex/sessions", own_password=PASSWORD)
        soon = await _post(client, "/admin/users/acme/sessions")

    assert (bare.status, wrong.status) == (422, 422)
    assert "Your own password" in asked
    assert (right.status, soon.status) == (303, 303)


@pytest.mark.parametrize("name", ["rights", "password", "state", "sessions", "factor"])
async def test_a_company_does_not_reach_logins_of_others(site: Site, name: str):
    before = await site.rows("users")
    async with served(site) as server, browser(server, "acme") as client:
        answers = [
            (await _post(client, f"/portal/users/{login}/{name}", state="disabled")).status
            for login in ("globex", "alice", "olga", "nobody")
        ]
        listed = text_of(await (await client.get("/portal/users")).text())

    after = await site.rows("users")
    assert answers == [404] * 4
    assert [row for row in after["users"] if "acme" not in row] == [
        row for row in before["users"] if "acme" not in row
    ]
    assert "globex" not in listed
