"""Lines, queues and prices by API: the same checks, versions and limits as on pages."""

from __future__ import annotations

from typing import Any

from aiohttp.test_utils import TestServer

from ivr.web.api.gate import BASE
from ivr.web.scope import Role
from tests.site import Browser, Site, browser

LINE = "/dids/18005550100"
NIGHT = {"tiers": [{"price": "0.40/min"}]}


class Caller:
    """Calls the API with a token."""

    def __init__(self, client: Browser, token: str) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {token}"}

    async def __call__(self, method: str, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
        answer = await self._client.request(
            method, BASE + path, headers=self._headers, **({"json": body} if body else {})
        )
        document: dict[str, Any] = await answer.json()
        return answer.status, document


async def test_a_line_is_read_changed_and_its_topic_removed(site: Site, server: TestServer):
    await site.tariff()
    await site.topic("Billing")
    token = await site.token(Role.OPERATOR)
    async with browser(server) as client:
        call = Caller(client, token)
        _, line = await call("GET", LINE)
        topic = {"name": "Sales", "destination": "voicemail:sales"}
        done, added = await call("PUT", f"{LINE}/topics/2", notation=topic, version=line["version"])
        stale, problem = await call(
            "PUT", f"{LINE}/topics/2", notation=topic, version=line["version"]
        )
        wrong, named = await call(
            "PUT", LINE, version=added["version"],
            notation=line["notation"] | {"timezone": "Moon", "monthly_fee": 0.5},
        )  # fmt: skip
        gone, after = await call("POST", f"{LINE}/topics/1/remove", version=added["version"])
        listed, page = await call("GET", "/dids?limit=1")
        _, rest = await call("GET", f"/dids?after={page['next']}")

    assert line["open"] is True
    assert (done, stale, wrong, gone, listed) == (200, 409, 422, 200, 200)
    assert problem["code"] == "changed_meanwhile"
    assert [error["field"] for error in named["errors"]] == ["timezone"]
    assert list(after["notation"]["topics"]) == ["2"]
    assert [item["number"] for item in page["items"] + rest["items"]] == [
        "18005550100", "18005550200",
    ]  # fmt: skip


async def test_a_line_is_added_and_retired(site: Site, server: TestServer):
    await site.tariff()
    token = await site.token(Role.OPERATOR)
    notation = {
        "tariff": "standard", "topics": {"1": {"name": "A", "destination": "demo:agent"}},
    }  # fmt: skip
    async with browser(server) as client:
        call = Caller(client, token)
        made, line = await call(
            "PUT", "/dids/18005550300", notation=notation, version="", client="acme"
        )
        nobody, _ = await call(
            "PUT", "/dids/18005550301", notation=notation, version="", client="x"
        )
        retired, _ = await call("POST", "/dids/18005550300/retire", version=line["version"])
        after, _ = await call("GET", "/dids/18005550300")

    assert (made, nobody, retired, after) == (201, 422, 200, 404)


async def test_a_client_has_its_own_lines_queues_and_prices_within_limits(
    site: Site, server: TestServer
):
    await site.tariff()
    await site.opened("acme")
    await site.queue("globex-vip", client="globex")
    token = await site.token(Role.CLIENT, "acme")
    async with browser(server) as client:
        call = Caller(client, token)
        foreign = [
            (await call("GET", "/dids/18005550200"))[0],
            (await call("GET", "/queues/globex-vip"))[0],
            (await call("PUT", "/dids/18005550999", notation={}, version=""))[0],
        ]
        dear, why = await call(
            "PUT", "/tariffs/acme.night", version="", notation={"tiers": [{"price": "3/min"}]}
        )
        shared, _ = await call("PUT", "/tariffs/other", version="", notation=NIGHT)
        made, tariff = await call("PUT", "/tariffs/acme.night", version="", notation=NIGHT)
        planned, then = await call(
            "PUT", "/tariffs/acme.night", version=tariff["version"], notation=NIGHT,
            in_force_from="2026-05-01",
        )  # fmt: skip
        queue, _ = await call(
            "PUT", "/queues/acme-day", version="", notation={"agents": {"zoe": "sip:a@b"}}
        )
        stolen, _ = await call("PUT", "/queues/globex-vip", version="", notation={"agents": {}})
        _, lines = await call("GET", "/dids?client=globex")

    assert foreign == [404, 404, 404]
    assert (dear, shared, made, planned, queue) == (422, 422, 201, 200, 422)
    assert why["errors"][0]["field"] == "tiers[0].price"
    assert then["planned_from"] == "2026-05-01T00:00:00+00:00"
    assert stolen in {409, 422}
    assert lines["items"] == []
