"""Imports and exports by API: looked at, run once, and read again as they were written."""

from __future__ import annotations

import asyncio
import csv
import io
from typing import Any

import yaml
from aiohttp.test_utils import TestServer

from ivr.web.api.gate import BASE
from ivr.web.scope import Right, Role
from tests.site import CLI_TOKEN, Browser, Site, browser

FILE = """account,mode,currency,opening_balance,phones,pin
carol,,USD,20,15551230009,482913
bad name,,USD,,,
dave,,USD,,,
"""


async def _ask(
    client: Browser, method: str, path: str, body: Any = None, *, token: str = CLI_TOKEN
) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token}"}
    sent = {} if body is None else {"json": body}
    answer = await client.request(method, BASE + path, headers=headers, **sent)
    text = await answer.text()
    return answer.status, await answer.json() if "json" in answer.content_type else text


async def _done(client: Browser, name: str) -> Any:
    async with asyncio.timeout(20):
        while True:
            _, shown = await _ask(client, "GET", f"/imports/{name}")
            if shown["state"] != "running":
                return shown


async def test_a_file_is_looked_at_run_once_and_its_rows_are_told(site: Site, server: TestServer):
    async with browser(server) as client:
        looked, shown = await _ask(client, "POST", "/imports/accounts", {"content": FILE})
        before = {account.code for account in await site.desk.wallet.list_accounts()}
        path = f"/imports/{shown['id']}"
        _, page = await _ask(client, "GET", f"{path}/rows?limit=2")
        _, rest = await _ask(client, "GET", f"{path}/rows?limit=2&after={page['next']}")
        run = f"/imports/accounts/{shown['id']}/run"
        begun = await asyncio.gather(*(_ask(client, "POST", run) for _ in range(5)))
        done = await _done(client, shown["id"])
        _, refused = await _ask(client, "GET", f"{path}/rows?what=refused")
        _, file = await _ask(client, "GET", f"{path}/refused")
        _, audit = await _ask(client, "GET", "/audit?what=import accounts")
        again = (await _ask(client, "POST", "/imports/accounts", {"content": FILE}))[1]
    balance = (await site.desk.wallet.account("carol")).posted

    assert (looked, shown["state"], shown["acting"]) == (201, "looked", 2)
    assert shown["counts"] == {"new": 2, "changed": 0, "unchanged": 0, "refused": 1}
    assert "carol" not in before
    assert [row["line"] for row in page["items"] + rest["items"]] == [2, 3, 4]
    assert "482913" not in str(page)
    assert {status for status, _ in begun} == {202}
    assert (done["state"], done["position"]) == ("done", 2)
    assert balance == 20_000_000
    assert [row["subject"] for row in refused["items"]] == ["bad name"]
    assert [row["column"] for row in csv.DictReader(io.StringIO(file))] == ["account"]
    # One for the file, one for each row.
    assert [item["subject"] for item in audit["items"]] == ["dave", "carol", "2 rows"]
    assert again["counts"]["new"] == 0


async def test_a_file_belongs_to_the_token_that_sent_it_and_to_its_kind(
    site: Site, server: TestServer
):
    other = await site.token(Role.OPERATOR)
    async with browser(server) as client:
        shown = (await _ask(client, "POST", "/imports/accounts", {"content": FILE}))[1]
        path = f"/imports/{shown['id']}"
        foreign = [
            (await _ask(client, method, path + more, token=other))[0]
            for method, more in (("GET", ""), ("GET", "/rows"), ("GET", "/refused"))
        ]
        run = await _ask(client, "POST", f"/imports/accounts/{shown['id']}/run", token=other)
        kind = await _ask(client, "POST", f"/imports/topups/{shown['id']}/run")

    assert foreign == [404, 404, 404]
    assert (run[0], kind[0]) == (404, 404)


async def test_what_a_token_may_not_do_by_hand_it_does_not_import(site: Site, server: TestServer):
    token = await site.token(Role.OPERATOR, rights=frozenset({Right.ACCOUNTS}))
    async with browser(server) as client:
        _, shown = await _ask(client, "POST", "/imports/accounts", {"content": FILE}, token=token)
        money, _ = await _ask(
            client, "POST", "/imports/topups", {"content": "account,amount,reference\n"},
            token=token,
        )  # fmt: skip
        catalog = await _ask(client, "POST", "/imports/catalog", {"content": "clients: 5\n"})
        run = await _ask(client, "POST", f"/imports/catalog/{catalog[1]['id']}/run")
        none = await _ask(client, "POST", "/imports/accounts", {"content": "%PDF-1.7"})

    assert shown["counts"]["refused"] == 2
    assert money == 403
    assert (catalog[0], catalog[1]["blocked"], catalog[1]["acting"]) == (201, True, 0)
    assert (run[0], run[1]["code"]) == (409, "edit_refused")
    assert (none[0], none[1]["errors"][0]["field"]) == (422, "content")


async def test_what_is_exported_is_read_again_as_unchanged(site: Site, server: TestServer):
    await site.tariff()
    async with browser(server) as client:
        _, accounts = await _ask(client, "GET", "/exports/accounts")
        _, one = await _ask(client, "GET", "/exports/accounts?q=alice")
        _, catalog = await _ask(client, "GET", "/exports/catalog")
        looked = (await _ask(client, "POST", "/imports/accounts", {"content": accounts}))[1]

    assert looked["counts"] == {"new": 0, "changed": 0, "unchanged": 2, "refused": 0}
    assert [row["account"] for row in csv.DictReader(io.StringIO(one))] == ["alice"]
    assert list(yaml.safe_load(catalog)) == ["currency", "tariffs", "clients", "accounts"]
