"""Price lists on the web: previewed, saved as versions, planned, dropped; within limits."""

from __future__ import annotations

import re
from dataclasses import replace

from aiohttp import ClientResponse
from aiohttp.test_utils import TestServer

from billing.clock import microseconds_of
from billing.domain.notation import parse_days
from billing.domain.rating import RateTable
from billing.domain.tariffs import Period, Tax, Tier
from billing.money import parse_amount
from ivr.directory.catalog_export import tariff_document
from ivr.directory.edit_tariffs import read_prices
from ivr.directory.edits import node_of
from ivr.directory.store import load_tariffs
from ivr.web.lines.tariff_form import compact, document_of, fields_of
from tests.books import STANDARD
from tests.site import Browser, Site, browser, csrf_of, text_of

FULL = replace(
    STANDARD,
    free_seconds=30,
    maximum_cost=parse_amount("90"),
    periods=(
        Period(
            days=parse_days("sat,sun,holiday"), from_minute=0, to_minute=1440,
            tiers=(Tier(from_seconds=0, price=parse_amount("1"), increment_seconds=60),
                   Tier(from_seconds=600, price=parse_amount("2"))),
        ),
    ),
    holidays=("12-25",),
    tax=Tax(name="VAT", basis_points=1_900, included=True),
)  # fmt: skip
NIGHT = {"setup_fee": "1", "tiers[0].price": "0.40/min", "tiers[2].from": "10m",
         "tiers[2].price": "0.30/min"}  # fmt: skip


def hidden(page: str) -> dict[str, str]:
    found = dict(re.findall(r'type="hidden" name="(state|seal)" value="([^"]*)"', page))
    return {"csrf": csrf_of(page), **found}


async def send(
    client: Browser, path: str, data: dict[str, str], *, page: str | None = None
) -> tuple[ClientResponse, str]:
    text = page if page is not None else await (await client.get(path)).text()
    answer = await client.post(path, data=hidden(text) | data, allow_redirects=False)
    return answer, await answer.text()


async def in_force(site: Site, name: str) -> tuple[int, str]:
    async with site.desk.engine.connect() as connection:
        found = (await load_tariffs(connection, site.now_us()))[name]
    return found.version, found.tariff.to_json()


def test_a_price_list_is_the_same_after_its_form():
    fields = fields_of(tariff_document(FULL))

    again = read_prices("standard", node_of(document_of(compact(fields))), "USD")

    assert again == FULL


async def test_a_change_is_previewed_before_it_is_saved_as_a_new_version(
    site: Site, server: TestServer
):
    await site.tariff()
    await site.topic("Billing")
    path = "/admin/tariffs/standard"
    data = fields_of(tariff_document(STANDARD)) | {"setup_fee": "6"}
    async with browser(server, "olga") as client:
        unseen, page = await send(client, path, data | {"step": "save"})
        text = text_of(page)
        changed, _ = await send(client, path, data | {"step": "save", "setup_fee": "9"}, page=page)
        saved, _ = await send(client, path, data | {"step": "save"}, page=page)
        after = text_of(await (await client.get(f"{path}?done=saved")).text())
        stale, told = await send(client, path, data | {"step": "save"}, page=page)

    assert (unseen.status, changed.status, saved.status) == (200, 200, 303)
    assert re.search(r"1 minute 5.50 USD 6.50 USD \+ ?1.00 USD", text)
    assert re.search(r"60 minutes 25.00 USD 26.00 USD \+ ?1.00 USD", text)
    assert "Used by: 18005550100 (the line)" in text
    assert "standard@2 in force" in after
    assert "olga save tariff" in after
    assert (await in_force(site, "standard"))[0] == 2
    # What it was made from is not there any more: nothing is written twice.
    assert stale.status == 409
    assert "Somebody else changed this" in told


async def test_a_version_is_planned_and_dropped(site: Site, server: TestServer):
    await site.tariff()
    path = "/admin/tariffs/standard"
    data = fields_of(tariff_document(STANDARD)) | {
        "setup_fee": "7", "when": "later", "in_force_from": "2026-05-01T00:00",
    }  # fmt: skip
    async with browser(server, "olga") as client:
        over, wrong = await send(client, path, data | {"in_force_from": "2020-01-01"})
        over, wrong = await send(
            client, path, data | {"in_force_from": "2020-01-01", "step": "save"}, page=wrong
        )
        _, page = await send(client, path, data)
        planned, _ = await send(client, path, data | {"step": "save"}, page=page)
        shown = text_of(await (await client.get(path)).text())
        before = await in_force(site, "standard")
        dropped, _ = await send(
            client, f"{path}/drop", {}, page=await (await client.get(path)).text()
        )
        after = text_of(await (await client.get(path)).text())

    assert (over.status, planned.status, dropped.status) == (422, 303, 303)
    assert "Choose a moment that comes" in wrong
    assert re.search(r"Planned from 1 May 2026, 00:00:00.UTC", shown)
    assert before[0] == 1
    assert "Drop the planned version" not in after


