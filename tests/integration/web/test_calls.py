"""Calls on pages: live ones tick, ended ones are explained to the last line."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from aiohttp.test_utils import TestServer
from sqlalchemy import select

from billing.domain.tariffs import RoundingRule, Tariff, Tier
from billing.money import Rounding, parse_amount
from ivr.tables import audit_log
from tests.books import flat
from tests.site import NO_CALL, Site, browser, csrf_of, text_of

STEPPED = Tariff(
    name="stepped",
    currency="USD",
    setup_fee=parse_amount("0.1"),
    rounding=RoundingRule(method=Rounding.UP, decimals=2),
    tiers=(
        Tier(from_seconds=0, price=parse_amount("0.2"), increment_seconds=60),
        Tier(from_seconds=60, price=parse_amount("0.0007"), per_seconds=1),
    ),
)


async def test_each_line_of_a_cost_is_explained_and_they_add_up(site: Site, server: TestServer):
    call_id = await site.call(talk_seconds=1290.4)
    async with browser(server, "olga") as client:
        page = text_of(await (await client.get(f"/admin/calls/{call_id}")).text())

    assert "1,290.400 s of talk are 1,291 begun seconds, billed as 1,291 s." in page
    assert (
        "Setup fee 5.00 USD "
        "Second 1 to 1,200 1,200 s 0.50 USD / minute 10.00 USD "
        "Second 1,201 to 1,291 91 s 0.25 USD / minute 0.379167 USD "
        "Cost 15.379167 USD" in page
    )
    assert "Client acme 70% 10.765417 USD Provider 30% 4.61375 USD Together 15.379167 USD" in page
    assert "100.00 USD → 84.620833 USD" in page
    assert "Asterisk's bridge events" in page


async def test_increments_and_rounding_have_their_own_words(site: Site, server: TestServer):
    call_id = await site.call(talk_seconds=65, tariff=STEPPED)
    async with browser(server, "olga") as client:
        page = text_of(await (await client.get(f"/admin/calls/{call_id}")).text())

    assert "Rounding (up, 2 decimals, once at the end) 0.0065 USD Cost 0.31 USD" in page


async def test_what_happened_is_listed_with_its_time_and_price(site: Site, server: TestServer):
    call_id = await site.call(talk_seconds=62.4)
    async with browser(server, "olga") as client:
        html = await (await client.get(f"/admin/calls/{call_id}")).text()

    page = text_of(html)
    assert html.count('<rect class="part talk"') == 1
    assert "12:00:08.000 Waiting for an agent 4.000 s free" in page
    assert "12:00:12.000 Talking 62.400 s paid" in page
    assert "12:01:15.900 Agent hung up" in page


async def test_a_call_without_talk_is_free_and_says_why(site: Site, server: TestServer):
    call_id = await site.call(talk_seconds=0)
    async with browser(server, "olga") as client:
        page = text_of(await (await client.get(f"/admin/calls/{call_id}")).text())

    assert "No agent answered" in page
    assert "Cost free" in page
    assert "line by line" not in page


async def test_a_call_for_review_says_why(site: Site, server: TestServer):
    call_id = await site.call(review=True)
    async with browser(server, "olga") as client:
        page = text_of(await (await client.get(f"/admin/calls/{call_id}")).text())
        listed = await (await client.get("/admin/calls?outcome=review")).text()

    assert "settled without full proof of its length" in page
    assert call_id in listed


@pytest.mark.parametrize("call_id", [NO_CALL, "x" * 36, "..", "0'--"])
async def test_an_unknown_call_is_not_found(server: TestServer, call_id: str):
    async with browser(server, "olga") as client:
        answer = await client.get(f"/admin/calls/{call_id}")

    assert answer.status == 404


async def test_live_calls_tick_and_tell_when_one_is_over(site: Site, server: TestServer):
    site.ring()
    site.ring(client="globex", account="bob")
    async with browser(server, "acme") as client:
        page = await (await client.get("/portal/calls")).text()
        poll = re.search(r'hx-get="([^"]+/live\?[^"]+)" hx-trigger="every 1s"', page)
        assert poll is not None
        site.live.calls[0] = replace(site.live.calls[0], talk_seconds=66.2, cost=5_560_000)
        tick = await client.get(poll[1])
        ticked = text_of(await tick.text())
        site.live.calls.clear()
        over = await client.get(poll[1])

    assert "1:05 5.55 USD" in text_of(page)
    assert "1:06 5.56 USD" in ticked
    assert "bob" not in ticked
    assert "HX-Trigger" not in tick.headers
    assert over.headers["HX-Trigger"] == "calls-changed"


async def test_an_operator_ends_a_live_call_and_it_is_written_down(site: Site, server: TestServer):
    call_id = site.ring()
    async with browser(server, "olga") as client:
        page = await (await client.get("/admin/calls")).text()
        path = f"/admin/calls/{call_id}/hangup"
        first = await client.post(path, data={"csrf": csrf_of(page)})
        second = await client.post(path, data={"csrf": csrf_of(page)})

    assert site.live.hung_up == [call_id]
    assert (first.status, second.status) == (200, 404)
    async with site.desk.engine.connect() as connection:
        assert "hang up" in list(await connection.scalars(select(audit_log.c.action)))


async def test_pages_of_calls_show_each_one_once_newest_first(site: Site, server: TestServer):
    made = [await site.call(talk_seconds=0) for _ in range(105)]
    seen: list[str] = []
    path: str | None = "/admin/calls?account=alice"
    async with browser(server, "olga") as client:
        while path:
            page = await (await client.get(path)).text()
            seen += re.findall(r'href="/admin/calls/([0-9a-f-]{36})"', page)
            following = re.search(r'rel="next" href="([^"]+)"', page)
            path = following[1].replace("&amp;", "&") if following else None

    assert seen == made[::-1]


async def test_calls_are_filtered(site: Site, server: TestServer):
    talked = await site.call(tariff=flat("0.60"))
    free = await site.call(talk_seconds=0)
    other = await site.call(client="globex", account="bob")
    site.desk.clock.advance(3 * 86_400)
    late = await site.call()
    expected = {
        "did=18005550200": [other],
        "did=%2B1 800-555-0200": [other],
        "account=bob": [other],
        "client=globex": [other],
        "outcome=free": [free],
        "outcome=talked": [late, other, talked],
        "first=2026-03-05": [late],
        "last=2026-03-04": [other, free, talked],
        "first=&last=&did=&outcome=": [late, other, free, talked],
    }
    found = {}
    async with browser(server, "olga") as client:
        for query in expected:
            page = await (await client.get(f"/admin/calls?{query}")).text()
            found[query] = re.findall(r'href="/admin/calls/([0-9a-f-]{36})"', page)

    assert found == expected


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("first=2026-13-01", "Write a day such as"),
        ("first=yesterday", "Write a day such as"),
        ("first=2026-03-02&last=2026-03-01", "The last day is before the first."),
        ("did=abc", "A phone number is 2 to 20 digits."),
        ("account=%00", "Use a-z"),
        ("outcome=good", "Write '', 'talked', 'free' or 'review'."),
    ],
)
async def test_a_wrong_filter_is_named_at_its_field(server: TestServer, query: str, message: str):
    async with browser(server, "olga") as client:
        answer = await client.get(f"/admin/calls?{query}")
        page = text_of(await answer.text())

    assert answer.status == 200
    assert message in page


@pytest.mark.parametrize("place", ["x", "e30", "WzEsMl0", "WyJhIiwiYiJd", "!!", "W10" * 99])
async def test_a_made_up_place_in_a_list_is_refused(server: TestServer, place: str):
    async with browser(server, "olga") as client:
        answer = await client.get("/admin/calls", params={"after": place})

    assert answer.status == 422
