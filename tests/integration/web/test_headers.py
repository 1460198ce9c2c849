"""What every answer carries, and that no page needs what the policy forbids."""

from __future__ import annotations

import re

import pytest
from aiohttp.test_utils import TestServer

from ivr.web.app import PAGES
from ivr.web.scope import Role
from tests.integration.web.test_tenants import fill_site
from tests.site import Site, browser, log_in

LOGINS = {
    Role.OPERATOR: "olga",
    Role.CLIENT: "acme",
    Role.RESELLER: "topco",
    Role.REFERRER: "rolf",
    Role.CALLER: "alice",
}
INLINE = re.compile(
    r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son[a-z]+=|javascript:", re.IGNORECASE
)
OUTSIDE = re.compile(r"(?:src|href|action)=\"(?:https?:)?//")


@pytest.mark.parametrize("role", Role)
async def test_no_page_holds_inline_code_or_outside_addresses(
    site: Site, server: TestServer, role: Role
):
    foreign = await fill_site(site)
    wrong: list[str] = []
    async with browser(server, LOGINS[role]) as client:
        for page in PAGES:
            if page.method != "GET" or role not in page.roles:
                continue
            path = foreign.fill(page.path)
            if role in {Role.RESELLER, Role.REFERRER}:
                path = path.replace("agnes", LOGINS[role])
            if foreign.payout in path and role not in {Role.OPERATOR, Role.CLIENT}:
                continue  # it is acme's
            answer = await client.get(path)
            text = (await answer.read()).decode(errors="replace")
            assert answer.status == 200, path
            if INLINE.search(text) or OUTSIDE.search(text):
                wrong.append(path)

    assert not wrong


@pytest.mark.parametrize(
    ("path", "status"),
    [("/", 200), ("/nowhere", 404), ("/api/v1/calls", 401), ("/healthz", 200), ("/admin", 303),
     ("/login", 405)],
)  # fmt: skip
async def test_every_answer_carries_the_headers(server: TestServer, path: str, status: int):
    async with browser(server) as client:
        answer = await client.get(path, allow_redirects=False)

    assert answer.status == status
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'; ")
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "aiohttp" not in answer.headers.get("Server", "").lower()


async def test_static_files_are_cached_for_ever_under_the_address_of_their_content(
    site: Site, server: TestServer
):
    async with browser(server) as client:
        page = await (await client.get("/")).text()
        paths = re.findall(r'"(/static/[^"]+)"', page)
        answers = [await client.get(path) for path in paths]

    assert len(set(paths)) == 3
    assert {answer.status for answer in answers} == {200}
    assert all("immutable" in answer.headers["Cache-Control"] for answer in answers)


@pytest.mark.parametrize(
    "path",
    ["/static/x/style.css", "/static/../app.py", "/static/x/..%2Fapp.py", "/static/x/%00",
     "/static/x/..%2f..%2f..%2fetc%2fpasswd"],
)  # fmt: skip
async def test_no_address_names_a_file(server: TestServer, path: str):
    async with browser(server) as client:
        answer = await client.get(path)

    assert answer.status == 404


async def test_what_strangers_sent_is_escaped(site: Site, server: TestServer):
    hostile = "<script>alert(1)</script>\"'"
    site.ring(caller=hostile, topic=hostile, account=hostile)
    await site.call(topic=hostile)
    async with browser(server, "olga") as client:
        pages = [await (await client.get(path)).text() for path in ("/admin", "/admin/calls")]
        query = await client.get("/admin/accounts", params={"q": hostile})
        login = await log_in(client, hostile)
        pages += [await query.text(), await login.text()]

    assert not [page for page in pages if "<script>alert" in page]
    assert "&lt;script&gt;alert" in pages[0]


@pytest.mark.parametrize(
    ("kind", "data", "status"),
    [
        ("text/plain", b"csrf=x", 415),
        ("multipart/form-data; boundary=x", b"--x--", 415),
        ("application/x-www-form-urlencoded", b"a=" + b"x" * 70_000, 413),
        ("application/x-www-form-urlencoded", b"&".join(b"f%d=1" % n for n in range(130)), 400),
        ("application/x-www-form-urlencoded; charset=nonsense", b"a=b", 400),
        ("application/x-www-form-urlencoded", b"csrf=%ff%fe&%00=%00", 403),
    ],
)
async def test_a_body_that_is_no_form_is_refused(
    server: TestServer, kind: str, data: bytes, status: int
):
    async with browser(server, "olga") as client:
        answer = await client.post("/logout", data=data, headers={"Content-Type": kind})

    assert answer.status == status
