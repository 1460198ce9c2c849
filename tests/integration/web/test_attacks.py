"""What an attacker would try: marks in stored text, forms without a token, fixed sessions."""

from __future__ import annotations

from sqlalchemy import Text
from sqlalchemy.exc import SQLAlchemyError

from billing.storage.tables import metadata
from ivr.web.app import PAGES
from ivr.web.scope import Right, Role
from ivr.web.security import COOKIE
from ivr.web.state import Web
from tests.integration.web.test_audit_log import _who
from tests.integration.web.test_tenants import VISITORS, fill_site
from tests.site import Site, browser, csrf_of, log_in, served

MARK = "<mark-x a=\"'&>"
# Columns whose text people or programs outside choose, whatever table they stand in.
FREE = {
    "title", "name", "topic", "caller", "reason", "note", "memo", "detail", "text",
    "url", "agent", "address", "created_by", "end_reason", "details", "bank", "iban",
    "label", "comment", "email", "company", "summary", "acknowledged_by", "filename", "message",
}  # fmt: skip
LOGINS = ("olga", "acme", "topco", "rolf", "alice")


async def _mark(site: Site) -> int:
    """Put the mark behind every free text of the database; tells how many columns took it."""
    marked = 0
    for table in metadata.sorted_tables:
        for column in table.columns:
            if column.name not in FREE or not isinstance(column.type, Text):
                continue
            if column.primary_key or column.foreign_keys:
                continue
            try:
                async with site.desk.engine.begin() as connection:
                    done = await connection.execute(
                        table.update().where(column.is_not(None)).values({column: column + MARK})
                    )
                    marked += done.rowcount > 0
            except SQLAlchemyError:
                continue  # a rule of the database keeps such text out
    return marked


async def test_no_page_shows_stored_text_as_markup_or_may_be_cached(site: Site):
    foreign = await fill_site(site)
    running = Web(site.deps)
    for role, subject in ((Role.OPERATOR, None), (Role.CLIENT, "acme")):
        who = _who("olga" + MARK, role, subject)
        await running.note(who, MARK, MARK, before=MARK, after=MARK)
    await site.deps.wallet.top_up("alice", 1_000_000, key="marked", memo=MARK, actor="olga" + MARK)
    async with served(site) as server:
        clients = {login: browser(server, login) for login in LOGINS}
        opened = {login: await each.__aenter__() for login, each in clients.items()}
        assert await _mark(site) >= 10
        await site.directory.load()
        wrong: list[str] = []
        shown = 0
        for login, client in opened.items():
            for page in PAGES:
                if page.method != "GET" or VISITORS[login][0] not in page.roles:
                    continue
                path = foreign.fill(page.path)
                if login in {"topco", "rolf"}:
                    path = path.replace("agnes", login)
                answer = await client.get(path)
                text = (await answer.read()).decode(errors="replace")
                html = answer.content_type == "text/html"
                shown += "mark-x" in text
                if answer.status >= 500 or (html and "<mark-x" in text):
                    wrong.append(f"{login} {path} {answer.status}")
                if answer.headers.get("Cache-Control") != "no-store":
                    wrong.append(f"{login} {path} may be cached")
                if answer.headers.get("X-Content-Type-Options") != "nosniff":
                    wrong.append(f"{login} {path} may be sniffed")
        for each in clients.values():
            await each.__aexit__(None, None, None)

    assert not wrong
    assert shown >= 10


async def test_no_form_is_taken_without_its_token(site: Site):
    foreign = await fill_site(site)
    async with served(site) as server:
        wrong: list[str] = []
        for login in LOGINS:
            async with browser(server, login) as client:
                before = await site.rows()
                for page in PAGES:
                    if page.method == "GET" or VISITORS[login][0] not in page.roles:
                        continue
                    for data in ({}, {"csrf": "x" * 32}):
                        answer = await client.request(
                            page.method, foreign.fill(page.path), data=data, allow_redirects=False
                        )
                        if answer.status != 403:
                            wrong.append(f"{login} {page.path} {answer.status}")
                if await site.rows() != before:
                    wrong.append(f"{login} changed something")

    assert not wrong


async def test_a_session_that_was_there_before_the_login_is_not_the_one_after_it(site: Site):
    async with served(site) as server, browser(server, "acme") as client:
        planted = client.session.cookie_jar.filter_cookies(server.make_url("/"))[COOKIE].value
        await log_in_again(client)
        fresh = client.session.cookie_jar.filter_cookies(server.make_url("/"))[COOKIE].value
        async with browser(server) as other:
            answer = await other.get(
                "/portal", headers={"Cookie": f"{COOKIE}={planted}"}, allow_redirects=False
            )

    assert fresh != planted
    assert answer.status == 303


async def log_in_again(client):
    csrf = csrf_of(await (await client.get("/settings")).text())
    await client.post("/logout", data={"csrf": csrf})
    answer = await log_in(client, "acme")
    assert answer.status == 303


async def test_a_made_up_host_is_neither_shown_nor_led_to(site: Site):
    async with served(site) as server, browser(server) as client:
        headers = {"Host": "evil.example"}
        front = await client.get("/", headers=headers)
        page = await client.get("/admin", headers=headers, allow_redirects=False)

    assert "evil.example" not in await front.text()
    assert page.headers["Location"].startswith("/?next=")


async def test_forms_that_a_login_may_not_send_are_not_shown(site: Site):
    await site.login("vera", Role.OPERATOR, rights=frozenset({Right.ACCOUNTS}))
    async with served(site) as server:
        pages = {}
        for login in ("olga", "vera"):
            async with browser(server, login) as client:
                pages[login] = await (await client.get("/admin/accounts/alice")).text()
                pages[login + " menu"] = await (await client.get("/admin")).text()

    assert 'action="/admin/accounts/alice/topups"' in pages["olga"]
    assert 'action="/admin/accounts/alice/topups"' not in pages["vera"]
    assert 'action="/admin/accounts/alice/status"' in pages["vera"]
    assert 'action="/logout"' in pages["vera"]
    assert 'href="/admin/users"' in pages["olga menu"]
    assert 'href="/admin/users"' not in pages["vera menu"]
