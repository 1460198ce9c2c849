"""Import on the web: looked at first, applied as shown, refused rows come back with reasons."""

from __future__ import annotations

import asyncio
import csv
import io
import re

import pytest
from aiohttp import FormData
from aiohttp.test_utils import TestServer

from billing.money import parse_amount
from ivr.web.scope import Right, Role
from tests.site import Browser, Site, browser, csrf_of, text_of

FILE = b"""account,mode,currency,opening_balance,phones,pin
carol,,USD,20,15551230009,482913
bad name,,USD,,,
alice,postpaid,,,,
"""


async def _send(client: Browser, kind: str, body: bytes):
    page = await (await client.get("/admin/import")).text()
    form = FormData()
    form.add_field("csrf", csrf_of(page))
    form.add_field("file", body, filename="../../etc/x.csv", content_type="image/png")
    return await client.post(f"/admin/import/{kind}", data=form)


async def _apply(client: Browser, page: str, kind: str, link: str) -> str:
    upload = re.search(r"upload=([A-Za-z0-9_-]+)", link)
    assert upload
    data = {"csrf": csrf_of(page), "upload": upload[1]}
    answer = await client.post(f"/admin/import/{kind}/apply", data=data)
    async with asyncio.timeout(20):
        while "Importing" in (text := await answer.text()):
            answer = await client.get(link)
    return text


async def test_a_file_is_looked_at_then_imported_and_what_was_refused_comes_back(
    site: Site, server: TestServer
):
    async with browser(server, "olga") as client:
        looked = await _send(client, "accounts", FILE)
        page = await looked.text()
        assert "carol" not in {a.code for a in await site.desk.wallet.list_accounts()}
        done = text_of(await _apply(client, page, "accounts", looked.url.path_qs))
        query = looked.url.query_string
        bad = await (await client.get(f"/admin/import/refused.csv?{query}")).text()
        again = await _send(client, "accounts", FILE)
        later = text_of(await again.text())

    shown = text_of(page)
    assert "Nothing is changed yet" in shown
    assert "Import 1 row" in shown
    assert "Use a-z, 0-9, dot" in shown
    assert "482913" not in page
    assert "Imported: 1 made, 0 changed, 2 refused." in done
    rows = list(csv.DictReader(io.StringIO(bad)))
    assert [(row["account"], row["line"], row["column"]) for row in rows] == [
        ("bad name", "3", "account"), ("alice", "4", "mode"),
    ]  # fmt: skip
    assert "no row is new or changed" in later
    assert await site.desk.spendable("carol") == parse_amount("20")


@pytest.mark.parametrize(
    ("kind", "body", "why"),
    [
        ("accounts", b"", "The file is empty"),
        ("accounts", b"\x89PNG\r\n\x1a\n", "not a text file"),
        ("topups", b"account,amount\nx,1\n", "'reference' is missing"),
        ("accounts", b"nothing\nx\n", "There is no column"),
    ],
)
async def test_what_is_no_such_file_is_refused_beside_its_field(
    server: TestServer, kind: str, body: bytes, why: str
):
    async with browser(server, "olga") as client:
        answer = await _send(client, kind, body)
        page = await answer.text()

    assert answer.status == 422
    assert why in text_of(page)
    assert f'aria-describedby="d-{kind}"' in page


async def test_a_catalog_with_one_mistake_cannot_be_applied(site: Site, server: TestServer):
    async with browser(server, "olga") as client:
        answer = await _send(client, "catalog", b"currency: USD\ntariffs: {a: {tiers: x}}\n")
        page = await answer.text()
        after = await _apply(client, page, "catalog", answer.url.path_qs)

    assert "applied whole or not at all" in text_of(page)
    assert "Import 1 row" not in text_of(page)
    assert "Nothing is changed yet" in text_of(after)


async def test_another_login_sees_nothing_of_an_upload(site: Site, server: TestServer):
    await site.login("petra", Role.OPERATOR)
    async with browser(server, "olga") as client, browser(server, "petra") as other:
        looked = await _send(client, "accounts", FILE)
        page = text_of(await (await other.get(looked.url.path_qs)).text())
        own = await (await other.get("/admin/import")).text()
        data = {"csrf": csrf_of(own), "upload": looked.url.query["upload"]}
        refused = await other.post("/admin/import/accounts/apply", data=data)

    assert "This file is no longer here" in page
    assert "carol" not in page
    assert refused.status == 422


async def test_who_may_not_move_money_imports_no_opening_balance(site: Site, server: TestServer):
    await site.login("vera", Role.OPERATOR, rights=frozenset({Right.ACCOUNTS}))
    async with browser(server, "vera") as client:
        page = text_of(await (await _send(client, "accounts", FILE)).text())
        money = await _send(client, "topups", b"account,amount,reference\nalice,1,r\n")

    assert "Your login lacks the right to do this." in page
    assert money.status == 403


async def test_exports_and_examples_can_be_read_again(server: TestServer):
    async with browser(server, "olga") as client:
        told = {}
        for name, kind in (
            ("/admin/import/example-accounts.csv", "accounts"),
            ("/admin/import/example-topups.csv", "topups"),
            ("/admin/accounts.csv", "accounts"),
        ):
            body = await (await client.get(name)).read()
            told[name] = text_of(await (await _send(client, kind, body)).text())

    assert "New 2" in told["/admin/import/example-accounts.csv"]
    assert "There is no such account." in told["/admin/import/example-topups.csv"]
    assert "Unchanged 2" in told["/admin/accounts.csv"]
