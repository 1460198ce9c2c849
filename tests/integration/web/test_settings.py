"""One's own login: the password and the sessions."""

from __future__ import annotations

import re

from aiohttp import ClientResponse
from aiohttp.test_utils import TestServer
from sqlalchemy import select

from ivr.tables import audit_log
from ivr.web import limits
from tests.site import PASSWORD, Browser, Site, browser, csrf_of, log_in, served, text_of

NEW = "staple battery horse 9"


async def _page(client: Browser) -> str:
    return await (await client.get("/settings")).text()


async def _post(client: Browser, path: str, **fields: str) -> ClientResponse:
    csrf = csrf_of(await _page(client))
    return await client.post(f"/settings/{path}", data={"csrf": csrf, **fields})


async def _change(client: Browser, old: str, new: str, again: str | None = None) -> ClientResponse:
    again = new if again is None else again
    return await _post(
        client, "password", old_password=old, new_password=new, new_password_again=again
    )


async def _noted(site: Site, action: str) -> list[tuple[str, str, str]]:
    async with site.desk.engine.connect() as connection:
        rows = await connection.execute(select(audit_log).where(audit_log.c.action == action))
        return [(row.actor, row.before, row.after) for row in rows]


def _ids(page: str) -> list[str]:
    return re.findall(r'name="session" value="([^"]*)"', page)


async def test_a_new_password_ends_the_other_sessions_and_keeps_this_one(
    site: Site, server: TestServer
):
    async with browser(server, "alice") as here, browser(server, "alice") as there:
        answer = await _change(here, PASSWORD, NEW)
        page = text_of(await answer.text())
        gone = await there.get("/account", allow_redirects=False)
        old = await log_in(there, "alice", PASSWORD)
        new = await log_in(there, "alice", NEW)

    assert answer.status == 200
    assert "Your password is changed. All other sessions are ended." in page
    assert gone.status == 303
    assert (old.status, new.status) == (403, 303)
    assert await _noted(site, "change password") == [("alice", "old password", "new password")]


async def test_a_password_is_changed_by_who_knows_the_old_one(site: Site, server: TestServer):
    async with browser(server, "alice") as client, browser(server) as later:
        wrong = await _change(client, "not the password", NEW)
        weak = await _change(client, PASSWORD, "short")
        other = await _change(client, PASSWORD, NEW, "something else 1")
        texts = [text_of(await answer.text()) for answer in (wrong, weak, other)]
        again = await log_in(later, "alice", PASSWORD)

    assert {answer.status for answer in (wrong, weak, other)} == {422}
    assert "This is not your password." in texts[0]
    assert "A password has 12 to 128 characters." in texts[1]
    assert "This is not the same password." in texts[2]
    assert again.status == 303
    assert await _noted(site, "change password") == []


async def test_a_stolen_session_cannot_guess_the_password(server: TestServer):
    async with browser(server, "alice") as client:
        statuses = [
            (await _change(client, f"guess number {n}", NEW)).status
            for n in range(limits.TRIES_PER_DEVICE + 1)
        ]

    assert statuses == [422] * limits.TRIES_PER_DEVICE + [429]


async def test_sessions_are_listed_with_browser_and_address(server: TestServer):
    async with browser(server) as other, browser(server, "alice") as here:
        other.session.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"
        await log_in(other, "alice")
        page = await _page(here)

    text = text_of(page)
    assert "Firefox on Linux 127.0.0.1" in text
    assert text.count("This one") == 1
    assert len(_ids(page)) == 2


async def test_one_session_is_ended(site: Site, server: TestServer):
    async with browser(server, "alice") as here, browser(server, "alice") as there:
        rows = re.findall(r"<tr>.*?</tr>", await _page(here), re.DOTALL)
        (theirs,) = (row for row in rows if "This one" not in row and _ids(row))
        await _post(here, "sessions/end", session=_ids(theirs)[0])
        stays = await here.get("/account", allow_redirects=False)
        gone = await there.get("/account", allow_redirects=False)

    assert (stays.status, gone.status) == (200, 303)
    ((actor, before, after),) = await _noted(site, "end session")
    assert (actor, after) == ("alice", "ended")
    assert before.endswith(", 127.0.0.1")


async def test_all_others_are_ended(site_of_both: Site):
    site = site_of_both
    async with (
        served(site) as server,
        browser(server, "alice") as here,
        browser(server, "alice") as there,
        browser(server, "bob") as stranger,
    ):
        await _post(here, "sessions/end-others")
        answers = [
            await client.get("/account", allow_redirects=False)
            for client in (here, there, stranger)
        ]

    assert [answer.status for answer in answers] == [200, 303, 200]
    assert len(await _noted(site, "end other sessions")) == 1


async def test_nobody_ends_sessions_of_others(site: Site, server: TestServer):
    async with browser(server, "alice") as alice, browser(server, "olga") as olga:
        foreign = _ids(await _page(alice))[0]
        await _post(olga, "sessions/end", session=foreign)
        answer = await alice.get("/account", allow_redirects=False)

    assert answer.status == 200
    assert await _noted(site, "end session") == []


async def test_ending_this_session_logs_out(server: TestServer):
    async with browser(server, "alice") as client:
        await _post(client, "sessions/end", session=_ids(await _page(client))[0])
        answer = await client.get("/account", allow_redirects=False)

    assert answer.status == 303
