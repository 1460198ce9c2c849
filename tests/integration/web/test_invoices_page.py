"""Invoices on the web: listed, shown, as PDF, paid and credited once per form."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import TestServer

from tests.invoices import open_office
from tests.site import Site, browser, csrf_of, field_of, text_of


async def _billed(site: Site) -> str:
    office = open_office(site.desk)
    await office.charge("bob", "10", "fee")
    office.until(2026, 4, 1)
    return await office.bill("bob")


async def test_an_invoice_is_shown_paid_once_and_downloaded(site: Site, server: TestServer):
    number = await _billed(site)
    async with browser(server, "olga") as client:
        listed = text_of(await (await client.get("/admin/invoices?account=bob")).text())
        page = await (await client.get(f"/admin/invoice?number={number}")).text()
        data = {
            "csrf": csrf_of(page), "key": field_of(page, "key"), "number": number, "amount": "4",
        }  # fmt: skip
        for _ in range(2):
            answer = await client.post("/admin/invoice/payments", data=data)
        paid = text_of(await answer.text())
        file = await client.get(f"/admin/invoice.pdf?number={number}")
        body = await file.read()

    assert f"{number} bob 2026-03 Open" in listed
    assert "Unpaid 6.00 USD" in paid
    assert body.startswith(b"%PDF-")
    assert await site.desk.proved()


async def test_a_credit_note_takes_back_what_is_left_and_no_more(site: Site, server: TestServer):
    number = await _billed(site)
    async with browser(server, "olga") as client:
        page = await (await client.get(f"/admin/invoice?number={number}")).text()
        data = {
            "csrf": csrf_of(page), "key": field_of(page, "key"), "number": number, "reason": "Bad",
        }  # fmt: skip
        much = await client.post("/admin/invoice/credits", data={**data, "credit": "11"})
        done = text_of(
            await (await client.post("/admin/invoice/credits", data={**data, "credit": "3"})).text()
        )

    assert much.status == 422
    assert "Credit note CN-2026-000001 Bad 3.00 USD" in done


async def test_an_invoice_that_is_not_there_is_not_found(server: TestServer):
    async with browser(server, "olga") as client:
        assert (await client.get("/admin/invoice?number=2026-000009")).status == 404
        assert (await client.get("/admin/invoice?number=")).status == 422
        assert (await client.get("/admin/invoice")).url.path == "/admin/invoices"


@pytest.mark.parametrize("login", ["acme", "alice"])
async def test_invoices_are_for_operators_only(server: TestServer, login: str):
    async with browser(server, login) as client:
        assert (await client.get("/admin/invoices")).status == 403
        assert (await client.get("/admin/invoice.pdf?number=2026-000001")).status == 403
