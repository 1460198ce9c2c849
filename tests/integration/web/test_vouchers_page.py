"""Vouchers on the web: codes are seen once, redeemed once, and can be called back."""

from __future__ import annotations

import re

import pytest
from aiohttp.test_utils import TestServer

from billing.money import parse_amount
from tests.site import Browser, Site, browser, csrf_of, field_of, text_of

NEW = {"amount": "10", "currency": "USD", "count": "3", "note": "March"}


async def _make(client: Browser, **fields: str):
    page = await (await client.get("/admin/vouchers")).text()
    return await client.post("/admin/vouchers", data={"csrf": csrf_of(page), **NEW, **fields})


async def test_codes_are_shown_once_and_one_becomes_money_once(site: Site, server: TestServer):
    async with browser(server, "olga") as client:
        made = await (await _make(client)).text()
        codes = re.findall(r'<li class="id">(\d{14})<', made)
        later = await (await client.get("/admin/vouchers")).text()
        data = {
            "csrf": csrf_of(later), "key": field_of(later, "key"),
            "account": "alice", "code": codes[0],
        }  # fmt: skip
        first = text_of(await (await client.post("/admin/vouchers/redeem", data=data)).text())
        await client.post("/admin/vouchers/redeem", data=data)
        other = await client.post("/admin/vouchers/redeem", data={**data, "key": "k" * 20})

    assert len(set(codes)) == 3
    assert codes[0] not in later
    assert "10.00 USD were added to alice. The balance is 110.00 USD." in first
    assert "2 of 3" in first
    assert other.status == 422
    assert await site.desk.spendable("alice") == parse_amount("110")


async def test_codes_are_downloaded(server: TestServer):
    async with browser(server, "olga") as client:
        answer = await _make(client, codes="file")
        lines = (await answer.text()).split()

    assert "attachment" in answer.headers["Content-Disposition"]
    assert [line.split(",")[1:] for line in lines[1:]] == [["10.00", "USD"]] * 3


async def test_a_batch_that_is_disabled_redeems_nothing(site: Site, server: TestServer):
    async with browser(server, "olga") as client:
        made = await (await _make(client)).text()
        batch = field_of(made, "batch")
        code = re.findall(r'<li class="id">(\d{14})<', made)[0]
        page = text_of(
            await (
                await client.post(
                    "/admin/vouchers/disable", data={"csrf": csrf_of(made), "batch": batch}
                )
            ).text()
        )
        data = {
            "csrf": csrf_of(made), "key": field_of(made, "key"), "account": "alice", "code": code,
        }  # fmt: skip
        refused = await client.post("/admin/vouchers/redeem", data=data)

    assert "0 of 3" in page
    assert refused.status == 422
    assert await site.desk.spendable("alice") == parse_amount("100")


@pytest.mark.parametrize(
    "fields", [{"amount": "x"}, {"count": "0"}, {"expires": "2020-01-01"}, {"count": "300"}]
)
async def test_a_wrong_batch_is_not_made(server: TestServer, fields: dict[str, str]):
    async with browser(server, "olga") as client:
        answer = await _make(client, **fields)
        text = await answer.text()

    assert answer.status == 422
    assert "mistake" in text
    assert "No vouchers were made yet." in text


@pytest.mark.parametrize("login", ["acme", "alice"])
async def test_vouchers_are_for_operators_only(server: TestServer, login: str):
    async with browser(server, login) as client:
        assert (await client.get("/admin/vouchers")).status == 403
