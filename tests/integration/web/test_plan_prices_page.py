"""What a plan costs, changed as text with a preview; who subscribed keeps what was agreed."""

from __future__ import annotations

import re

from aiohttp import ClientResponse
from aiohttp.test_utils import TestServer

from billing.domain.plans import Plan
from billing.storage.plan_rows import page_of_subscriptions
from billing.subscriptions import Subscriptions
from ivr.web.queries.plans import list_plans
from tests.plans import Shop
from tests.site import Browser, Site, browser, csrf_of, text_of

PATH = "/admin/plan-prices/free"


async def send(
    client: Browser, path: str, data: dict[str, str], *, page: str | None = None
) -> tuple[ClientResponse, str]:
    text = page if page is not None else await (await client.get(path)).text()
    kept = dict(re.findall(r'type="hidden" name="(state|seal)" value="([^"]*)"', text))
    answer = await client.post(
        path, data={"csrf": csrf_of(text)} | kept | data, allow_redirects=False
    )
    return answer, await answer.text()


async def test_a_plan_is_previewed_and_saved_and_subscribers_keep_theirs(
    site: Site, server: TestServer
):
    plans = Subscriptions(engine=site.desk.engine, clock=site.desk.clock)
    await Shop(desk=site.desk, plans=plans).offer(Plan(name="free", currency="USD", price=0))
    await plans.subscribe("alice", "free")
    new = {"text": 'price: "3.00"\nmeters:\n  minutes: {included: 10}\n'}
    async with browser(server, "olga") as client:
        wrong, named = await send(client, PATH, {"text": "price: many\nmoon: 1"})
        unseen, page = await send(client, PATH, new | {"step": "save"})
        saved, _ = await send(client, PATH, new | {"step": "save"}, page=page)
        stale, _ = await send(client, PATH, new | {"step": "save"}, page=page)
        added, _ = await send(client, "/admin/new-plan", new | {"name": "free", "currency": "USD"})

    assert [each.status for each in (wrong, unseen, saved, stale)] == [422, 200, 303, 409]
    assert "price: Not an amount" in named.replace("&#39;", "'")
    assert "moon: Unknown" in named
    assert "1 subscriber goes on with the version that it has." in text_of(page)
    assert added.status == 200
    async with site.desk.engine.connect() as connection:
        (sold,) = await list_plans(connection)
        (live,) = await page_of_subscriptions(connection, after="", limit=9)
    assert (sold.version, sold.plan.price) == (2, 3_000_000)
    assert live.version == 1
