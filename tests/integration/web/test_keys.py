"""Keys of programs: shown once, bounded by scopes and by time, revoked at once."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from ivr.tables import api_tokens, audit_log
from ivr.web.api import gate
from ivr.web.scope import Right, Role
from tests.site import PASSWORD, Browser, Site, browser, csrf_of, served, text_of

API = "/api/v1"


async def _post(client: Browser, path: str, **form: str) -> str:
    csrf = csrf_of(await (await client.get("/settings")).text())
    return await (await client.post(path, data={"csrf": csrf, **form})).text()


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_a_key_is_shown_once_and_does_what_its_scopes_say(site: Site):
    account = {"code": "carol", "mode": "prepaid", "currency": "USD"}
    async with served(site) as server, browser(server, "olga") as client:
        made = await _post(client, "/admin/keys", name="books", days="30", money="yes")
        token = re.findall(r'id="secret">([^<]+)<', made)[0]
        again = await (await client.get("/admin/keys")).text()
        read = await client.get(f"{API}/accounts", headers=_bearer(token))
        refused = await client.post(f"{API}/accounts", json=account, headers=_bearer(token))
        users = await client.get(f"{API}/keys", headers=_bearer(token))
        topped = await client.post(
            f"{API}/accounts/alice/topups",
            json={"amount": "5.00", "reason": "cash"},
            headers=_bearer(token) | {"Idempotency-Key": "k1"},
        )
    async with site.desk.engine.connect() as connection:
        row = (await connection.execute(select(api_tokens))).one()

    assert token not in again
    assert token not in str(row)
    assert (row.created_by, row.rights) == ("olga", "money")
    assert (read.status, refused.status, users.status, topped.status) == (200, 403, 403, 201)


async def test_a_revoked_or_expired_key_opens_nothing(site: Site):
    async with served(site) as server, browser(server, "acme") as client:
        tokens = []
        for name in ("one", "two"):
            made = await _post(client, "/portal/keys", name=name, days="1")
            tokens += re.findall(r'id="secret">([^<]+)<', made)
            site.desk.clock.advance(1)
        page = await (await client.get("/portal/keys")).text()
        keys = re.findall(r'name="key" value="([0-9a-f]+)"', page)
        first = [
            (await client.get(f"{API}/calls", headers=_bearer(token))).status for token in tokens
        ]
        await _post(client, "/portal/keys/revoke", key=keys[1])
        then = [
            (await client.get(f"{API}/calls", headers=_bearer(token))).status for token in tokens
        ]
        site.desk.clock.advance(90_000)
        late = [
            (await client.get(f"{API}/calls", headers=_bearer(token))).status for token in tokens
        ]

    assert (first, then, late) == ([200, 200], [401, 200], [401, 401])


async def test_a_company_neither_sees_nor_revokes_keys_of_others(site: Site):
    foreign = await site.token(Role.CLIENT, "globex")
    async with site.desk.engine.connect() as connection:
        key = await connection.scalar(select(api_tokens.c.id))
    mine = await site.token(Role.CLIENT, "acme")
    async with served(site) as server, browser(server, "acme") as client:
        csrf = csrf_of(await (await client.get("/settings")).text())
        page = text_of(await (await client.get("/portal/keys")).text())
        form = {"csrf": csrf, "key": str(key)}
        answer = await client.post("/portal/keys/revoke", data=form)
        call = await client.post(f"{API}/keys/{key}/revoke", headers=_bearer(mine))
        works = await client.get(f"{API}/calls", headers=_bearer(foreign))

    assert "globex" not in page
    assert (answer.status, call.status, works.status) == (404, 404, 200)


async def test_a_key_makes_no_key_that_may_do_more(site: Site):
    token = await site.token(Role.OPERATOR, rights=frozenset({Right.USERS, Right.CALLS}))
    async with served(site) as server, browser(server) as client:
        more = await client.post(
            f"{API}/keys", json={"name": "x", "scopes": ["money"]}, headers=_bearer(token)
        )
        less = await client.post(
            f"{API}/keys", json={"name": "x", "scopes": ["calls"]}, headers=_bearer(token)
        )
        made = await less.json()
        listed = await (await client.get(f"{API}/keys", headers=_bearer(made["token"]))).json()

    assert (more.status, less.status) == (409, 201)
    assert listed["code"] == "forbidden"


async def test_use_is_noted_at_most_once_a_minute(site: Site):
    token = await site.token(Role.OPERATOR)
    seen: list[object] = []
    async with served(site) as server, browser(server) as client:
        for seconds in (0, 30, 40):
            site.desk.clock.advance(seconds)
            await client.get(f"{API}/live", headers=_bearer(token))
            async with site.desk.engine.connect() as connection:
                seen.append(await connection.scalar(select(api_tokens.c.used_us)))

    assert seen[0] == seen[1] != seen[2]


async def test_a_key_that_asks_without_end_has_to_wait(site: Site, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gate, "REQUESTS_MAX", 3)
    token, other = await site.token(Role.OPERATOR), await site.token(Role.CLIENT, "acme")
    async with served(site) as server, browser(server) as client:
        answers = [await client.get(f"{API}/live", headers=_bearer(token)) for _ in range(4)]
        others = await client.get(f"{API}/live", headers=_bearer(other))

    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert int(answers[3].headers["Retry-After"]) > 0
    assert others.status == 200


async def test_an_old_proof_is_asked_for_again_before_a_key_is_made(site: Site):
    async with served(site) as server, browser(server, "olga") as client:
        site.desk.clock.advance(700)
        bare = await _post(client, "/admin/keys", name="books")
        right = await _post(client, "/admin/keys", name="books", own_password=PASSWORD)
    async with site.desk.engine.connect() as connection:
        notes = list(
            await connection.execute(select(audit_log).where(audit_log.c.action == "make key"))
        )

    assert 'id="secret"' not in bare
    assert 'id="secret"' in right
    assert [(note.actor, note.subject, note.after) for note in notes] == [
        ("olga", "books", "read only, without end")
    ]
