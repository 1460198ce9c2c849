"""Revenue and its split: picture, table and CSV say the same, for one's own calls."""

from __future__ import annotations

import csv
import io
import re

import pytest
from aiohttp.test_utils import TestServer

from billing.money import parse_amount
from tests.site import Site, browser, text_of


async def test_the_table_holds_what_was_booked(site: Site, server: TestServer):
    await site.call(talk_seconds=60, topic="Billing")
    await site.call(talk_seconds=60, topic="Network")
    await site.call(talk_seconds=120, topic="Network")
    await site.call(talk_seconds=600, client="globex", account="bob")
    async with browser(server, "acme") as client:
        html = await (await client.get("/portal")).text()

    page = text_of(html)
    assert "Revenue Acme IT Support" in page
    assert "Revenue 17.00 USD Client 11.90 USD Provider 5.10 USD Paid calls 3" in page
    assert "Billing 18005550100 1 1:00 5.50 USD 3.85 USD 1.65 USD" in page
    assert "Network 18005550100 2 3:00 11.50 USD 8.05 USD 3.45 USD" in page
    assert html.count('class="part client"') == 1
    assert "In all: Client 11.90 USD, Provider 5.10 USD." in html


async def test_the_csv_adds_up_to_the_page(site: Site, server: TestServer):
    await site.call(talk_seconds=61.2)
    await site.call(talk_seconds=3.1)
    async with browser(server, "acme") as client:
        answer = await client.get("/portal.csv?first=2026-03-01&last=2026-03-31")
        rows = list(csv.DictReader(io.StringIO(await answer.text())))

    assert answer.headers["Content-Disposition"].endswith(
        'filename="split-acme-2026-03-01-2026-03-31.csv"'
    )
    assert [row["calls"] for row in rows] == ["2"]
    parts = sum(parse_amount(rows[0][party]) for party in ("client", "provider"))
    assert parts == parse_amount(rows[0]["gross"])


@pytest.mark.parametrize("topic", ["=1+1", "+1", "-1", "@x", "\t=1", "=cmd|' /C calc'!A0"])
async def test_a_cell_is_never_a_formula(site: Site, server: TestServer, topic: str):
    await site.call(topic=topic)
    async with browser(server, "acme") as client:
        text = await (await client.get("/portal.csv")).text()

    (row,) = csv.DictReader(io.StringIO(text))
    assert row["topic"] == f"'{topic}"
    assert row["gross"] == "5.525"


async def test_an_operator_sees_all_clients_or_one(site: Site, server: TestServer):
    await site.call()
    await site.call(client="globex", account="bob")
    async with browser(server, "olga") as client:
        all_of_them = text_of(await (await client.get("/admin/report")).text())
        one = text_of(await (await client.get("/admin/report?client=globex")).text())

    assert "Paid calls 2" in all_of_them
    assert "18005550100 acme" in all_of_them
    assert "Paid calls 1" in one
    assert "18005550100 acme" not in one


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("first=2026-02-30", "Write a day such as 2026-03-31."),
        ("first=2026-03-09&last=2026-03-01", "The last day is before the first."),
        ("first=2020-01-01&last=2026-03-01", "A report covers at most 366 days."),
    ],
)
async def test_a_wrong_period_is_explained(server: TestServer, query: str, message: str):
    async with browser(server, "acme") as client:
        page = await client.get(f"/portal?{query}")
        text = text_of(await page.text())
        download = await client.get(f"/portal.csv?{query}")

    assert page.status == 200
    assert message in text
    assert download.status == 422


async def test_days_outside_the_period_do_not_count(site: Site, server: TestServer):
    await site.call()
    async with browser(server, "acme") as client:
        page = text_of(await (await client.get("/portal?first=2026-03-05&last=2026-03-06")).text())

    assert "Nothing was sold from 2026-03-05 to 2026-03-06." in page


async def test_the_dashboard_sums_today_and_draws_the_fortnight(site: Site, server: TestServer):
    await site.call(talk_seconds=60)
    site.desk.clock.advance(86_400)
    await site.call(talk_seconds=60)
    async with browser(server, "olga") as client:
        html = await (await client.get("/admin")).text()

    page = text_of(html)
    assert "Revenue today 5.50 USD" in page
    assert "Paid calls today 1 " in page
    assert "Paid in today 0.00 USD" in page
    assert len(re.findall(r'class="part revenue"', html)) == 2


async def test_the_dashboard_names_what_does_not_work(site: Site, server: TestServer):
    site.ready["switch"] = False
    async with browser(server, "olga") as client:
        page = text_of(await (await client.get("/admin")).text())

    assert "Not working: switch." in page


async def test_of_very_many_topics_those_with_the_highest_revenue_are_shown(
    site: Site, server: TestServer
):
    day_us = site.now_us() - site.now_us() % 86_400_000_000
    for number in range(103):
        await site.execute(
            "INSERT INTO agent_days (day_us, client, agent, service, detail, currency, sessions, "
            "talk_us, billed_seconds, gross, to_client, to_provider, to_reseller, to_referrer, "
            f"to_tax) VALUES ({day_us}, 'acme', '', '18005550100', 'Topic {number:03}', 'USD', 1, "
            f"60000000, 60, {1_000_000 + number * 10_000}, 0, 0, 0, 0, 0)"
        )
    async with browser(server, "acme") as client:
        page = text_of(await (await client.get("/portal?by=topic")).text())
        rows = list(csv.DictReader(io.StringIO(await (await client.get("/portal.csv")).text())))

    assert "These are the 100 of 103 rows with the highest revenue" in page
    assert "Paid calls 103" in page
    assert "Topic 102" in page
    assert "1.02 USD" not in page
    assert len(rows) == 103
