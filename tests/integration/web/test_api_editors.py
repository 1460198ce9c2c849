"""What the editors of lines and prices do, by API: hours, order, sounds, queues, versions."""

from __future__ import annotations

from typing import Any

from aiohttp.test_utils import TestServer

from ivr.directory.catalog_plans import plan_document
from ivr.web.api.gate import BASE
from ivr.web.scope import Role
from tests.integration.web.test_lines_api import LINE, NIGHT, Caller
from tests.plans import STARTER
from tests.site import Site, browser

HOURS = {"hours": [{"days": "mon-fri", "from": "08:00", "to": "18:00"}]}


async def test_hours_order_and_sounds_of_a_line_are_changed(site: Site, server: TestServer):
    await site.tariff()
    await site.topic("Billing")
    await site.topic("Sales", digit=2)
    await site.own_prompt("acme", "hello")
    await site.directory.load()
    async with browser(server) as client:
        call = Caller(client, await site.token(Role.OPERATOR))
        _, line = await call("GET", LINE)
        _, line = await call("PUT", f"{LINE}/hours", version=line["version"], notation=HOURS)
        wrong, named = await call(
            "PUT", f"{LINE}/hours", version=line["version"], notation={"tariff": "free"}
        )
        done, used = await call("POST", f"{LINE}/sounds", digit=2, prompt="hello")
        nowhere, _ = await call("POST", f"{LINE}/sounds", digit=7, prompt="hello")
        unknown, _ = await call("POST", f"{LINE}/sounds", prompt="nothing")
        _, line = await call("POST", f"{LINE}/order", version=line["version"], order=[2, 1])
        _, sounds = await call("GET", f"{LINE}/sounds")
        _, heard = await call("GET", f"{LINE}/heard")
        other, _ = await call("GET", f"{LINE}/heard?language=ru")

    assert line["notation"]["hours"]
    assert (wrong, named["errors"][0]["field"]) == (422, "notation.tariff")
    assert (done, nowhere, unknown, other) == (200, 404, 422, 404)
    assert [one["prompt"] for one in used["items"]] == [None, None, "hello"]
    # The sound went along with its topic.
    assert [(one["says"], one["prompt"]) for one in sounds["items"]] == [
        ("greeting", None), ("Sales", "hello"), ("Billing", None),
    ]  # fmt: skip
    assert heard["items"][0]["step"] == "greeting"
    assert {"name-1", "price-1"} <= {one["step"] for one in heard["items"]}


async def test_what_callers_hear_is_downloaded(site: Site, server: TestServer):
    await site.tariff()
    await site.topic("Billing")
    await site.own_prompt("acme", "hello")
    async with browser(server) as client:
        token = await site.token(Role.CLIENT, "acme")
        await site.opened("acme")
        await site.directory.load()
        call = Caller(client, token)
        await call("POST", f"{LINE}/sounds", prompt="hello")
        headers = {"Authorization": f"Bearer {token}"}
        sound = await client.get(f"{BASE}{LINE}/heard/en/greeting", headers=headers)
        body = await sound.read()
        nothing = await client.get(f"{BASE}{LINE}/heard/en/menu-9", headers=headers)

    assert (sound.status, sound.content_type, body[:4]) == (200, "audio/wav", b"RIFF")
    assert nothing.status == 404


async def test_a_client_changes_sounds_only_where_they_are_opened(site: Site, server: TestServer):
    await site.topic("Billing")
    await site.own_prompt("acme", "hello")
    sound = {"name": "hello", "language": "en", "text": "Hello"}
    async with browser(server) as client:
        provider = Caller(client, await site.token(Role.OPERATOR))
        _, limits = await provider("GET", "/clients/acme/limits")
        await provider(
            "PUT", "/clients/acme/limits", version=limits["version"], notation={"edit": ["hours"]}
        )
        await site.directory.load()
        call = Caller(client, await site.token(Role.CLIENT, "acme"))
        refused = [
            (await call("POST", f"{LINE}/sounds", prompt="hello"))[0],
            (await call("POST", "/prompts", **sound))[0],
            (await call("DELETE", "/prompts/acme/en/hello"))[0],
        ]

    assert refused == [403, 403, 403]


