"""Usage over HTTP: recorded once, quoted before it is spent, told to its owner only."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestServer

from billing.subscriptions import Subscriptions
from tests.plans import STARTER, Shop
from tests.site import CLI_TOKEN, Browser, Site, browser

BASE = "/api/v1"


@pytest.fixture
async def shop(site: Site) -> Shop:
    shop = Shop(site.desk, Subscriptions(engine=site.desk.engine, clock=site.desk.clock))
    await shop.offer(STARTER)
    await site.desk.wallet.top_up("alice", 100_000_000, key="usage", actor="test")
    await shop.plans.subscribe("alice", "starter")
    return shop


async def ask(
    client: Browser, method: str, path: str, *, token: str = CLI_TOKEN, **more: Any
) -> ClientResponse:
    headers = {"Authorization": f"Bearer {token}"}
    return await client.request(method, BASE + path, headers=headers, **more)


async def test_one_event_or_many_are_recorded_once(shop: Shop, server: TestServer) -> None:
    one = {"key": "1", "account": "alice", "type": "chat"}
    many = {"events": [one, {**one, "key": "2"}, {**one, "key": "1", "type": "review"}]}
    async with browser(server) as client:
        first = await (await ask(client, "POST", "/usage", json=one)).json()
        second = await (await ask(client, "POST", "/usage", json=many)).json()
        report = await (await ask(client, "GET", "/usage?account=alice")).json()

    assert first["events"][0] == {
        "key": "1", "account": "alice", "outcome": "accepted", "code": None, "reason": None,
        "meter": "minutes", "units": "0.5", "overage_units": "0", "overage": "0.00",
        "remaining": "999.5", "warning": None,
    }  # fmt: skip
    assert (second["accepted"], second["replayed"], second["conflicts"]) == (1, 1, 1)
    assert report["rows"][0]["units"] == "1"
    assert await shop.left("alice") == {"minutes rollover": "0", "minutes cycle": "999"}


async def test_a_quote_says_what_will_be_used(shop: Shop, server: TestServer) -> None:
    async with browser(server) as client:
        answer = await ask(client, "GET", "/usage/quote?account=alice&type=review")
        quote = await answer.json()
        refused = await ask(client, "GET", "/usage/quote?account=alice&type=minutes&units=2000")

    assert quote["says"] == "This will use 2 minutes of your plan; 998 minutes stay."
    assert (refused.status, (await refused.json())["code"]) == (409, "usage_stopped")


async def test_a_subscription_is_shown_with_its_allowances(shop: Shop, server: TestServer) -> None:
    async with browser(server) as client:
        shown = await (await ask(client, "GET", "/subscriptions/alice")).json()
        by_id = await (await ask(client, "GET", f"/subscriptions/{shown['id']}")).json()
        missing = await ask(client, "GET", "/subscriptions/bob")

    assert (shown["plan"], shown["state"]) == ("starter", "active")
    assert shown["allowances"][-1]["remaining"] == "1000"
    assert by_id == shown
    assert missing.status == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"account": "alice", "type": "chat"}, "events.0.key"),
        ({"key": "1", "type": "chat"}, "account"),
        ({"key": "1", "account": "alice", "type": "chat", "units": "0"}, "events.0.units"),
        ({"key": "1", "account": "alice", "type": "chat", "units": 1}, "events.0.units"),
        ({"key": "1", "type": "chat", "at": "2026-01-01T00:00:00"}, "events.0.at"),
        ({"events": []}, "events"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_named_by_event_and_field(
    shop: Shop, server: TestServer, body: dict[str, Any], field: str
) -> None:
    async with browser(server) as client:
        answer = await ask(client, "POST", "/usage", json=body)
        problem = await answer.json()

    assert answer.status == 422
    assert problem["errors"][0]["field"] == field


async def test_ten_thousand_events_fit_into_one_request(shop: Shop, server: TestServer) -> None:
    event = {"account": "alice", "type": "minutes", "units": "0.01", "project": "p" * 100}
    body = {"events": [{**event, "key": f"k-{number}"} for number in range(10_000)]}
    sent = json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {CLI_TOKEN}", "Content-Type": "application/json"}
    async with browser(server) as client:
        answer = await client.post(BASE + "/usage", data=io.BytesIO(sent), headers=headers)
        done = await answer.json()

    assert len(sent) > 1_000_000

    assert done["accepted"] == 10_000
    assert await shop.left("alice") == {"minutes rollover": "0", "minutes cycle": "900"}
