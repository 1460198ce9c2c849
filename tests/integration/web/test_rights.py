"""What a login may do: every form and every changing operation names a right, and the gate asks."""

from __future__ import annotations

import pytest

from ivr.web.api.gate import BASE
from ivr.web.api.table import OPERATIONS
from ivr.web.app import PAGES
from ivr.web.rights import ALL, PRESETS, read_rights, write_rights
from ivr.web.scope import Right, Role
from tests.integration.web.test_tenants import fill_site
from tests.site import Site, browser, csrf_of, served


@pytest.mark.parametrize(("role", "subject"), [(Role.OPERATOR, None), (Role.CLIENT, "acme")])
async def test_a_viewer_is_refused_everywhere_and_changes_nothing(
    site: Site, role: Role, subject: str | None
):
    foreign = await fill_site(site)
    await site.login("vera", role, subject, rights=frozenset())
    token = await site.token(role, subject, rights=frozenset())
    headers = {"Authorization": f"Bearer {token}"}
    before = await site.rows()
    wrong: list[str] = []
    async with served(site) as server, browser(server, "vera") as client:
        csrf = csrf_of(await (await client.get("/")).text())
        for page in PAGES:
            if role in page.roles and page.right:
                path = foreign.fill(page.path)
                data = {"csrf": csrf} if page.method != "GET" else None
                answer = await client.request(page.method, path, data=data, allow_redirects=False)
                if answer.status != 403:
                    wrong.append(f"{page.method} {path} answers {answer.status}")
        for row in OPERATIONS:
            if role in row.roles and row.right:
                path = foreign.fill(BASE + row.path)
                answer = await client.request(row.method, path, headers=headers, json={})
                if answer.status != 403:
                    wrong.append(f"{row.method} {path} answers {answer.status}")

    assert not wrong
    assert await site.rows() == before
    assert len(site.live.calls) == 1


async def test_a_right_that_is_taken_away_is_gone_at_once(site: Site):
    await site.login("vera", Role.OPERATOR, rights=frozenset({Right.ACCOUNTS}))
    form = {"code": "carol", "mode": "prepaid", "currency": "USD"}
    async with served(site) as server, browser(server, "vera") as client:
        data = form | {"csrf": csrf_of(await (await client.get("/admin/new-account")).text())}
        with_it = await client.post("/admin/new-account", data={"csrf": data["csrf"]})
        await site.execute("UPDATE users SET rights = 'money' WHERE login = 'vera'")
        without = await client.post("/admin/new-account", data=data)

    assert (with_it.status, without.status) == (422, 403)


def test_rights_are_kept_as_words_and_unknown_words_are_none():
    assert read_rights(write_rights(ALL)) == ALL
    assert read_rights("money king") == {Right.MONEY}
    assert write_rights(PRESETS[Role.OPERATOR]["support"]) == "accounts calls"
