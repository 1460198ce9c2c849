"""The invoices of a month by the web: a preview makes nothing, a run bills each account once."""

from __future__ import annotations

from aiohttp.test_utils import TestServer

from tests.site import Site, browser, csrf_of, text_of

MONTH = "2026-03"


async def test_a_preview_makes_nothing_and_a_run_bills_everybody_once(
    site: Site, server: TestServer
):
    await site.call(account="bob", talk_seconds=60)
    site.desk.clock.advance(40 * 86_400)
    async with browser(server, "olga") as operator:
        preview = await (await operator.get(f"/admin/invoice-run?month={MONTH}")).text()
        before = text_of(await (await operator.get("/admin/invoices")).text())
        data = {"csrf": csrf_of(preview), "month": MONTH}
        made = text_of(await (await operator.post("/admin/invoice-run", data=data)).text())
        again = text_of(await (await operator.post("/admin/invoice-run", data=data)).text())
        listed = text_of(await (await operator.get(f"/admin/invoices?month={MONTH}")).text())
        paid = text_of(await (await operator.get("/admin/invoices?state=paid")).text())

    assert "bob 1 5.50 USD" in text_of(preview)
    assert "Make 1 invoice" in text_of(preview)
    assert "bob" not in before
    assert "1 invoice was made." in made
    assert "0 invoices were made." in again
    assert "bob Mar 2026" in listed or f"bob {MONTH}" in listed
    assert "bob" not in paid
    assert await site.desk.proved()


async def test_a_month_that_is_not_over_is_not_billed(site: Site, server: TestServer):
    async with browser(server, "olga") as operator:
        page = await (await operator.get("/admin/invoice-run?month=2026-12")).text()
        invoices = await (await operator.get("/admin/invoices")).text()
        data = {"csrf": csrf_of(invoices), "month": "2026-12"}
        refused = await operator.post("/admin/invoice-run", data=data)

    assert "This month is not over yet" in page
    assert refused.status == 422
