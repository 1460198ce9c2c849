"""The API: its words, its errors, and that its document is the truth."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestServer
from sqlalchemy import update

from billing.money import parse_amount
from ivr.cli.api import SeenCall
from ivr.tables import api_tokens
from ivr.web.api.table import OPERATIONS
from ivr.web.scope import Role
from tests.site import CLI_TOKEN, NO_CALL, Browser, Site, browser

BASE = "/api/v1"


async def _ask(
    client: Browser, method: str, path: str, token: str = CLI_TOKEN, **more: Any
) -> ClientResponse:
    headers = {"Authorization": f"Bearer {token}", **more.pop("headers", {})}
    return await client.request(method, BASE + path, headers=headers, **more)


async def _top_up(client: Browser, amount: str, key: str | None = "k1") -> ClientResponse:
    return await _ask(
        client,
        "POST",
        "/accounts/alice/topups",
        json={"amount": amount, "reason": "Bank transfer"},
        headers={"Idempotency-Key": key} if key is not None else {},
    )


async def test_a_call_is_told_in_full(site: Site, server: TestServer):
    call_id = await site.call(talk_seconds=62.4)
    async with browser(server) as client:
        answer = await _ask(client, "GET", f"/calls/{call_id}")
        call = await answer.json()

    assert call["started_at"] == "2026-03-04T12:00:00.000000+00:00"
    assert call["talk_seconds"] == 62.4
    assert call["billed_seconds"] == 63
    assert (call["cost"], call["currency"]) == ("5.525", "USD")
    assert (call["balance_before"], call["balance_after"]) == ("100.00", "94.475")
    assert [line["amount"] for line in call["lines"]] == ["5.00", "0.525"]
    assert call["split"] == [
        {"party": "client", "account": "acme", "amount": "3.8675"},
        {"party": "provider", "account": "provider", "amount": "1.6575"},
    ] or call["split"] == [
        {"party": "provider", "account": "provider", "amount": "1.6575"},
        {"party": "client", "account": "acme", "amount": "3.8675"},
    ]


async def test_the_command_line_reads_live_calls_and_ends_them(site: Site, server: TestServer):
    call_id = site.ring()
    async with browser(server) as client:
        live = await (await _ask(client, "GET", "/live")).json()
        ended = await _ask(client, "POST", f"/live/{call_id}/hangup")
        again = await _ask(client, "POST", f"/live/{call_id}/hangup")

    names = SeenCall.__dataclass_fields__.keys()
    (seen,) = (SeenCall(**{name: item[name] for name in names}) for item in live["items"])
    assert (seen.id, seen.state, seen.cost) == (call_id, "talking", "5.55")
    assert (ended.status, again.status) == (202, 404)


async def test_the_same_top_up_ten_times_at_once_credits_once(site: Site, server: TestServer):
    async with browser(server) as client:
        answers = await asyncio.gather(*(_top_up(client, "25") for _ in range(10)))
        documents = [await answer.json() for answer in answers]

    assert sorted(answer.status for answer in answers) == [200] * 9 + [201]
    assert len({document["transfer_id"] for document in documents}) == 1
    assert await site.desk.spendable("alice") == parse_amount("125")
    assert await site.desk.proved()


async def test_a_key_that_was_used_for_something_else_is_refused(site: Site, server: TestServer):
    async with browser(server) as client:
        await _top_up(client, "25")
        other = await _top_up(client, "26")
        problem = await other.json()

    assert other.status == 422
    assert problem["code"] == "idempotency_conflict"
    assert await site.desk.spendable("alice") == parse_amount("125")


@pytest.mark.parametrize("key", [None, "", "two words", "x" * 101, "é"])
async def test_a_top_up_without_a_key_is_refused(server: TestServer, key: str | None):
    async with browser(server) as client:
        answer = await _top_up(client, "25", key)
        problem = await answer.json()

    assert answer.status == 400
    assert problem["code"] == "missing_key"


async def test_an_account_is_opened_found_and_its_statement_read(site: Site, server: TestServer):
    body = {
        "account": "carol", "mode": "postpaid", "currency": "USD", "credit_limit": "50",
        "phones": ["15557770000"], "pin": "123987",
    }  # fmt: skip
    async with browser(server) as client:
        made = await _ask(client, "POST", "/accounts", json=body)
        again = await _ask(client, "POST", "/accounts", json={**body, "phones": []})
        found = await (await _ask(client, "GET", "/accounts?q=carol")).json()
        lines = await (await _ask(client, "GET", "/accounts/alice/statement")).json()

    assert (made.status, made.headers["Location"]) == (201, "/api/v1/accounts/carol")
    assert again.status == 409
    assert [item["spendable"] for item in found["items"]] == ["50.00"]
    assert [(line["kind"], line["amount"]) for line in lines["items"]] == [("top_up", "100.00")]


@pytest.mark.parametrize("path", ["/calls", "/accounts", "/accounts/alice/statement"])
async def test_pages_hold_each_item_once(site: Site, server: TestServer, path: str):
    for number in range(6):
        await site.call(talk_seconds=1.0)
        await site.desk.wallet.open_account(f"c{number}", mode="prepaid", currency="USD")
    items: list[Any] = []
    after = ""
    async with browser(server) as client:
        whole = await (await _ask(client, "GET", path)).json()
        while True:
            page = await (await _ask(client, "GET", f"{path}?limit=2&after={after}")).json()
            assert len(page["items"]) <= 2
            items += page["items"]
            if page["next"] is None:
                break
            after = page["next"]

    assert items == whole["items"]
    assert len(items) >= 6


async def test_the_split_is_reported_with_its_days(site: Site, server: TestServer):
    await site.call(talk_seconds=60)
    async with browser(server) as client:
        answer = await _ask(client, "GET", "/reports/split?from=2026-03-01&to=2026-03-31")
        report = await answer.json()

    assert (report["from"], report["to"]) == ("2026-03-01", "2026-03-31")
    assert report["rows"] == [
        {
            "client": "acme", "did": "18005550100", "topic": "Billing", "currency": "USD",
            "calls": 1, "billed_seconds": 60, "gross": "5.50",
            "shares": {"client": "3.85", "provider": "1.65"},
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "more", "status", "code"),
    [
        ("GET", "/nowhere", {}, 404, "not_found"),
        ("DELETE", "/calls", {}, 405, "method_not_allowed"),
        ("GET", f"/calls/{NO_CALL}", {}, 404, "not_found"),
        ("GET", "/accounts/nobody", {}, 404, "not_found"),
        ("POST", f"/live/{NO_CALL}/hangup", {}, 404, "not_found"),
        ("GET", "/calls?limit=0", {}, 422, "invalid"),
        ("GET", "/calls?limit=501", {}, 422, "invalid"),
        ("GET", "/calls?colour=red", {}, 422, "invalid"),
        ("GET", "/calls?after=e30", {}, 422, "invalid_input"),
        ("GET", "/calls?from=2026-02-30", {}, 422, "invalid"),
        ("GET", "/accounts?q=%00", {}, 422, "invalid"),
        ("GET", "/reports/split?from=2026-02-03&to=2026-02-01", {}, 422, "invalid_input"),
        ("POST", "/accounts", {"data": b"{}"}, 415, "wrong_media_type"),
        ("POST", "/accounts", {"json": {"account": "x"}}, 422, "invalid"),
        ("POST", "/accounts", {"json": [1]}, 422, "invalid"),
        ("POST", "/accounts/alice/topups", {"json": {"amount": 5}}, 422, "invalid"),
        ("POST", "/accounts/alice/topups", {"json": {"amount": "1e3"}}, 422, "invalid"),
        ("POST", "/accounts/alice/topups", {"json": {"amount": "9" * 500}}, 422, "invalid"),
    ],
)
async def test_a_mistake_is_answered_with_problem_details(
    server: TestServer, method: str, path: str, more: dict[str, Any], status: int, code: str
):
    async with browser(server) as client:
        answer = await _ask(client, method, path, **more)
        problem = await answer.json(content_type=None)

    assert answer.content_type == "application/problem+json"
    assert (answer.status, problem["status"], problem["code"]) == (status, status, code)
    assert problem["type"] == f"/api/v1/problems#{code}"
    assert problem["title"]
    assert problem["detail"]
    assert code.startswith("invalid") == ("errors" in problem)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b'{"amount":"5","reason":"\\ud800"}', b'{"amount":"5","reason":"\\u0000"}',
     b"[" * 30_000, b'{"amount":NaN}', b'{"amount":"5","reason":"' + b"x" * 300 + b'"}'],
)  # fmt: skip
async def test_a_body_that_makes_no_sense_changes_nothing(
    site: Site, server: TestServer, body: bytes
):
    async with browser(server) as client:
        answer = await _ask(
            client,
            "POST",
            "/accounts/alice/topups",
            data=body,
            headers={"Content-Type": "application/json", "Idempotency-Key": "k"},
        )

    assert answer.status == 422
    assert await site.desk.spendable("alice") == parse_amount("100")


async def test_a_body_that_is_too_large_is_refused(server: TestServer):
    async with browser(server) as client:
        answer = await _ask(client, "POST", "/accounts", json={"account": "x" * 70_000})

    assert answer.status == 413
    assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer " + "x" * 300, "Basic b2xnYTp4", f"Bearer {'y' * 43}",
     f"Bearer {CLI_TOKEN[:-1]}"],
)  # fmt: skip
async def test_without_a_good_token_nothing_is_answered(server: TestServer, header: str | None):
    async with browser(server, "olga") as client:
        headers = {} if header is None else {"Authorization": header}
        answer = await client.get(f"{BASE}/calls", headers=headers)

    # The visitor's cookie is of no use here: the API knows tokens only.
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("change", [{"revoked": True}, {"expires_us": 1}])
async def test_a_token_that_is_over_opens_nothing(
    site: Site, server: TestServer, change: dict[str, object]
):
    token = await site.token(Role.OPERATOR)
    async with browser(server) as client:
        before = await _ask(client, "GET", "/calls", token)
        async with site.desk.engine.begin() as connection:
            await connection.execute(update(api_tokens).values(**change))
        after = await _ask(client, "GET", "/calls", token)

    assert (before.status, after.status) == (200, 401)


async def test_wrong_tokens_are_limited_and_a_good_one_still_works(site: Site, server: TestServer):
    async with browser(server) as client:
        statuses = {
            (await _ask(client, "GET", "/live", f"wrong-{number:020d}")).status
            for number in range(101)
        }
        good = await _ask(client, "GET", "/live", await site.token(Role.OPERATOR))

    assert statuses == {401, 429}
    assert good.status == 200


async def test_the_document_describes_every_operation_and_nothing_else(server: TestServer):
    async with browser(server) as client:
        document = await (await client.get(f"{BASE}/openapi.json")).json()
        problems = await (await client.get(f"{BASE}/problems")).json()

    described = {
        (method.upper(), path) for path, item in document["paths"].items() for method in item
    }
    served = {(row.method, re.sub(r":[^{}]*(\{[\d,]+\})?\}", "}", row.path)) for row in OPERATIONS}
    wanted = {reference.removeprefix("#/components/") for reference in _references(document)}
    assert document["openapi"] == "3.1.0"
    assert described == served
    assert wanted == {
        f"{kind}/{name}" for kind in ("headers", "schemas") for name in document["components"][kind]
    }
    assert set(document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]) == set(
        problems
    )
    assert len({item["operationId"] for path in document["paths"].values()
                for item in path.values()}) == len(OPERATIONS)  # fmt: skip


def _references(value: Any) -> set[str]:
    if isinstance(value, dict):
        found = {value["$ref"]} if "$ref" in value else set()
        return found.union(*(_references(item) for item in value.values()))
    if isinstance(value, list):
        return set().union(*(_references(item) for item in value))
    return set()
