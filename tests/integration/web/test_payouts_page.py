"""Payouts on the web: a client asks for its own money, an operator decides."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import TestServer

from billing.domain.payouts import BankAccount, PayoutTerms
from billing.payouts import Payouts
from tests.site import Browser, Site, browser, csrf_of, field_of, text_of

BANK = BankAccount(name="Acme IT Support", iban="LT121000011101001000", bic="HABALT22")


async def _ask(client: Browser, page: str, **fields: str):
    data = {"csrf": csrf_of(page), "key": field_of(page, "key"), **fields}
    return await client.post("/portal/payouts", data=data)


async def _earned(site: Site) -> None:
    payouts = Payouts(engine=site.desk.engine, clock=site.desk.clock)
    await payouts.set_terms("client", "acme", PayoutTerms(hold_back_days=0, bank=BANK))
    await site.call(talk_seconds=60)
    site.desk.clock.advance(60)


async def test_a_payout_is_requested_once_approved_and_paid(site: Site, server: TestServer):
    await _earned(site)
    async with browser(server, "acme") as client, browser(server, "olga") as operator:
        page = await (await client.get("/portal/payouts")).text()
        asked = text_of(await (await _ask(client, page)).text())
        await _ask(client, page)
        listed = await (await operator.get("/admin/payouts")).text()
        data = {"csrf": csrf_of(listed), "payout": field_of(listed, "payout")}
        await operator.post("/admin/payouts", data={**data, "move": "approve"})
        paid = await operator.post("/admin/payouts", data={**data, "move": "pay"})
        late = await operator.post("/admin/payouts", data={**data, "move": "reject", "note": "no"})
        own = text_of(await (await client.get("/portal/payouts")).text())

    assert "Payable now 3.85 USD" in text_of(page)
    assert "Payable now 0.00 USD" in asked
    assert "Paid" in text_of(await paid.text())
    assert late.status == 422
    assert "Paid 3.85 USD" in own
    assert await site.desk.proved()


async def test_a_rejected_payout_gives_the_money_back_and_needs_a_reason(
    site: Site, server: TestServer
):
    await _earned(site)
    async with browser(server, "acme") as client, browser(server, "olga") as operator:
        await _ask(client, await (await client.get("/portal/payouts")).text(), amount="1.50")
        listed = await (await operator.get("/admin/payouts?status=requested")).text()
        data = {"csrf": csrf_of(listed), "payout": field_of(listed, "payout"), "move": "reject"}
        wrong = await operator.post("/admin/payouts", data=data)
        await operator.post("/admin/payouts", data={**data, "note": "Wrong bank account"})
        own = text_of(await (await client.get("/portal/payouts")).text())

    assert wrong.status == 422
    assert "Payable now 3.85 USD" in own
    assert "Rejected 1.50 USD" in own


@pytest.mark.parametrize("amount", ["99", "0.001", "x", "-1"])
async def test_a_wrong_request_is_explained(site: Site, server: TestServer, amount: str):
    await _earned(site)
    async with browser(server, "acme") as client:
        page = await (await client.get("/portal/payouts")).text()
        answer = await _ask(client, page, amount=amount)

    assert answer.status == 422
    assert "mistake" in await answer.text()


async def test_a_client_sees_nothing_of_another(site: Site, server: TestServer):
    await _earned(site)
    async with browser(server, "acme") as client, browser(server, "globex") as other:
        await _ask(client, await (await client.get("/portal/payouts")).text())
        own = text_of(await (await other.get("/portal/payouts?client=acme")).text())
        admin = await other.get("/admin/payouts")
    async with browser(server, "alice") as caller:
        refused = await caller.get("/portal/payouts")

    assert "Nothing was requested yet." in own
    assert "3.85" not in own
    assert (admin.status, refused.status) == (403, 403)
