"""How the API answers: broken answers are our mistake, and what was read is not sent again."""

from __future__ import annotations

import json
from traceback import format_exception

import pytest
from aiohttp.test_utils import TestServer
from pydantic import TypeAdapter
from structlog.testing import capture_logs

from ivr.web.api.about import TAGS
from ivr.web.api.gate import BASE, Answer, Ask, Operation, guarded
from ivr.web.api.models import Output
from ivr.web.api.table import OPERATIONS
from ivr.web.app import make_web
from ivr.web.scope import OPERATORS, Role
from tests.site import CLI_TOKEN, Site, browser

ME = {"Authorization": f"Bearer {CLI_TOKEN}"}


class Counted(Output):
    """An answer."""

    count: int


async def _broken(_ask: Ask) -> Answer:
    return Answer(model=TypeAdapter(Counted).validate_python({"count": "a secret"}))


async def test_an_answer_that_breaks_its_promise_is_our_mistake_and_is_written_down(
    site: Site,
):
    app = make_web(site.deps)
    operation = Operation(
        method="GET", path="/broken", name="breakIt", summary="Break it", roles=OPERATORS,
        handler=_broken, answer=Counted,
    )  # fmt: skip
    app.router.add_get(BASE + operation.path, guarded(operation))
    server = TestServer(app)
    await server.start_server()
    async with browser(server) as client:
        with capture_logs() as logs:
            answer = await client.get(f"{BASE}/broken", headers=ME)
        problem = await answer.json()
        asked = await client.get(f"{BASE}/calls?limit=none", headers=ME)
    await server.close()

    assert (answer.status, problem["code"]) == (500, "internal")
    assert "errors" not in problem
    assert asked.status == 422
    (failed,) = [entry for entry in logs if entry["log_level"] == "error"]
    written = "".join(format_exception(failed["exc_info"]))
    assert (failed["event"], failed["route"]) == ("request failed", f"{BASE}/broken")
    assert "Input should be a valid integer" in written
    assert "a secret" not in written.replace('"count": "a secret"', "")


@pytest.mark.parametrize("path", ["/calls", "/accounts/alice", "/live", "/dids"])
async def test_what_was_read_is_not_sent_again_until_it_changes(
    site: Site, server: TestServer, path: str
):
    await site.topic("Network")
    async with browser(server) as client:
        first = await client.get(BASE + path, headers=ME)
        tag = first.headers["ETag"]
        for known in (tag, f'"other", W/{tag}', "*"):
            same = await client.get(BASE + path, headers=ME | {"If-None-Match": known})
            assert (same.status, await same.read()) == (304, b"")
            assert same.headers["ETag"] == tag
            assert same.headers["Cache-Control"] == "no-store"
        other = await client.get(BASE + path, headers=ME | {"If-None-Match": '"other"'})

    assert (first.status, other.status) == (200, 200)
    assert await other.read() == await first.read()


async def test_a_tag_tells_that_money_moved_and_a_stranger_gets_none(
    site: Site, server: TestServer
):
    bob = {"Authorization": f"Bearer {await site.token(Role.CALLER, 'bob')}"}
    async with browser(server) as client:
        tag = (await client.get(f"{BASE}/accounts/alice", headers=ME)).headers["ETag"]
        foreign = await client.get(f"{BASE}/accounts/alice", headers=bob | {"If-None-Match": tag})
        await client.post(
            f"{BASE}/accounts/alice/topups", json={"amount": "1.00"},
            headers=ME | {"Idempotency-Key": "tag"},
        )  # fmt: skip
        changed = await client.get(f"{BASE}/accounts/alice", headers=ME | {"If-None-Match": tag})

    assert foreign.status == 404
    assert "ETag" not in foreign.headers
    assert changed.status == 200
    assert changed.headers["ETag"] != tag


async def test_what_was_changed_meanwhile_is_not_overwritten(site: Site, server: TestServer):
    await site.tariff()
    await site.topic("Network")
    path = f"{BASE}/dids/18005550100"
    async with browser(server) as client:
        shown = await client.get(path, headers=ME)
        line = await shown.json()
        body = {
            "notation": line["notation"] | {"timezone": "Europe/Vilnius"},
            "version": line["version"],
        }
        mine = ME | {"If-Match": shown.headers["ETag"]}
        done = await client.put(path, headers=mine, json=body)
        again = await client.put(path, headers=mine, json=body)
        gone = await client.put(f"{BASE}/dids/18005559999", headers=mine, json=body)
        after = await (await client.get(path, headers=ME)).json()

    assert done.status == 200, await done.text()
    assert (again.status, (await again.json())["code"]) == (412, "precondition_failed")
    assert gone.status == 412
    assert after["notation"]["timezone"] == "Europe/Vilnius"


def test_every_noun_of_the_document_says_what_it_is():
    assert {operation.tag for operation in OPERATIONS} == TAGS.keys()


async def test_the_document_tells_of_tags_and_of_an_event_without_its_list(server: TestServer):
    async with browser(server) as client:
        document = json.loads(await (await client.get(f"{BASE}/openapi.json")).read())
        page = await (await client.get("/api")).text()

    untagged = [
        path
        for path, item in document["paths"].items()
        if "304" not in item.get("get", {}).get("responses", {"304": {}})
    ]
    # They are made while they are sent.
    assert set(untagged) == {
        "/exports/accounts", "/exports/catalog", "/exports/audit",
        "/calls/{call_id}/recording", "/desk/messages/{call_id}/sound",
    }  # fmt: skip
    put = document["paths"]["/tariffs/{tariff}"]["put"]
    assert "412" in put["responses"]
    assert "If-Match" in {each["name"] for each in put["parameters"]}
    usage = document["paths"]["/usage"]["post"]["requestBody"]["content"]["application/json"]
    assert usage["schema"] == {
        "oneOf": [
            {"$ref": "#/components/schemas/UsageBatch"},
            {"$ref": "#/components/schemas/NewUsage"},
        ]
    }
    assert "body, alone" in page
