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
    data = {"csrf": csrf_of(page), "key": field_of(page, "key"), **NEW, **fields}
    return await client.post("/admin/vouchers", data=data)


def _codes(page: str) -> list[str]:
    return [code.replace(" ", "") for code in re.findall(r'<span class="id">([\d ]{17})<', page)]


async def test_codes_are_shown_once_and_one_becomes_money_once(site: Site, server: TestServer):
    async with browser(server, "olga") as client:
        made = await (await _make(client)).text()
        codes = _codes(made)
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
    assert [line.split(",")[1:3] for line in lines[1:]] == [["10.00", "USD"]] * 3


async def _batch(client: Browser) -> str:
    page = await (await client.get("/admin/vouchers")).text()
    found = re.search(r"/admin/vouchers/([0-9a-f-]{36})", page)
    assert found
    return found[1]


async def test_a_batch_that_is_disabled_redeems_nothing(site: Site, server: TestServer):
    async with browser(server, "olga") as client:
        made = await (await _make(client)).text()
        batch = await _batch(client)
        data = {"csrf": csrf_of(made), "batch": batch}
        page = text_of(await (await client.post("/admin/vouchers/disable", data=data)).text())
        data = {"csrf": csrf_of(made), "key": "k" * 20, "account": "alice", "code": _codes(made)[0]}
        refused = await client.post("/admin/vouchers/redeem", data=data)

    assert "0 of 3" in page
    assert refused.status == 422
    assert await site.desk.spendable("alice") == parse_amount("100")


async def test_the_same_form_twice_makes_one_batch_and_shows_the_same_codes(
    site: Site, server: TestServer
):
    async with browser(server, "olga") as client:
        page = await (await client.get("/admin/vouchers")).text()
        data = {"csrf": csrf_of(page), "key": field_of(page, "key"), **NEW}
        first, second = [
            await (await client.post("/admin/vouchers", data=data)).text() for _ in range(2)
        ]
        other = await client.post("/admin/vouchers", data={**data, "amount": "1000"})
        site.desk.clock.advance(3_601)
        late = await client.post("/admin/vouchers", data=data)
        listed = await (await client.get("/admin/vouchers")).text()

    assert _codes(first) == _codes(second) != []
    assert other.status == late.status == 422
    assert len(set(re.findall(r"/admin/vouchers/([0-9a-f-]{36})", listed))) == 1


async def test_a_batch_tells_who_redeemed_what_and_one_voucher_is_called_back(
    site: Site, server: TestServer
):
    async with browser(server, "olga") as client:
        made = await (await _make(client)).text()
        batch, codes = await _batch(client), _codes(made)
        data = {"csrf": csrf_of(made), "key": "k" * 20, "account": "alice", "code": codes[1]}
        await client.post("/admin/vouchers/redeem", data=data)
        off = {"csrf": csrf_of(made), "serial": "1"}
        gone = text_of(
            await (await client.post(f"/admin/vouchers/{batch}/disable", data=off)).text()
        )
        used = {"csrf": csrf_of(made), "serial": "2"}
        late = await client.post(f"/admin/vouchers/{batch}/disable", data=used)
        lost = {"csrf": csrf_of(made), "lost": codes[2]}
        await client.post("/admin/vouchers/codes/disable", data=lost)
        page = text_of(await (await client.get(f"/admin/vouchers/{batch}")).text())
        sheet = await (await client.get(f"/admin/vouchers/{batch}/list.csv")).text()
        open_ones = text_of(await (await client.get(f"/admin/vouchers/{batch}?state=open")).text())

    assert "1 Called back" in gone
    assert late.status == 422
    assert "2 Redeemed" in page
    assert "alice" in page
    assert "No voucher of this batch is in that state." in open_ones
    assert [line.split(",")[:2] for line in sheet.split()[1:]] == [
        ["1", "disabled"], ["2", "used"], ["3", "disabled"],
    ]  # fmt: skip
    assert not any(code in sheet + page for code in codes)


@pytest.mark.parametrize(
    "fields", [{"amount": "x"}, {"count": "0"}, {"expires": "2020-01-01"}, {"count": "600"}]
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
