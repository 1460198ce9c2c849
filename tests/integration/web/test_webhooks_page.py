"""Webhooks on the web: a secret shown once, a test, a log, and nobody else's."""

from __future__ import annotations

import re

import pytest
from aiohttp.test_utils import TestServer
from sqlalchemy import update

from ivr.web.webhooks import outbox
from ivr.web.webhooks.endpoints import Endpoint, Whose, add_endpoint, list_endpoints, set_enabled
from ivr.webhook_tables import webhook_endpoints
from tests.site import Browser, Site, browser, csrf_of, field_of, text_of

URL = "https://hooks.example.com/talkmeter"


async def _add(visitor: Browser, home: str, *events: str, **fields: str) -> tuple[int, str]:
    page = await (await visitor.get(f"{home}/webhooks")).text()
    data = {"csrf": csrf_of(page), "key": field_of(page, "key"), "url": URL, **fields}
    answer = await visitor.post(
        f"{home}/webhooks", data={**data, **{f"e:{event}": "1" for event in events}}
    )
    return answer.status, await answer.text()


async def _send(
    visitor: Browser, hook: Endpoint, verb: str, home: str = "/portal", **fields: str
) -> tuple[int, str]:
    csrf = csrf_of(await (await visitor.get(f"{home}/webhooks")).text())
    answer = await visitor.post(f"{home}/webhooks/{hook.id}{verb}", data={"csrf": csrf, **fields})
    return answer.status, await answer.text()


async def test_a_secret_is_shown_once_and_a_test_stands_in_the_log(site: Site, server: TestServer):
    async with browser(server, "acme") as client:
        _, made = await _add(client, "/portal", "call.ended")
        (hook,) = await list_endpoints(site.desk.engine, Whose(client="acme"))
        _, later = await _send(client, hook, "/test", event="call.ended")
        again, _ = await _send(client, hook, "/replay", delivery=field_of(later, "delivery"))
        _, off = await _send(client, hook, "/action", action="disable")
        _, gone = await _send(client, hook, "/action", action="delete")

    assert hook.secret in made
    assert hook.secret not in later
    assert "Pending" in text_of(later)
    assert "&#34;balance_after&#34;: null" in later
    assert again == 200
    assert f"{URL} Off" in text_of(off)
    assert "No server is told" in text_of(gone)
    assert await list_endpoints(site.desk.engine, Whose(client="acme")) == []


async def test_a_new_secret_is_shown_once_and_the_old_one_goes_on_for_a_day(
    site: Site, server: TestServer
):
    hook, _ = await add_endpoint(site.desk.engine, Whose(), URL, clock=site.desk.clock)
    async with browser(server, "olga") as operator:
        _, page = await _send(operator, hook, "/action", home="/admin", action="rotate")
        later = await (await operator.get(f"/admin/webhooks/{hook.id}")).text()

    (rotated,) = await list_endpoints(site.desk.engine)
    assert rotated.secret in page
    assert rotated.secret not in later
    assert rotated.old_secret == hook.secret
    assert "signs as well until" in text_of(later)


async def test_the_same_form_sent_twice_adds_one_webhook(site: Site, server: TestServer):
    async with browser(server, "alice") as caller:
        page = await (await caller.get("/account/webhooks")).text()
        data = {
            "csrf": csrf_of(page), "key": field_of(page, "key"), "url": URL, "e:balance.low": "1",
            "low_balance": "7.50",
        }  # fmt: skip
        for _ in range(2):
            await caller.post("/account/webhooks", data=data)

    (hook,) = await list_endpoints(site.desk.engine)
    assert (hook.account, hook.events, hook.low_balance) == ("alice", ("balance.low",), 7_500_000)


@pytest.mark.parametrize(
    ("login", "home", "events"),
    [
        ("acme", "/portal", ["balance.low"]),
        ("acme", "/portal", ["topup.received"]),
        ("alice", "/account", ["payout.due"]),
        ("alice", "/account", ["alarm.raised"]),
        ("acme", "/portal", []),
    ],
)
async def test_nobody_is_told_what_is_not_its_business(
    site: Site, server: TestServer, login: str, home: str, events: list[str]
):
    async with browser(server, login) as visitor:
        status, page = await _add(visitor, home, *events)

    assert status == 422
    assert re.search(r'class="mistake" id="d-events"', page)
    assert await list_endpoints(site.desk.engine) == []


