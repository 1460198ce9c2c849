"""Refunds on the page of a call: in full, in part, by goodwill; once per form."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import TestServer

from billing.money import format_amount
from tests.site import Browser, Site, browser, csrf_of, field_of, text_of


async def _refund(client: Browser, page: str, call_id: str, **fields: str):
    data = {"csrf": csrf_of(page), "key": field_of(page, "key"), "reason": "Bad line", **fields}
    return await client.post(f"/admin/calls/{call_id}/refunds", data=data)


@pytest.mark.parametrize(
    ("fields", "balance", "shown"),
    [
        ({"kind": "full"}, "100.00", "Client 3.8675 USD · Provider 1.6575 USD 5.525 USD"),
        ({"kind": "part", "amount": "1.00"}, "95.475", "Provider 0.30 USD 1.00 USD"),
        ({"kind": "goodwill", "amount": "2"}, "96.475", "Goodwill Bad line · Provider 2.00 USD"),
    ],
)
async def test_a_refund_is_booked_and_shown_once_however_often_it_is_sent(
    site: Site, server: TestServer, fields: dict[str, str], balance: str, shown: str
):
    call_id = await site.call(talk_seconds=62.4)
    async with browser(server, "olga") as client:
        page = await (await client.get(f"/admin/calls/{call_id}")).text()
        first = await _refund(client, page, call_id, **fields)
        await _refund(client, page, call_id, **fields)
        text = text_of(await first.text())

    assert shown in text
    assert format_amount(await site.desk.spendable("alice")) == balance
    assert await site.desk.proved()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "part"}, "Write how much goes back."),
        ({"kind": "part", "amount": "6"}, "left"),
        ({"kind": "part", "amount": "x"}, "Write an amount such as 12.50"),
        ({"kind": "full", "reason": ""}, "Please fill this in."),
    ],
)
async def test_a_wrong_refund_is_explained_and_moves_nothing(
    site: Site, server: TestServer, fields: dict[str, str], message: str
):
    call_id = await site.call(talk_seconds=62.4)
    async with browser(server, "olga") as client:
        page = await (await client.get(f"/admin/calls/{call_id}")).text()
        answer = await _refund(client, page, call_id, **fields)
        text = text_of(await answer.text())

    assert answer.status == 422
    assert message in text
    assert format_amount(await site.desk.spendable("alice")) == "94.475"


async def test_a_caller_sees_its_refund_and_no_form(site: Site, server: TestServer):
    call_id = await site.call(talk_seconds=62.4)
    async with browser(server, "olga") as client, browser(server, "alice") as caller:
        page = await (await client.get(f"/admin/calls/{call_id}")).text()
        await _refund(client, page, call_id, kind="full")
        own = await (await caller.get(f"/account/calls/{call_id}")).text()
        refused = await caller.post(
            f"/admin/calls/{call_id}/refunds", data={"csrf": csrf_of(own), "kind": "full"}
        )

    assert "Refund Bad line 5.525 USD" in text_of(own)
    assert "Give back" not in own
    assert refused.status == 403
