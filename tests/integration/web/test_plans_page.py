"""Plans on the web: what is sold, subscribing, what is left."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import TestServer

from billing.subscriptions import Subscriptions
from tests.plans import STARTER, Shop
from tests.site import Site, browser, csrf_of, text_of


async def test_an_account_is_subscribed_once_and_shows_what_is_left(site: Site, server: TestServer):
    plans = Subscriptions(engine=site.desk.engine, clock=site.desk.clock)
    await Shop(desk=site.desk, plans=plans).offer(STARTER)
    async with browser(server, "olga") as client:
        page = await (await client.get("/admin/plans")).text()
        data = {"csrf": csrf_of(page), "account": "alice", "plan": "starter"}
        done = text_of(await (await client.post("/admin/plans", data=data)).text())
        again = await client.post("/admin/plans", data=data)

    assert "starter 1 49.00 USD 1,000 minutes 0" in text_of(page)
    assert "alice starter@1 Active 1,000 of 1,000 minutes" in done
    assert again.status == 422
    assert await site.desk.spendable("alice") == 51_000_000


@pytest.mark.parametrize("login", ["acme", "alice"])
async def test_plans_are_for_operators_only(server: TestServer, login: str):
    async with browser(server, login) as client:
        assert (await client.get("/admin/plans")).status == 403