async def test_events_and_the_low_balance_can_be_changed(site: Site, server: TestServer):
    hook, _ = await add_endpoint(site.desk.engine, Whose(), URL, clock=site.desk.clock)
    async with browser(server, "olga") as operator:
        fields = {"url": URL, "low_balance": "2", "e:balance.low": "1", "e:alarm.raised": "1"}
        status, page = await _send(operator, hook, "", home="/admin", **fields)

    (changed,) = await list_endpoints(site.desk.engine)
    assert status == 200
    assert (changed.events, changed.low_balance) == (("balance.low", "alarm.raised"), 2_000_000)
    assert "Whose events: The installation" in text_of(page)


async def test_a_webhook_that_was_switched_off_says_why(site: Site, server: TestServer):
    engine = site.desk.engine
    hook, _ = await add_endpoint(engine, Whose(client="acme"), URL, clock=site.desk.clock)
    await set_enabled(engine, hook.id, enabled=False, reason="Nothing was heard for 3 days.")
    async with browser(server, "acme") as client:
        off = await (await client.get(f"/portal/webhooks/{hook.id}")).text()
        _, on = await _send(client, hook, "/action", action="enable")

    assert "We switched this webhook off. Nothing was heard for 3 days." in text_of(off)
    assert "switched this webhook off" not in text_of(on)


async def test_the_log_is_paged_and_filtered(site: Site, server: TestServer):
    engine, clock = site.desk.engine, site.desk.clock
    hook, _ = await add_endpoint(engine, Whose(client="acme"), URL, clock=clock)
    for _ in range(60):
        await outbox.send_test(engine, hook.id, clock=clock)
    async with browser(server, "acme") as client:
        path = f"/portal/webhooks/{hook.id}"
        first = await (await client.get(f"{path}?state=pending")).text()
        failed = await (await client.get(f"{path}?state=failed")).text()
        link = re.search(r'rel="next" href="([^"]*)"', first)
        assert link
        second = await (await client.get(link[1].replace("&amp;", "&"))).text()

    assert first.count("What was sent") == 50
    assert second.count("What was sent") == 10
    assert "Nothing was sent yet" in failed


async def test_an_address_that_cannot_be_is_refused_in_words(site: Site, server: TestServer):
    async with browser(server, "acme") as client:
        status, page = await _add(client, "/portal", "call.ended", url="http://inside.example.com/")

    assert status == 422
    assert "https://example.com/talkmeter" in text_of(page)


async def test_nobody_touches_another_clients_webhook(site: Site, server: TestServer):
    engine, clock = site.desk.engine, site.desk.clock
    hook, _ = await add_endpoint(engine, Whose(client="acme"), URL, clock=clock)
    delivery = await outbox.send_test(engine, hook.id, clock=clock)
    own, _ = await add_endpoint(engine, Whose(client="globex"), URL, clock=clock)
    async with browser(server, "globex") as client:
        shown = await (await client.get("/portal/webhooks")).text()
        # A client that names another one in the form gets a webhook of its own.
        await _add(client, "/portal", "call.ended", client="acme", url=f"{URL}/2")
        statuses = [
            (await client.get(f"/portal/webhooks/{hook.id}")).status,
            (await _send(client, hook, "", url=URL))[0],
            (await _send(client, hook, "/action", action="delete"))[0],
            (await _send(client, hook, "/test", event="test"))[0],
            (await _send(client, hook, "/replay", delivery=delivery))[0],
            (await _send(client, own, "/replay", delivery=delivery))[0],
        ]

    assert hook.id not in shown
    assert statuses == [404] * 6
    assert len(await list_endpoints(engine, Whose(client="acme"))) == 1


async def test_a_failing_webhook_is_marked_in_the_list(site: Site, server: TestServer):
    engine = site.desk.engine
    await add_endpoint(engine, Whose(client="acme"), URL, clock=site.desk.clock)
    async with engine.begin() as connection:
        await connection.execute(update(webhook_endpoints).values(failing_us=site.now_us()))
    async with browser(server, "acme") as client:
        page = text_of(await (await client.get("/portal/webhooks")).text())

    assert f"{URL} call.ended Failing" in page
