"""Opening an account: number and PIN shown once, nobody's e-mail given away, no phone trusted."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

import pytest
from aiohttp.test_utils import TestServer
from sqlalchemy import func, select

from billing.storage.tables import accounts
from ivr.tables import phones, users
from tests.site import Browser, Site, browser, csrf_of, field_of, log_in, served, text_of

PASSWORD, OTHER = "many green kettles", "other words entirely"


async def _sign_up(client: Browser, email: str = "ann@example.org", **more: str):
    page = await (await client.get("/signup")).text()
    data = {
        "csrf": csrf_of(page), "key": field_of(page, "key"), "email": email,
        "password": PASSWORD, "password_again": PASSWORD,
    }  # fmt: skip
    return await client.post("/signup", data=data | more)


def _shown(page: str, name: str) -> str:
    return re.findall(rf'id="{name}">([0-9]+)<', page)[0]


async def test_signing_up_shows_number_and_pin_once_and_both_ways_in_work(site_of_both: Site):
    site = site_of_both
    async with served(site) as server, browser(server) as client, browser(server) as other:
        page = await (await _sign_up(client, "Ann@Example.org", name="Ann")).text()
        home = text_of(await (await client.get("/account")).text())
        number, pin = _shown(page, "number"), _shown(page, "pin")
        by_password = await log_in(other, "ann@example.org", PASSWORD)
        form = await (await client.get("/login/pin")).text()
        data = {"csrf": csrf_of(form), "number": number, "pin": pin}
        by_pin = await client.post("/login/pin", data=data, allow_redirects=False)

    assert len(pin) == 6
    assert f"Account number {number}" in home
    assert (by_password.status, by_pin.status) == (303, 303)
    async with site.desk.engine.connect() as connection:
        assert await connection.scalar(select(func.count()).select_from(phones)) == 0


async def test_a_taken_email_gets_the_same_answer_and_keeps_its_owner(
    site: Site, server: TestServer
):
    async with browser(server) as ann, browser(server) as eve, browser(server) as again:
        first = await _sign_up(ann)
        second = await _sign_up(eve, password=OTHER, password_again=OTHER)
        hers = await log_in(again, "ann@example.org", PASSWORD)
        not_hers = await log_in(eve, "ann@example.org", OTHER)
        texts = [
            re.sub(r"[0-9]{6}", "N", text_of(await answer.text())) for answer in (first, second)
        ]

    assert (first.status, second.status) == (200, 200)
    assert texts[0] == texts[1]
    assert (hers.status, not_hers.status) == (303, 403)
    async with site.desk.engine.connect() as connection:
        mine = select(func.count()).where(users.c.login == "ann@example.org")
        assert await connection.scalar(mine) == 1


async def test_the_same_form_sent_twice_opens_one_account(site: Site, server: TestServer):
    async with browser(server) as client:
        page = await (await client.get("/signup")).text()
        data = {
            "csrf": csrf_of(page), "key": field_of(page, "key"), "email": "ann@example.org",
            "password": PASSWORD, "password_again": PASSWORD,
        }  # fmt: skip
        answers = await asyncio.gather(*(client.post("/signup", data=data) for _ in range(2)))
        pages = [await answer.text() for answer in answers]

    assert sum('id="pin"' in page for page in pages) == 1
    async with site.desk.engine.connect() as connection:
        opened = select(func.count()).where(accounts.c.code.startswith("c-"))
        assert await connection.scalar(opened) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "no address"), ("email", f"{'a' * 60}@b.org"), ("password", "short"),
        ("password", "Password2024!!"), ("password", "123456789012"),
        ("password_again", "something else"), ("currency", "EUR"), ("name", "x" * 201),
    ],
)  # fmt: skip
async def test_what_no_account_is_opened_with_is_explained_at_its_field(
    site: Site, server: TestServer, field: str, value: str
):
    async with browser(server) as client:
        answer = await _sign_up(client, **{field: value})
        page = await answer.text()

    assert answer.status == 422
    assert f'id="d-{field}"' in page or field == "currency"
    assert 'class="mistake"' in page
    assert value not in page or field not in {"password", "password_again"}


async def test_one_network_opens_few_accounts(site: Site, server: TestServer):
    statuses = []
    for number in range(6):
        async with browser(server) as client:
            statuses.append((await _sign_up(client, f"ann{number}@example.org")).status)

    assert statuses == [200] * 5 + [429]


async def test_a_form_of_another_site_opens_nothing(site: Site, server: TestServer):
    async with browser(server) as client:
        bare = await client.post("/signup", data={"email": "ann@example.org"})
        page = await (await client.get("/signup")).text()
        data = {"csrf": csrf_of(page), "key": field_of(page, "key"), "email": "ann@example.org"}
        foreign = await client.post(
            "/signup", data=data, headers={"Origin": "https://evil.example"}
        )

    assert (bare.status, foreign.status) == (403, 403)


async def test_where_nobody_may_sign_up_there_is_no_such_page(site: Site):
    closed = replace(site, deps=replace(site.deps, signup=False))
    async with served(closed) as server, browser(server) as client:
        page = await client.get("/signup")
        front = await (await client.get("/")).text()

    assert page.status == 404
    assert "/signup" not in front
