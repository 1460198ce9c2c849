"""Tariffs and clients on the web: what a talk would cost, who would get what, what was agreed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from aiohttp.test_utils import TestServer

from billing.money import parse_amount
from tests.books import STANDARD
from tests.site import Site, browser, text_of


async def test_a_talk_is_simulated_with_two_tariffs_side_by_side(site: Site, server: TestServer):
    await site.call(talk_seconds=60)
    dear = replace(STANDARD, name="dear", setup_fee=parse_amount("8"))
    await site.call(talk_seconds=60, tariff=dear)
    await site.directory.load()
    async with browser(server, "olga") as client:
        answer = await client.get("/admin/tariffs?minutes=12&one=standard@1&two=dear@1&client=acme")
        html = await answer.text()

    page = text_of(html)
    assert "standard@1: 12 min cost 11.00 USD" in page
    assert "dear@1: 12 min cost 14.00 USD" in page
    assert "Share: Client acme 7.70 USD" in page
    assert "Share: Provider 3.30 USD" in page
    assert html.count('<polygon class="part client"') == 2


@pytest.mark.parametrize("query", ["", "?minutes=0", "?minutes=61", "?one=nope@7", "?client=nope"])
async def test_the_page_answers_whatever_is_asked(site: Site, server: TestServer, query: str):
    async with browser(server, "olga") as client:
        empty = await client.get(f"/admin/tariffs{query}")
        await site.call(talk_seconds=60)
        filled = await client.get(f"/admin/tariffs{query}")

    assert (empty.status, filled.status) == (200, 200)


@pytest.mark.parametrize("login", ["acme", "alice"])
@pytest.mark.parametrize("path", ["/admin/tariffs", "/admin/clients"])
async def test_they_are_for_operators_only(server: TestServer, login: str, path: str):
    async with browser(server, login) as client:
        assert (await client.get(path)).status == 403
