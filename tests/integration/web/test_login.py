"""Logging in: who gets where, what a session is, and how guessing ends."""

from __future__ import annotations

from dataclasses import replace

import pytest
from aiohttp.test_utils import TestServer
from sqlalchemy import select, update

from ivr.tables import users, web_sessions
from ivr.web import limits, sessions
from ivr.web.passwords import hash_password
from ivr.web.users import set_password
from tests.site import PASSWORD, Browser, Site, browser, csrf_of, log_in, served, text_of


@pytest.mark.parametrize(
    ("login", "home"), [("olga", "/admin"), ("acme", "/portal"), ("alice", "/account")]
)
async def test_a_login_leads_to_the_pages_of_its_role(server: TestServer, login: str, home: str):
    async with browser(server) as client:
        answer = await log_in(client, login)
        page = await client.get(home)

    assert answer.headers["Location"] == home
    assert page.status == 200


async def test_an_unknown_login_and_a_wrong_password_look_alike(server: TestServer):
    async with browser(server) as client:
        wrong = await log_in(client, "olga", "not the password")
        unknown = await log_in(client, "nobody", "not the password")

        texts = [
            text_of(await answer.text()).replace("nobody", "olga") for answer in (wrong, unknown)
        ]

    assert wrong.status == unknown.status == 403
    assert "do not match" in texts[0]
    assert texts[0] == texts[1]


async def test_a_session_cookie_is_kept_from_scripts_and_stored_as_a_hash(
    site: Site, server: TestServer
):
    async with browser(server) as client:
        answer = await log_in(client, "olga")
        cookie = answer.cookies["talkmeter_session"]

    async with site.desk.engine.connect() as connection:
        stored = list(await connection.scalars(select(web_sessions.c.token_hash)))
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert stored == [sessions.hash_token(cookie.value)]


async def test_over_tls_cookies_are_secure_and_nailed_to_the_host(site: Site):
    site.deps = replace(site.deps, proxies=frozenset({"127.0.0.1"}))
    async with served(site) as server, browser(server) as client:
        client.session.headers["X-Forwarded-Proto"] = "https"
        answer = await client.get("/")
        cookie = answer.cookies["__Host-talkmeter_login"]

    assert cookie["secure"]
    assert answer.headers["Strict-Transport-Security"]


async def test_logging_out_revokes_the_session_itself(server: TestServer):
    async with browser(server) as client:
        answer = await log_in(client, "olga")
        stolen = answer.cookies["talkmeter_session"].value
        page = await (await client.get("/admin")).text()
        await client.post("/logout", data={"csrf": csrf_of(page)}, allow_redirects=False)
        again = await client.get(
            "/admin", cookies={"talkmeter_session": stolen}, allow_redirects=False
        )

    assert again.status == 303
    assert again.headers["Location"].startswith("/?next=")


@pytest.mark.parametrize("seconds", [sessions.IDLE_SECONDS + 1, sessions.LIFE_SECONDS + 1])
async def test_a_session_ends_by_itself(site: Site, server: TestServer, seconds: int):
    async with browser(server, "olga") as client:
        site.desk.clock.advance(seconds)
        answer = await client.get("/admin", allow_redirects=False)

    assert answer.status == 303


async def test_an_active_visitor_stays_but_a_page_that_polls_is_no_activity(
    site: Site, server: TestServer
):
    async with browser(server, "olga") as active, browser(server, "olga") as polling:
        site.desk.clock.advance(sessions.IDLE_SECONDS - 60)
        await active.get("/admin")
        await polling.get("/admin/calls/live", headers={"HX-Request": "true"})
        site.desk.clock.advance(120)
        stays = await active.get("/admin", allow_redirects=False)
        gone = await polling.get("/admin/calls/live", headers={"HX-Request": "true"})

    assert stays.status == 200
    assert gone.status == 401
    assert gone.headers["HX-Redirect"] == "/"


async def test_a_disabled_user_is_out_at_once_and_cannot_come_back(site: Site, server: TestServer):
    async with browser(server, "olga") as client:
        async with site.desk.engine.begin() as connection:
            await connection.execute(
                update(users).where(users.c.login == "olga").values(disabled=True)
            )
        page = await client.get("/admin", allow_redirects=False)
        again = await log_in(client, "olga")

    assert page.status == 303
    assert again.status == 403


