"""Operators' reports: the table, the chart and the CSV say the same; nobody else sees them."""

from __future__ import annotations

import csv
import io

import pytest
from aiohttp.test_utils import TestServer

from billing.money import parse_amount
from ivr.web.admin.reports import REPORTS
from ivr.web.sheets import KINDS
from tests.site import Site, browser, text_of


async def test_revenue_by_topic_is_drawn_listed_and_downloaded(site: Site, server: TestServer):
    await site.call(talk_seconds=60, topic="Billing")
    await site.call(talk_seconds=120, topic="Network")
    async with browser(server, "olga") as client:
        html = await (await client.get("/admin/reports?by=topic")).text()
        answer = await client.get("/admin/reports.csv?by=topic")
        rows = list(csv.DictReader(io.StringIO(await answer.text())))

    page = text_of(html)
    assert "Billing 18005550100 acme 1 1:00 5.50 USD 0.00 USD 3.85 USD 1.65 USD 30%" in page
    assert html.count('class="part client"') == 2
    assert [(row["topic"], row["revenue"], row["currency"]) for row in rows] == [
        ("Billing", "5.50", "USD"),
        ("Network", "6.00", "USD"),
    ]


@pytest.mark.parametrize("by", REPORTS)
async def test_every_report_has_a_page_and_a_file_with_and_without_rows(
    site: Site, server: TestServer, by: str
):
    async with browser(server, "olga") as client:
        empty = await client.get(f"/admin/reports?by={by}")
        await site.call(talk_seconds=60)
        await site.call(talk_seconds=0)
        filled = await client.get(f"/admin/reports?by={by}&client=acme")
        files = [await client.get(f"/admin/reports.{kind}?by={by}") for kind in KINDS.split("|")]
        starts = [(await file.read())[:4] for file in files]

    assert (empty.status, filled.status) == (200, 200)
    assert [file.status for file in files] == [200, 200, 200]
    assert starts[1:] == [b"PK\x03\x04", b"%PDF"]
    if by != "mrr":
        assert "<svg" in await filled.text()


async def test_unanswered_calls_are_counted_by_their_reason(site: Site, server: TestServer):
    await site.call(talk_seconds=0)
    await site.call(talk_seconds=60)
    async with browser(server, "olga") as client:
        page = text_of(await (await client.get("/admin/reports?by=unanswered-reason")).text())

    assert "No agent answered 1 0:13" in page


async def test_a_long_report_continues_on_the_next_page(site: Site, server: TestServer):
    await site.desk.wallet.top_up("bob", parse_amount("1000"), key="k", actor="test")
    for number in range(52):
        await site.call(talk_seconds=1, account="bob", topic=f"t{number:02d}")
    async with browser(server, "olga") as client:
        first = await (await client.get("/admin/reports?by=topic")).text()
        link = first.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
        second = await (await client.get(link)).text()

    assert ">t49<" in first
    assert 'data-label="DID"' in second
    assert [f"t{number}" for number in (50, 51)] == [
        name for name in ("t49", "t50", "t51") if f">{name}</td>" in second
    ]


@pytest.mark.parametrize("login", ["acme", "alice"])
async def test_reports_are_for_operators_only(server: TestServer, login: str):
    async with browser(server, login) as client:
        assert (await client.get("/admin/reports")).status == 403
        assert (await client.get("/admin/reports.csv")).status == 403
