"""Vouchers over the API: codes are told once, become money once, and are called back."""

from __future__ import annotations

from typing import Any

from aiohttp.test_utils import TestServer

from ivr.web.api.gate import BASE
from ivr.web.scope import Role
from tests.site import CLI_TOKEN, Browser, Site, browser

TEN = {"amount": "10", "currency": "USD", "count": 2}


async def _post(
    client: Browser, path: str, body: Any, *, key: str = "", token: str = CLI_TOKEN
) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token}"} | ({"Idempotency-Key": key} if key else {})
    answer = await client.post(BASE + path, headers=headers, json=body)
    return answer.status, await answer.json()


async def test_a_batch_is_made_once_per_key_and_each_code_is_money_once(
    site: Site, server: TestServer
):
    alice = await site.token(Role.CALLER, "alice")
    async with browser(server) as client:
        made = await _post(client, "/vouchers", TEN, key="k1")
        again = await _post(client, "/vouchers", TEN, key="k1")
        other = await _post(client, "/vouchers", TEN | {"count": 3}, key="k1")
        code = {"code": made[1]["codes"][0]}
        used = await _post(client, "/accounts/alice/vouchers", code, key="r1", token=alice)
        same = await _post(client, "/accounts/alice/vouchers", code, key="r1", token=alice)
        late = await _post(client, "/accounts/bob/vouchers", code, key="r2")

    assert (made[0], again[0], other[0]) == (201, 200, 422)
    assert again[1]["codes"] == made[1]["codes"]
    assert (used[0], used[1]["amount"], used[1]["balance"]) == (201, "10.00", "110.00")
    assert (same[0], same[1]["replayed"]) == (200, True)
    assert (late[0], late[1]["code"]) == (409, "voucher_used")
    assert await site.desk.proved()


async def test_a_batch_that_is_called_back_is_worth_nothing(site: Site, server: TestServer):
    bearer = {"Authorization": f"Bearer {CLI_TOKEN}"}
    async with browser(server) as client:
        _, made = await _post(client, "/vouchers", TEN, key="k1")
        batch, code = made["batch"]["batch"], made["codes"][1]
        answer = await client.post(f"{BASE}/vouchers/{batch}/disable", headers=bearer)
        back = await answer.json()
        used = await _post(client, "/accounts/alice/vouchers", {"code": code}, key="r1")
        listed = await (await client.get(f"{BASE}/vouchers", headers=bearer)).json()

    assert (answer.status, back["disabled"]) == (200, 2)
    assert (used[0], used[1]["code"]) == (409, "voucher_disabled")
    assert [one["batch"] for one in listed["items"]] == [batch]


async def test_nobody_redeems_for_others_and_only_operators_make_money(
    site: Site, server: TestServer
):
    bob = await site.token(Role.CALLER, "bob")
    async with browser(server) as client:
        _, made = await _post(client, "/vouchers", TEN, key="k1")
        code = {"code": made["codes"][0]}
        foreign = await _post(client, "/accounts/alice/vouchers", code, key="r1", token=bob)
        print_own = await _post(client, "/vouchers", TEN, key="k2", token=bob)

    assert (foreign[0], print_own[0]) == (404, 403)


async def test_single_vouchers_are_listed_and_called_back_by_number_or_code(
    site: Site, server: TestServer
):
    bearer = {"Authorization": f"Bearer {CLI_TOKEN}"}
    async with browser(server) as client:
        _, made = await _post(client, "/vouchers", TEN | {"count": 3}, key="k1")
        place = f"/vouchers/{made['batch']['batch']}"
        _, used = await _post(
            client, "/accounts/alice/vouchers", {"code": made["codes"][0]}, key="r"
        )
        off = await _post(client, f"{place}/vouchers/2/disable", None)
        late = await _post(client, f"{place}/vouchers/1/disable", None)
        absent = await _post(client, f"{place}/vouchers/9/disable", None)
        lost = await _post(client, "/vouchers/disable", {"code": made["codes"][2]})
        listed = await client.get(f"{BASE}{place}/vouchers?limit=2", headers=bearer)
        page = await listed.json()
        rest = await client.get(f"{BASE}{place}/vouchers?after={page['next']}", headers=bearer)
        page["items"] += (await rest.json())["items"]
        batch = await (await client.get(BASE + place, headers=bearer)).json()

    assert (off[0], late[0], absent[0], lost[0]) == (200, 409, 404, 200)
    assert [(one["serial"], one["state"], one["account"]) for one in page["items"]] == [
        (1, "used", "alice"), (2, "disabled", None), (3, "disabled", None),
    ]  # fmt: skip
    assert page["items"][0]["transfer_id"] == used["transfer_id"]
    assert (batch["used"], batch["disabled"]) == (1, 2)
    told = (await site.rows("audit_log"))["audit_log"]
    assert not [row for row in told if made["codes"][2] in row]


async def test_the_keys_of_one_caller_are_nothing_to_another(site: Site, server: TestServer):
    alice = await site.token(Role.CALLER, "alice")
    bob = await site.token(Role.CALLER, "bob")
    async with browser(server) as client:
        _, made = await _post(client, "/vouchers", TEN, key="k1")
        first, second = ({"code": code} for code in made["codes"])
        one = await _post(client, "/accounts/alice/vouchers", first, key="same", token=alice)
        other = await _post(client, "/accounts/bob/vouchers", second, key="same", token=bob)

    assert (one[0], other[0]) == (201, 201)
