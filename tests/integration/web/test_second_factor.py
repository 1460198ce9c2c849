"""The second factor: switched on with a code, asked for at login, each code good for once."""

from __future__ import annotations

import asyncio
import base64
import html
import re

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestServer
from sqlalchemy import select

from ivr.tables import audit_log, recovery_codes, second_factors
from ivr.web import limits
from ivr.web.factor import login as login_step
from ivr.web.factor import recovery, totp
from ivr.web.factor.reset import reset_factor
from ivr.web.factor.store import CONFIRM_SECONDS, Factors
from tests.site import PASSWORD, Browser, Site, browser, csrf_of, log_in, served, text_of


def _secret(page: str) -> bytes:
    match = re.search(r'<code id="secret">([A-Z2-7 ]+)</code>', page)
    assert match
    return base64.b32decode(match[1].replace(" ", ""))


def _code(site: Site, secret: bytes) -> str:
    return totp.code_at(secret, totp.step_of(site.now_us()))


async def _post(client: Browser, path: str, **fields: str) -> ClientResponse:
    csrf = csrf_of(await (await client.get("/settings")).text())
    return await client.post(
        f"/settings/{path}", data={"csrf": csrf, **fields}, allow_redirects=False
    )


async def _begin(client: Browser) -> bytes:
    answer = await _post(client, "factor/begin", factor_password=PASSWORD)
    return _secret(await answer.text())


async def _switch_on(site: Site, client: Browser) -> tuple[bytes, list[str]]:
    """Switch the factor on, and wait until its first code is over."""
    secret = await _begin(client)
    answer = await _post(client, "factor/confirm", code=_code(site, secret))
    codes = re.findall(r"<li><code>([a-z0-9-]+)</code></li>", await answer.text())
    site.desk.clock.advance(totp.STEP_SECONDS)
    return secret, codes


async def _send_code(client: Browser, code: str, **fields: str) -> ClientResponse:
    csrf = csrf_of(await (await client.get("/login/code")).text())
    data = {"csrf": csrf, "code": code, **fields}
    return await client.post("/login/code", data=data, allow_redirects=False)


async def _noted(site: Site) -> list[tuple[str, str, str, str]]:
    async with site.desk.engine.connect() as connection:
        rows = await connection.execute(select(audit_log).order_by(audit_log.c.id))
        return [
            (row.actor, row.action, row.before, row.after) for row in rows if row.action != "log in"
        ]


async def test_a_login_takes_password_and_code(site_of_both: Site):
    site = site_of_both
    async with served(site) as server, browser(server, "olga") as client:
        secret, codes = await _switch_on(site, client)
        async with browser(server) as later:
            first = await log_in(later, "olga")
            between = await later.get("/admin", allow_redirects=False)
            second = await _send_code(later, _code(site, secret), next="/admin/calls")
            page = await later.get("/admin", allow_redirects=False)

    assert first.headers["Location"] == "/login/code"
    assert "talkmeter_session" not in first.cookies
    assert between.status == 303
    assert second.headers["Location"] == "/admin/calls"
    assert page.status == 200
    assert len(set(codes)) == recovery.COUNT
    assert await _noted(site) == [("olga", "switch second factor on", "off", "on")]


async def test_a_code_works_once(site: Site, server: TestServer):
    async with browser(server, "alice") as client:
        secret, _ = await _switch_on(site, client)
        code = _code(site, secret)
        async with browser(server) as one, browser(server) as two:
            await log_in(one, "alice")
            await log_in(two, "alice")
            first = await _send_code(one, code)
            again = await _send_code(two, code)
            page = text_of(await again.text())

    assert (first.status, again.status) == (303, 403)
    assert "This code is wrong, too old, or was used before." in page


async def test_codes_that_come_side_by_side_are_spent_once(site_of_both: Site):
    site = site_of_both
    async with served(site) as server, browser(server, "alice") as client:
        secret, codes = await _switch_on(site, client)
    async with site.desk.engine.connect() as connection:
        user_id = await connection.scalar(select(second_factors.c.user_id))
    assert user_id is not None
    deps = site.deps
    factors = Factors(engine=deps.engine, clock=deps.clock, key=deps.web_key)

    for code in (_code(site, secret), codes[0]):
        answers = await asyncio.gather(*(factors.spend(user_id, code) for _ in range(5)))
        assert sum(answer is not None for answer in answers) == 1


async def test_a_recovery_code_works_once_however_it_is_written(site: Site, server: TestServer):
    async with browser(server, "alice") as client:
        _, codes = await _switch_on(site, client)
        typed = codes[0].upper().replace("-", " ")
        async with browser(server) as one, browser(server) as two:
            await log_in(one, "alice")
            await log_in(two, "alice")
            first = await _send_code(one, typed)
            again = await _send_code(two, codes[0])
            settings = text_of(await (await one.get("/settings")).text())

    assert (first.status, again.status) == (303, 403)
    assert "9 recovery codes are left" in settings
    assert ("alice", "use recovery code", "10 left", "9 left") in await _noted(site)


