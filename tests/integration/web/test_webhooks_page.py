"""Webhooks on the web: a secret shown once, a test, a log, and nobody else's."""

from __future__ import annotations

from aiohttp.test_utils import TestServer

from ivr.web.webhooks import outbox
from tests.site import Browser, Site, browser, csrf_of, field_of, text_of

URL = "https://hooks.example.com/talkmeter"


async def _send(visitor: Browser, verb: str, **fields: str) -> tuple[int, str]:
    page = await (await visitor.get("/portal/webhooks")).text()
    answer = await visitor.post(f"/portal/webhooks{verb}", data={"csrf": csrf_of(page), **fields})
    return answer.status, await answer.text()


async def test_a_secret_is_shown_once_and_a_test_stands_in_the_log(site: Site, server: TestServer):
    async with browser(server, "acme") as client:
        _, made = await _send(client, "", client="acme", url=URL)
        (hook,) = await outbox.list_webhooks(site.desk.engine, "acme")
        _, later = await _send(client, "/change", webhook=hook.id, action="test")
        again, _ = await _send(
            client, "/replay", webhook=hook.id, delivery=field_of(later, "delivery")
        )
        _, off = await _send(client, "/change", webhook=hook.id, action="disable")
        _, gone = await _send(client, "/change", webhook=hook.id, action="delete")

    assert hook.secret in made
    assert hook.secret not in later
    assert "Pending" in text_of(later)
    assert again == 200
    assert f"{URL} Off" in text_of(off)
    assert "No server is told" in text_of(gone)
    assert await outbox.list_webhooks(site.desk.engine, "acme") == []


async def test_an_address_that_cannot_be_is_refused_in_words(site: Site, server: TestServer):
    async with browser(server, "acme") as client:
        status, page = await _send(client, "", client="acme", url="http://inside.example.com/")

    assert status == 422
    assert "https://example.com/talkmeter" in text_of(page)


async def test_nobody_touches_another_clients_webhook(site: Site, server: TestServer):
    engine, clock = site.desk.engine, site.desk.clock
    hook = await outbox.add_webhook(engine, "acme", URL, clock=clock)
    delivery = await outbox.send_test(engine, hook.id, clock=clock)
    own = await outbox.add_webhook(engine, "globex", URL, clock=clock)
    async with browser(server, "globex") as client:
        shown = await (await client.get("/portal/webhooks")).text()
        statuses = [
            (await _send(client, "", client="acme", url=URL))[0],
            (await _send(client, "/change", webhook=hook.id, action="delete"))[0],
            (await _send(client, "/replay", webhook=hook.id, delivery=delivery))[0],
            (await _send(client, "/replay", webhook=own.id, delivery=delivery))[0],
        ]

    assert hook.id not in shown
    assert statuses == [404, 404, 404, 404]
