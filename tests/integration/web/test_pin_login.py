"""Logging in with number and PIN: one lockout with the phone, few rights, a factor where one is."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import TestServer
from sqlalchemy import update

from ivr.directory.callers import set_phones_and_pin
from ivr.directory.gate import PinGate
from ivr.tables import users
from ivr.web.factor import totp
from ivr.web.factor.store import Factors
from ivr.web.users import find_user
from tests.site import PASSWORD, Browser, Site, browser, csrf_of, field_of, log_in, text_of

PIN, NEW, PHONE = "471108", "825163", "15551230001"


async def _with_pin(site: Site, account: str = "alice", phone: str = PHONE) -> str:
    """Give an account a PIN and a phone; returns its number."""
    await set_phones_and_pin(
        site.desk.engine, account, numbers=[phone], pin=PIN, key=site.deps.pin_key
    )
    await site.directory.load()
    return (await site.desk.wallet.account(account)).number


async def _enter(client: Browser, number: str, pin: str = PIN):
    page = await (await client.get("/login/pin")).text()
    data = {"csrf": csrf_of(page), "number": number, "pin": pin}
    return await client.post("/login/pin", data=data, allow_redirects=False)


def _phone_gate(site: Site) -> PinGate:
    return PinGate(
        site.desk.engine,
        site.desk.clock,
        key=site.deps.pin_key,
        hash_of=lambda account: site.deps.directory().pin_hash(account),
    )


@pytest.mark.parametrize("write", ["{number}", " {number} ", "+1 (555) 123-0001"])
async def test_number_or_phone_and_pin_open_the_own_account(
    site: Site, server: TestServer, write: str
):
    number = await _with_pin(site)
    async with browser(server) as client:
        entered = await _enter(client, write.format(number=number))
        page = await client.get("/account")
        text = text_of(await page.text())

    assert (entered.status, entered.headers["Location"]) == (303, "/account")
    assert f"Account number {number}" in text


async def test_unknown_wrong_blocked_and_disabled_look_alike(site: Site, server: TestServer):
    number = await _with_pin(site)
    other = await _with_pin(site, "bob", "15551230002")
    async with site.desk.engine.begin() as connection:
        await connection.execute(update(users).where(users.c.login == "bob").values(disabled=True))
    async with browser(server) as client:
        answers = [await _enter(client, number, "000000"), await _enter(client, "999999")]
        answers += [await _enter(client, other), await _enter(client, "no number")]
        await site.desk.wallet.set_status("alice", "blocked")
        answers.append(await _enter(client, number))
        texts = {text_of(await answer.text()).split("Phone or")[0] for answer in answers}

    assert [answer.status for answer in answers] == [403] * 5
    assert len(texts) == 1
    assert "do not match" in texts.pop()


async def test_wrong_pins_on_the_web_lock_the_phone_and_the_other_way_round(
    site_of_both: Site,
):
    site = site_of_both
    number = await _with_pin(site)
    from tests.site import served

    async with served(site) as server, browser(server) as client:
        for _ in range(3):
            await _enter(client, number, "000000")
        for last in range(2):
            await _phone_gate(site).check("alice", "000000", caller=f"1555123000{last}")
        by_web = await _enter(client, number)
        by_phone = await _phone_gate(site).check("alice", PIN, caller="15551239999")
        site.desk.clock.advance(3600)
        later = await _enter(client, number)

    assert (by_web.status, by_phone, later.status) == (403, False, 303)


async def test_a_pin_opens_nothing_but_the_own_account(site: Site, server: TestServer):
    number = await _with_pin(site)
    async with browser(server) as client:
        await _enter(client, number)
        answers = [
            (await client.get(path)).status
            for path in ("/settings", "/admin", "/portal", "/account/calls", "/account/topup")
        ]
        page = await (await client.get("/account/settings")).text()
        data = {"csrf": csrf_of(page), "login": "eve", "login_proof": PIN}
        renamed = await client.post("/account/settings/login", data=data)

    assert answers == [403, 403, 403, 200, 200]
    assert renamed.status == 422


async def test_a_new_pin_ends_the_sessions_of_the_old_one_but_not_this_one(
    site: Site, server: TestServer
):
    number = await _with_pin(site)
    async with browser(server) as client, browser(server) as thief:
        await _enter(client, number)
        await _enter(thief, number)
        page = await (await client.get("/account/phones")).text()
        data = {"csrf": csrf_of(page), "new_pin": NEW, "new_pin_again": NEW}
        wrong = await client.post("/account/pin", data=data | {"pin_proof": "000000"})
        done = await client.post("/account/pin", data=data | {"pin_proof": PIN})
        mine = await client.get("/account", allow_redirects=False)
        theirs = await thief.get("/account", allow_redirects=False)

    assert (wrong.status, done.status) == (422, 200)
    assert (mine.status, theirs.status) == (200, 303)


@pytest.mark.parametrize("how", ["idle", "blocked", "disabled", "logged out"])
async def test_a_pin_session_ends(site: Site, server: TestServer, how: str):
    number = await _with_pin(site)
    async with browser(server) as client:
        await _enter(client, number)
        csrf = csrf_of(await (await client.get("/account")).text())
        if how == "idle":
            site.desk.clock.advance(31 * 60)
        elif how == "blocked":
            await site.desk.wallet.set_status("alice", "blocked")
        elif how == "disabled":
            async with site.desk.engine.begin() as connection:
                await connection.execute(
                    update(users).where(users.c.login == "alice").values(disabled=True)
                )
        else:
            await client.post("/logout", data={"csrf": csrf})
        after = await client.get("/account", allow_redirects=False)

    assert after.status == 303


async def _with_factor(site: Site) -> bytes:
    factors = Factors(engine=site.desk.engine, clock=site.desk.clock, key=site.deps.web_key)
    async with site.desk.engine.connect() as connection:
        user = await find_user(connection, "alice")
    assert user
    secret = await factors.begin(user.id)
    assert secret
    assert await factors.confirm(user.id, totp.code_at(secret, totp.step_of(site.now_us())))
    site.desk.clock.advance(totp.STEP_SECONDS)
    return secret


async def test_a_login_with_a_second_factor_guards_the_pin_as_well(site: Site, server: TestServer):
    number = await _with_pin(site)
    secret = await _with_factor(site)
    async with browser(server) as client:
        entered = await _enter(client, number)
        before = await client.get("/account", allow_redirects=False)
        page = await (await client.get("/login/pin/code")).text()

        async def code(text: str):
            data = {"csrf": field_of(page, "csrf"), "code": text}
            return await client.post("/login/pin/code", data=data, allow_redirects=False)

        wrong = await code("000000")
        right = await code(totp.code_at(secret, totp.step_of(site.now_us())))
        after = await client.get("/account", allow_redirects=False)

    assert entered.headers["Location"] == "/login/pin/code"
    assert (before.status, wrong.status, right.status, after.status) == (303, 403, 303, 200)


async def test_a_made_up_step_of_the_pin_opens_nothing(site: Site, server: TestServer):
    await _with_pin(site)
    await _with_factor(site)
    async with browser(server) as client:
        await client.get("/login/pin")
        step = f"{b'alice'.hex()}.{site.now_us() + 10**9}.{'0' * 64}"
        client.session.cookie_jar.update_cookies({"talkmeter_pin_step": step})
        answer = await client.get("/login/pin/code", allow_redirects=False)

    assert (answer.status, answer.headers["Location"]) == (303, "/login/pin")


async def test_a_pin_session_takes_the_place_of_a_session_with_password(
    site: Site, server: TestServer
):
    number = await _with_pin(site, "bob", "15551230002")
    async with browser(server) as client:
        await log_in(client, "alice", PASSWORD)
        await _enter(client, number)
        text = text_of(await (await client.get("/account/settings")).text())

    assert "by PIN: it ends" in text
    assert number in text
