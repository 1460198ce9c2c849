"""Queues, agents and limits on the web."""

from __future__ import annotations

import re

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestServer
from sqlalchemy import select

from ivr.directory.pins import verify_pin
from ivr.directory.queues import Queue
from ivr.directory.store import load_queues
from ivr.tables import audit_log, pins
from tests.site import Browser, Site, browser, csrf_of, text_of

FORM = {
    "strategy": "ringall", "ring": "20s", "wrap_up": "10s", "wait": "5m",
    "agents[0].code": "anna", "agents[0].phone": "demo:agent", "agents[0].number": "77",
    "agents[2].code": "zoe", "agents[2].phone": "sip:zoe@127.0.0.1:5091",
}  # fmt: skip


async def send(
    client: Browser, page: str, path: str, data: dict[str, str]
) -> tuple[ClientResponse, str]:
    text = await (await client.get(page)).text()
    version = re.search(r'name="version" value="(\w*)"', text)
    base = {"csrf": csrf_of(text), "version": version[1] if version else ""}
    answer = await client.post(path, data=base | data, allow_redirects=False)
    return answer, await answer.text()


async def stored(site: Site) -> dict[str, Queue]:
    async with site.desk.engine.connect() as connection:
        return await load_queues(connection)


async def test_an_operator_adds_a_queue_changes_it_and_deletes_it(site: Site, server: TestServer):
    async with browser(server, "olga") as client:
        new = {"client": "acme", "name": "night"}
        added, _ = await send(client, "/admin/new-queue", "/admin/new-queue", FORM | new)
        path = "/admin/queues/night"
        changed, _ = await send(client, path, path, FORM | {"agents[0].code": ""} | {
            "agents[0].phone": "", "agents[0].number": ""})  # fmt: skip
        queue = (await stored(site))["night"]
        listed = text_of(await (await client.get("/admin/queues")).text())
        await site.topic("Night", digit=3, destination="queue:night")
        used, why = await send(client, path, f"{path}/delete", {})
        await site.queue("spare")
        gone, _ = await send(client, "/admin/queues/spare", "/admin/queues/spare/delete", {})

    assert [each.status for each in (added, changed, used, gone)] == [303, 303, 422, 303]
    assert [agent.code for agent in queue.agents] == ["zoe"]
    assert (queue.strategy, queue.wait_seconds) == ("ringall", 300)
    assert "night acme 1 of 1 here zoe 5:00 nowhere yet" in listed
    assert "18005550100 3 Night" in why
    assert "spare" not in await stored(site)


async def test_what_is_wrong_with_an_agent_is_told_at_its_row(site: Site, server: TestServer):
    await site.queue("night")
    async with browser(server, "olga") as client:
        answer, page = await send(
            client, "/admin/queues/night", "/admin/queues/night",
            FORM | {"agents[2].phone": "phone:+12025550143", "agents[0].number": "x", "wait": "9h"},
        )  # fmt: skip
        twice, told = await send(
            client, "/admin/queues/night", "/admin/queues/night", FORM | {"agents[2].code": "anna"}
        )

    assert (answer.status, twice.status) == (422, 422)
    assert 'id="d-agents[2].phone">Write sip:user@host:port.' in page
    assert 'id="d-agents[0].number">Write 2 to 8 digits.' in page
    assert 'id="d-wait">Write a time from' in page
    assert "stands twice" in told


async def test_a_new_pin_is_shown_once_and_nowhere_written_down(site: Site, server: TestServer):
    await site.queue("night")
    path = "/admin/queues/night"
    async with browser(server, "olga") as client:
        answer, page = await send(client, path, f"{path}/pin", {"agent": "anna"})
        again = await (await client.get(path)).text()

    found = re.search(r'<strong class="id">(\d{6})</strong>', page)
    assert answer.status == 200
    assert found
    assert found[1] not in again
    async with site.desk.engine.connect() as connection:
        kept = await connection.scalar(
            select(pins.c.pin_hash).where(pins.c.account == "agent:acme.anna")
        )
        notes = (await connection.execute(select(audit_log))).all()
    assert verify_pin(kept, found[1], key=b"p" * 32)
    assert found[1] not in str(notes)


async def test_a_client_changes_only_its_own_queues(site: Site, server: TestServer):
    await site.queue("night")
    await site.opened("globex")
    form = FORM | {"name": "globex-day", "agents[2].phone": "demo:agent"}
    async with browser(server, "globex") as client:
        listed = await (await client.get("/portal/queues")).text()
        foreign = [
            (await client.get("/portal/queues/night")).status,
            (await send(client, "/portal/queues", "/portal/queues/night/pin", {}))[0].status,
        ]
        sip, why = await send(client, "/portal/new-queue", "/portal/new-queue", form)
        stolen, _ = await send(
            client, "/portal/new-queue", "/portal/new-queue", FORM | {"name": "night"}
        )

    assert foreign == [404, 404]
    assert "night" not in listed
    assert (sip.status, stolen.status) == (422, 422)
    assert "Your provider allows queue, voicemail here." in why
    assert (await stored(site))["night"].client == "acme"


async def test_an_operator_sets_what_a_client_may_change(site: Site, server: TestServer):
    path = "/admin/limits/acme"
    form = {"edit_tariffs": "1", "edit_hours": "1", "kind_queue": "1", "setup_fee": "2"}
    async with browser(server, "olga") as client:
        wrong, page = await send(client, path, path, form)
        done, _ = await send(client, path, path, form | {"price.to": "1.50/min"})
        shown = await (await client.get(path)).text()
        unknown = await client.get("/admin/limits/nobody")

    assert (wrong.status, done.status, unknown.status) == (422, 303, 404)
    assert 'id="d-price.to">Who may change tariffs needs a highest price' in page
    assert 'value="1.50/min"' in shown
    assert "setup_fee: &#39;2.00&#39;" in shown


@pytest.mark.parametrize("path", ["/admin/queues", "/admin/limits/acme", "/admin/dids"])
@pytest.mark.parametrize("login", ["acme", "alice"])
async def test_they_are_for_operators_only(server: TestServer, login: str, path: str):
    async with browser(server, login) as client:
        assert (await client.get(path)).status == 403