async def test_secret_and_recovery_codes_are_neither_stored_nor_logged_nor_shown_again(
    site: Site, server: TestServer, capsys: pytest.CaptureFixture[str]
):
    async with browser(server, "alice") as client:
        secret, codes = await _switch_on(site, client)
        page = html.unescape(await (await client.get("/settings")).text())
    async with site.desk.engine.connect() as connection:
        factor = (await connection.execute(select(second_factors))).one()
        hashes = set(await connection.scalars(select(recovery_codes.c.code_hash)))
    noted = str(await _noted(site))
    printed = capsys.readouterr()

    written = totp.written(secret)
    hidden = [written, written.replace(" ", ""), secret.hex(), *codes]
    everywhere = page + noted + printed.out + printed.err + str(factor) + str(hashes)
    assert not [text for text in hidden if text in everywhere]
    assert secret not in base64.urlsafe_b64decode(factor.secret)
    assert len(hashes) == recovery.COUNT


async def test_nothing_is_in_force_before_the_first_code(site: Site, server: TestServer):
    async with browser(server, "alice") as client, browser(server) as later:
        secret = await _begin(client)
        wrong = await _post(client, "factor/confirm", code="000000x")
        page = await wrong.text()
        welcome = await log_in(later, "alice")
        site.desk.clock.advance(CONFIRM_SECONDS + 1)
        late = await _post(client, "factor/confirm", code=_code(site, secret))

    assert (wrong.status, late.status) == (422, 422)
    assert 'id="secret"' not in page
    assert welcome.headers["Location"] == "/account"
    assert await _noted(site) == []


async def test_switching_on_takes_the_password_and_ends_other_sessions(
    site: Site, server: TestServer
):
    async with browser(server, "alice") as client, browser(server, "alice") as other:
        wrong = await _post(client, "factor/begin", factor_password="not the password")
        await _switch_on(site, client)
        again = await _post(client, "factor/begin", factor_password=PASSWORD)
        here = await client.get("/account", allow_redirects=False)
        there = await other.get("/account", allow_redirects=False)

    assert wrong.status == 422
    assert again.headers["Location"] == "/settings"
    assert (here.status, there.status) == (200, 303)


async def test_switching_off_takes_password_and_code_and_ends_other_sessions(
    site: Site, server: TestServer
):
    async with (
        browser(server, "alice") as client,
        browser(server) as other,
        browser(server) as later,
    ):
        secret, codes = await _switch_on(site, client)
        await log_in(other, "alice")
        await _send_code(other, codes[0])
        code = _code(site, secret)
        answers = [
            await _post(client, "factor/off", off_password=PASSWORD, off_code="123"),
            await _post(client, "factor/off", off_password="wrong one", off_code=code),
            await _post(client, "factor/off", off_password=PASSWORD, off_code=code),
        ]
        gone = await other.get("/account", allow_redirects=False)
        welcome = await log_in(later, "alice")

    assert [answer.status for answer in answers] == [422, 422, 303]
    assert gone.status == 303
    assert welcome.headers["Location"] == "/account"
    assert (await _noted(site))[-1] == ("alice", "switch second factor off", "on", "off")
    async with site.desk.engine.connect() as connection:
        assert (await connection.execute(select(recovery_codes))).first() is None


async def test_wrong_codes_count_like_wrong_passwords(site: Site, server: TestServer):
    async with browser(server, "alice") as client:
        secret, _ = await _switch_on(site, client)
    async with browser(server) as guesser:
        await log_in(guesser, "alice")
        statuses = [
            (await _send_code(guesser, f"guess {n}")).status for n in range(limits.TRIES_PER_LOGIN)
        ]
        right = await _send_code(guesser, _code(site, secret))
        password = await log_in(guesser, "alice")

    assert statuses == [403] * limits.TRIES_PER_LOGIN
    assert right.status == password.status == 429
    assert int(right.headers["Retry-After"]) > 0


async def test_the_step_between_password_and_code_ends_by_itself(site: Site, server: TestServer):
    async with browser(server, "alice") as client:
        secret, _ = await _switch_on(site, client)
    async with browser(server) as slow:
        await log_in(slow, "alice")
        page = await (await slow.get("/login/code")).text()
        site.desk.clock.advance(login_step.STEP_SECONDS + 1)
        data = {"csrf": csrf_of(page), "code": _code(site, secret)}
        late = await slow.post("/login/code", data=data, allow_redirects=False)

    assert late.headers["Location"] == "/"
    assert "talkmeter_session" not in late.cookies


@pytest.mark.parametrize("cookie", ["", "x", "616c696365.9999999999999999.00", "zz.1.2", "..."])
async def test_a_made_up_step_opens_nothing(site: Site, server: TestServer, cookie: str):
    async with browser(server, "alice") as client:
        await _switch_on(site, client)
    async with browser(server) as stranger:
        await stranger.get("/")
        answer = await stranger.get(
            "/login/code", cookies={"talkmeter_factor": cookie}, allow_redirects=False
        )

    assert answer.headers["Location"] == "/"


async def test_a_lost_phone_is_forgiven_on_the_command_line(site_of_both: Site):
    site = site_of_both
    async with served(site) as server, browser(server, "alice") as client:
        await _switch_on(site, client)
        done = await reset_factor(site.desk.engine, "alice", clock=site.desk.clock)
        again = await reset_factor(site.desk.engine, "alice", clock=site.desk.clock)
        gone = await client.get("/account", allow_redirects=False)
        async with browser(server) as later:
            welcome = await log_in(later, "alice")

    assert (done, again) == (True, False)
    assert gone.status == 303
    assert welcome.headers["Location"] == "/account"
    assert (await _noted(site))[-1] == ("command line", "switch second factor off", "on", "off")
