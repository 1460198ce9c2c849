"""Logins and the audit log by API: the rules of their pages, for tokens."""

from __future__ import annotations

import csv
import io
from typing import Any

from aiohttp.test_utils import TestServer

from ivr.web.api.gate import BASE
from ivr.web.scope import Right, Role
from tests.site import CLI_TOKEN, Browser, Site, browser, log_in


async def _ask(
    client: Browser, method: str, path: str, body: Any = None, *, token: str = CLI_TOKEN
) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token}"}
    sent = {} if body is None else {"json": body}
    answer = await client.request(method, BASE + path, headers=headers, **sent)
    return answer.status, await answer.json()


async def test_a_login_is_made_comes_in_once_and_is_taken_back(site: Site, server: TestServer):
    new = {"login": "eve@example.com", "role": "client", "subject": "acme", "rights": ["calls"]}
    async with browser(server) as client, browser(server) as eve:
        made, told = await _ask(client, "POST", "/logins", new)
        again, taken = await _ask(client, "POST", "/logins", new)
        came = await log_in(eve, told["login"], told["password"])
        _, shown = await _ask(client, "GET", "/logins/eve@example.com")
        _, sessions = await _ask(client, "GET", "/logins/eve@example.com/sessions")
        (session,) = sessions["items"]
        one = f"/logins/eve@example.com/sessions/{session['id']}"
        ended = [await _ask(client, "DELETE", one) for _ in range(2)]
        inside = await eve.get("/portal", allow_redirects=False)
        _, off = await _ask(client, "POST", "/logins/eve@example.com/state", {"state": "disabled"})
        closed = await log_in(eve, told["login"], told["password"])
        _, log = await _ask(client, "GET", "/audit?subject=eve@example.com")

    assert (made, again, taken["code"]) == (201, 409, "user_exists")
    assert came.status == 303
    assert shown | {"created_at": "", "last_seen_at": ""} == {
        "login": "eve@example.com", "role": "client", "subject": "acme", "rights": ["calls"],
        "state": "active", "must_change_password": True, "second_factor": False,
        "created_at": "", "last_seen_at": "",
    }  # fmt: skip
    assert [answer[1]["ended"] for answer in ended] == [1, 0]
    assert inside.headers["Location"].startswith("/?next=")
    assert (off["state"], closed.status) == ("disabled", 403)
    assert [item["action"] for item in log["items"]] == [
        "disable login",
        "end session",
        "log in",
        "add login",
    ]
    assert log["items"][0]["before"] == "active"
    assert told["password"] not in str(log)


async def test_a_new_password_ends_what_was_and_works(site: Site, server: TestServer):
    await site.login("vera", Role.OPERATOR, rights=frozenset({Right.CALLS}))
    async with browser(server) as client, browser(server, "vera") as vera:
        reset, told = await _ask(client, "POST", "/logins/vera/password")
        outside = await vera.get("/admin", allow_redirects=False)
        came = await log_in(vera, "vera", told["password"])
        rights, changed = await _ask(client, "POST", "/logins/vera/rights", {"rights": ["money"]})
        factor, _ = await _ask(client, "DELETE", "/logins/vera/factor")
        ended, count = await _ask(client, "POST", "/logins/vera/sessions/end")

    assert (reset, rights, factor, ended) == (200, 200, 200, 200)
    assert (outside.status, came.status) == (303, 303)
    assert changed["rights"] == ["money"]
    # The second factor's end has ended the session already.
    assert count == {"login": "vera", "ended": 0}


async def test_nobody_hands_out_more_than_it_has_or_other_companies(site: Site, server: TestServer):
    weak = await site.token(Role.OPERATOR, rights=frozenset({Right.USERS}))
    acme = await site.token(Role.CLIENT, "acme")
    async with browser(server) as client:
        strong = await _ask(client, "POST", "/logins", {"login": "mallory"}, token=weak)
        raised = await _ask(client, "POST", "/logins/olga/password", token=weak)
        foreign = await _ask(
            client, "POST", "/logins", {"login": "mallory", "subject": "globex"}, token=acme
        )
        above = await _ask(
            client, "POST", "/logins", {"login": "mallory", "role": "operator"}, token=acme
        )
        hidden = await _ask(client, "GET", "/logins/olga", token=acme)
        strange = await _ask(
            client, "POST", "/logins", {"login": "mallory", "rights": ["accounts"]}, token=acme
        )
        last = await _ask(client, "POST", "/logins/olga/state", {"state": "disabled"})
        own, made = await _ask(client, "POST", "/logins", {"login": "mallory"}, token=acme)
        _, listed = await _ask(client, "GET", "/logins?limit=1", token=acme)
        _, rest = await _ask(client, "GET", f"/logins?after={listed['next']}", token=acme)

    assert [answer[1]["code"] for answer in (strong, raised, hidden, last)] == [
        "user_change_refused", "user_change_refused", "not_found", "user_change_refused",
    ]  # fmt: skip
    assert [answer[0] for answer in (foreign, above, strange)] == [422, 422, 422]
    assert (own, made["login"]) == (201, "mallory")
    assert [item["login"] for item in listed["items"] + rest["items"]] == ["acme", "mallory"]


async def test_a_token_is_not_the_login_of_its_name(site: Site, server: TestServer):
    await site.login("vera", Role.OPERATOR)
    await site.token(Role.OPERATOR)
    await site.execute("UPDATE api_tokens SET name = 'vera'")
    token = await site.token(Role.OPERATOR)
    async with browser(server) as client:
        done, told = await _ask(client, "POST", "/logins/vera/password", token=token)

    assert (done, told["login"]) == (200, "vera")


async def test_the_audit_log_is_filtered_paged_and_kept_as_a_harmless_file(
    site: Site, server: TestServer
):
    acme = await site.token(Role.CLIENT, "acme")
    async with browser(server) as client:
        for status in ("blocked", "active", "blocked"):
            await _ask(client, "POST", "/accounts/alice/status", {"status": status})
        _, page = await _ask(client, "GET", "/audit?what=status&limit=2")
        _, rest = await _ask(client, "GET", f"/audit?what=status&after={page['next']}")
        day = page["items"][0]["at"][:10]
        _, none = await _ask(client, "GET", f"/audit?what=status&to={day[:3]}0{day[4:]}")
        _, theirs = await _ask(client, "GET", "/audit", token=acme)
        headers = {"Authorization": f"Bearer {CLI_TOKEN}"}
        file = await client.get(f"{BASE}/exports/audit?what=status", headers=headers)
        rows = list(csv.DictReader(io.StringIO(await file.text())))

    assert [item["after"] for item in page["items"] + rest["items"]] == [
        "blocked", "active", "blocked",
    ]  # fmt: skip
    assert rest["next"] is None
    assert (none["items"], theirs["items"]) == ([], [])
    assert file.content_type == "text/csv"
    assert [row["after"] for row in rows] == ["blocked", "active", "blocked"]