async def test_a_new_password_ends_all_sessions(site: Site, server: TestServer):
    async with browser(server, "olga") as client:
        await set_password(
            site.desk.engine, "olga", password_hash=hash_password("another long one 7")
        )
        page = await client.get("/admin", allow_redirects=False)

    assert page.status == 303


async def _guess(client: Browser, login: str, times: int) -> list[int]:
    return [(await log_in(client, login, f"guess number {n}")).status for n in range(times)]


async def test_guessing_is_stopped_and_may_go_on_after_a_while(site: Site, server: TestServer):
    async with browser(server) as client:
        statuses = await _guess(client, "olga", limits.TRIES_PER_LOGIN + 1)
        stopped = await log_in(client, "olga")
        site.desk.clock.advance(limits.WINDOW_SECONDS)
        later = await log_in(client, "olga")

    assert statuses == [403] * limits.TRIES_PER_LOGIN + [429]
    assert stopped.status == 429
    assert int(stopped.headers["Retry-After"]) > 0
    assert later.status == 303


async def test_an_attacker_elsewhere_locks_nobody_out(site: Site):
    site.deps = replace(site.deps, proxies=frozenset({"127.0.0.1"}))
    async with served(site) as server, browser(server) as attacker, browser(server) as owner:
        attacker.session.headers["X-Forwarded-For"] = "203.0.113.7"
        owner.session.headers["X-Forwarded-For"] = "198.51.100.9"
        await _guess(attacker, "olga", limits.TRIES_PER_LOGIN)
        stopped = await log_in(attacker, "olga")
        welcome = await log_in(owner, "olga")

    assert stopped.status == 429
    assert welcome.status == 303


async def test_a_browser_that_logged_in_before_is_not_locked_out_by_its_neighbours(
    server: TestServer,
):
    async with browser(server, "olga") as owner, browser(server) as neighbour:
        await _guess(neighbour, "olga", limits.TRIES_PER_LOGIN)
        stopped = await log_in(neighbour, "olga")
        page = await (await owner.get("/admin")).text()
        await owner.post("/logout", data={"csrf": csrf_of(page)})
        welcome = await log_in(owner, "olga")

    assert stopped.status == 429
    assert welcome.status == 303


@pytest.mark.parametrize(
    ("wanted", "led_to"),
    [
        ("/admin/accounts?q=al", "/admin/accounts?q=al"),
        ("/portal", "/admin"),
        ("//evil.example", "/admin"),
        ("https://evil.example/admin", "/admin"),
        ("/admin/../../x\\y", "/admin"),
        ("/adminevil", "/admin"),
        ("/admin\r\nSet-Cookie: a=b", "/admin"),
    ],
)
async def test_a_login_leads_back_only_to_own_pages(server: TestServer, wanted: str, led_to: str):
    async with browser(server) as client:
        page = await (await client.get("/")).text()
        answer = await client.post(
            "/login",
            data={"csrf": csrf_of(page), "login": "olga", "password": PASSWORD, "next": wanted},
            allow_redirects=False,
        )

    assert answer.headers["Location"] == led_to


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}],
)
async def test_forms_of_other_sites_are_refused(server: TestServer, headers: dict[str, str]):
    async with browser(server, "olga") as client:
        page = await (await client.get("/admin")).text()
        out = await client.post("/logout", data={"csrf": csrf_of(page)}, headers=headers)
        still = await client.get("/admin", allow_redirects=False)

    assert out.status == 403
    assert still.status == 200


@pytest.mark.parametrize("token", [None, "", "x" * 40, "\udcff"])
async def test_a_form_without_its_token_is_refused(server: TestServer, token: str | None):
    data = {"login": "olga", "password": PASSWORD}
    if token is not None:
        data["csrf"] = token.encode("utf-8", "replace").decode()
    async with browser(server) as client:
        await client.get("/")
        answer = await client.post("/login", data=data, allow_redirects=False)

    assert answer.status == 403
    assert "Set-Cookie" not in answer.headers


async def test_a_refused_login_is_logged_without_what_was_typed(
    server: TestServer, capsys: pytest.CaptureFixture[str]
):
    async with browser(server) as client:
        await log_in(client, "olga", "typed by mistake 1")
        await log_in(client, "my-password-as-login", "typed by mistake 2")
    printed = capsys.readouterr()

    assert (printed.out + printed.err).count("login refused") == 2
    assert "mistake" not in printed.out + printed.err
    assert "my-password" not in printed.out + printed.err
