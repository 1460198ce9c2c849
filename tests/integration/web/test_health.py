"""What supervisors and Prometheus are told."""

from __future__ import annotations

from dataclasses import replace

from aiohttp.test_utils import TestServer

from billing.storage.engine import create
from tests.site import CLI_TOKEN, Site, browser, served


async def test_a_site_that_works_is_alive_and_ready(server: TestServer):
    async with browser(server) as client:
        alive = await client.get("/healthz")
        ready = await client.get("/readyz")
        parts = (await ready.json())["parts"]

    assert (alive.status, ready.status) == (200, 200)
    assert parts == {"database": True, "switch": True}


async def test_it_is_not_ready_while_a_part_is_away(site: Site, server: TestServer):
    site.ready["switch"] = False
    async with browser(server) as client:
        alive = await client.get("/healthz")
        ready = await client.get("/readyz")

    assert (alive.status, ready.status) == (200, 503)


async def test_without_a_database_it_says_so_and_stays_alive(site: Site):
    site.deps = replace(site.deps, engine=create("sqlite+aiosqlite:////nowhere/at/all.db"))
    async with served(site) as server, browser(server) as client:
        alive = await client.get("/healthz")
        ready = await client.get("/readyz")
        page = await client.get("/")
        call = await client.get("/api/v1/calls", headers={"Authorization": f"Bearer {CLI_TOKEN}"})

    assert (alive.status, ready.status) == (200, 503)
    assert page.status == 200
    assert call.status == 503
    assert int(call.headers["Retry-After"]) > 0


async def test_figures_name_routes_never_what_visitors_write(site: Site, server: TestServer):
    site.ring()
    async with browser(server) as client:
        await client.get("/admin/accounts/secret-name", allow_redirects=False)
        await client.get("/secret-path")
        text = await (await client.get("/metrics")).text()

    assert 'talkmeter_live_calls{state="talking"} 1.0' in text
    assert 'talkmeter_ready{part="switch"} 1.0' in text
    assert "talkmeter_ledger_batches_total" in text
    assert 'talkmeter_http_requests_total{route="none",status="404"} 1.0' in text
    assert "secret" not in text


async def test_figures_are_for_this_machine_and_its_owner(site: Site):
    site.deps = replace(site.deps, proxies=frozenset({"127.0.0.1"}))
    async with served(site) as server, browser(server) as client:
        client.session.headers["X-Forwarded-For"] = "203.0.113.7"
        stranger = await client.get("/metrics")
        owner = await client.get("/metrics", headers={"Authorization": f"Bearer {CLI_TOKEN}"})

    assert (stranger.status, owner.status) == (403, 200)