async def test_an_agent_gets_a_pin_and_a_queue_that_nothing_leads_to_is_deleted(
    site: Site, server: TestServer
):
    await site.tariff()
    await site.queue("acme-day")
    await site.topic("Billing", destination="queue:acme-day")
    await site.topic("Sales", digit=2)
    async with browser(server) as client:
        call = Caller(client, await site.token(Role.OPERATOR))
        _, queue = await call("GET", "/queues/acme-day")
        given, pin = await call("POST", "/queues/acme-day/agents/anna/pin")
        nobody, _ = await call("POST", "/queues/acme-day/agents/zoe/pin")
        used, why = await call("POST", "/queues/acme-day/delete", version=queue["version"])
        _, line = await call("GET", LINE)
        await call("POST", f"{LINE}/topics/1/remove", version=line["version"])
        done, _ = await call("POST", "/queues/acme-day/delete", version=queue["version"])
        gone, _ = await call("GET", "/queues/acme-day")

    assert (given, nobody, used, done, gone) == (200, 404, 409, 200, 404)
    assert len(pin["pin"]) == 6
    assert why["detail"] == "Callers are sent there by 18005550100 1 Billing."


async def test_a_planned_version_is_dropped_unless_a_line_stays_with_it(
    site: Site, server: TestServer
):
    await site.tariff()
    await site.topic("Billing")
    async with browser(server) as client:
        call = Caller(client, await site.token(Role.OPERATOR))
        _, now = await call("GET", "/tariffs/standard")
        _, planned = await call(
            "PUT", "/tariffs/standard", version=now["version"], notation=NIGHT,
            in_force_from="2026-05-01",
        )  # fmt: skip
        _, line = await call("GET", LINE)
        bound = line["notation"] | {"tariff": "standard@2"}
        _, line = await call("PUT", LINE, version=line["version"], notation=bound)
        kept, why = await call("POST", "/tariffs/standard/drop", version=planned["version"])
        _, versions = await call("GET", "/tariffs/standard/versions?limit=1")
        _, first = await call("GET", f"/tariffs/standard/versions?after={versions['next']}")
        free = line["notation"] | {"tariff": "standard"}
        await call("PUT", LINE, version=line["version"], notation=free)
        done, after = await call("POST", "/tariffs/standard/drop", version=planned["version"])

    assert (kept, why["code"]) == (409, "edit_refused")
    assert why["detail"].startswith("Standard@2 is planned and the line 18005550100 stays with it")
    assert [one["number"] for one in versions["items"] + first["items"]] == [2, 1]
    assert (done, after["planned"]) == (200, None)


async def test_a_talk_is_quoted_and_prices_are_tried_before_they_are_saved(
    site: Site, server: TestServer
):
    await site.tariff()
    await site.opened("acme")
    async with browser(server) as client:
        call = Caller(client, await site.token(Role.CLIENT, "acme"))
        _, quote = await call("GET", "/tariffs/standard/quote?seconds=1260")
        foreign, _ = await call("GET", "/tariffs/standard/quote?client=globex")
        missing, _ = await call("GET", "/tariffs/standard/quote?number=7")
        _, tried = await call("POST", "/tariffs/acme.night/preview", notation=NIGHT)
        dear, named = await call(
            "POST", "/tariffs/acme.night/preview", notation={"tiers": [{"price": "9/min"}]}
        )
        unsaved, _ = await call("GET", "/tariffs/acme.night")

    assert (quote["cost"], quote["billed_seconds"]) == ("15.25", 1260)
    assert [(one["party"], one["amount"]) for one in quote["split"]] == [
        ("provider", "4.575"), ("client", "10.675"),
    ]  # fmt: skip
    assert (foreign, missing, dear, unsaved) == (404, 404, 422, 404)
    assert named["errors"][0]["field"] == "tiers[0].price"
    assert tried["examples"][1] == {"minutes": 5, "before": None, "after": "2.00"}


async def test_a_plan_is_previewed_and_saved_for_who_subscribes_next(
    site: Site, server: TestServer
):
    terms: dict[str, Any] = plan_document(STARTER) | {"price": "19.00"}
    async with browser(server) as client:
        call = Caller(client, await site.token(Role.OPERATOR))
        absent, _ = await call("GET", "/plans/night")
        _, tried = await call("POST", "/plans/night/preview", notation=terms, currency="USD")
        made, plan = await call("PUT", "/plans/night", notation=terms, currency="USD", version="")
        stale, _ = await call("PUT", "/plans/night", notation=terms, version="")
        saved, next_ = await call(
            "PUT", "/plans/night", notation=terms | {"price": "29.00"}, version=plan["version"]
        )
        wrong, named = await call("POST", "/plans/night/preview", notation={"price": "dear"})

    assert (absent, made, stale, saved, wrong) == (404, 201, 409, 200, 422)
    assert "19.00" in tried["added"]
    assert (plan["number"], next_["number"], next_["subscribers"]) == (1, 2, 0)
    assert named["errors"][0]["field"] == "price"