async def test_a_planned_version_that_a_line_stays_with_is_not_dropped(
    site: Site, server: TestServer
):
    await site.tariff()
    path = "/admin/tariffs/standard"
    data = fields_of(tariff_document(STANDARD)) | {
        "setup_fee": "7", "when": "later", "in_force_from": "2026-05-01T00:00",
    }  # fmt: skip
    async with browser(server, "olga") as client:
        _, page = await send(client, path, data)
        await send(client, path, data | {"step": "save"}, page=page)
        await site.execute("UPDATE dids SET tariff = 'standard@2' WHERE client = 'acme'")
        refused, told = await send(
            client, f"{path}/drop", {}, page=await (await client.get(path)).text()
        )

    assert refused.status == 422
    assert "Standard@2 is planned and the line 18005550100 stays with it" in text_of(told)
    assert "Drop the planned version" in told


async def test_what_is_wrong_with_prices_is_told_at_its_row(site: Site, server: TestServer):
    async with browser(server, "olga") as client:
        data = NIGHT | {"name": "night", "currency": "USD", "tiers[2].from": "0m",
                        "periods[0].days": "mon", "periods[0].from": "25:00",
                        "periods[0].to": "08:00", "periods[0].tiers": "cheap"}  # fmt: skip
        answer, page = await send(client, "/admin/new-tariff", data)
        text, named = await send(
            client, "/admin/new-tariff",
            {"name": "night", "currency": "USD", "text": "tiers: [{price: cheap}]\nmoon: 1"},
        )  # fmt: skip
        broken, yaml = await send(
            client, "/admin/new-tariff", {"name": "n", "currency": "USD", "text": "a: [&x 1"}
        )

    assert (answer.status, text.status, broken.status) == (422, 422, 422)
    assert 'id="d-periods[0].from"' in page
    assert 'id="d-periods[0].tiers"' in page
    assert "tiers[0].price: Write a price" in named
    assert "moon: Unknown" in named
    assert "anchors and aliases are not read" in yaml.lower()


async def test_a_new_tariff_is_made_from_the_form_and_rates(site: Site, server: TestServer):
    data = NIGHT | {"name": "night", "currency": "USD"}
    async with browser(server, "olga") as client:
        _, page = await send(client, "/admin/new-tariff", data)
        done, _ = await send(client, "/admin/new-tariff", data | {"step": "save"}, page=page)
        twice, _ = await send(client, "/admin/new-tariff", data)

    assert (done.status, twice.status) == (303, 422)
    async with site.desk.engine.connect() as connection:
        now_us = microseconds_of(site.desk.clock.now())
        tariff = (await load_tariffs(connection, now_us))["night"].tariff
    assert RateTable.compile(tariff).charge(20 * 60).cost == parse_amount("8")


async def test_a_client_makes_its_own_tariff_and_no_price_above_its_ceiling(
    site: Site, server: TestServer
):
    await site.tariff()
    await site.opened("acme")
    async with browser(server, "acme") as client:
        path = "/portal/new-tariff"
        dear, dear_page = await send(
            client, path, NIGHT | {"name": "acme.night", "tiers[0].price": "2.01/min"}
        )
        alien, _ = await send(client, path, NIGHT | {"name": "globex.night"})
        _, page = await send(client, path, NIGHT | {"name": "acme.night"})
        done, _ = await send(
            client, path, NIGHT | {"name": "acme.night", "step": "save"}, page=page
        )
        shared = await client.get("/portal/tariffs/standard")
        shared_page = await shared.text()
        forced, _ = await send(client, "/portal/tariffs/standard", NIGHT, page=page)
        listed = text_of(await (await client.get("/portal/tariffs")).text())
    async with browser(server, "globex") as client:
        foreign = (await client.get("/portal/tariffs/acme.night")).status
        foreign_list = await (await client.get("/portal/tariffs?one=acme.night@1")).text()

    assert (dear.status, done.status, shared.status, forced.status) == (422, 303, 200, 403)
    assert 'id="d-tiers[0].price">Your provider allows at most 2.00/min.' in dear_page
    # A foreign name is refused at the latest when it is saved.
    assert alien.status in {200, 422}
    assert "Your provider sets these prices." in shared_page
    assert "acme.night 1 1.00 + 0.40/min, then 0.30/min USD" in listed
    assert foreign == 404
    assert "0.40/min" not in foreign_list
