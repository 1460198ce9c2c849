"""The API cares for accounts as the pages do: the same functions, keys where money moves."""

from __future__ import annotations

from typing import Any

from aiohttp.test_utils import TestServer

from billing.money import parse_amount
from billing.subscriptions import Subscriptions
from ivr.web.scope import Role
from tests.plans import STARTER, Shop
from tests.site import Browser, Site, browser

BASE = "/api/v1/accounts"


async def _post(
    client: Browser, token: str, path: str, key: str = "", **body: Any
) -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {token}"} | ({"Idempotency-Key": key} if key else {})
    answer = await client.post(f"{BASE}/{path}", json=body, headers=headers)
    return answer.status, await answer.json()


async def test_an_adjustment_needs_a_key_is_booked_once_and_never_takes_too_much(
    site: Site, server: TestServer
):
    token = await site.token(Role.OPERATOR)
    taken = {"direction": "debit", "amount": "40", "reason": "chargeback"}
    async with browser(server) as client:
        keyless = await _post(client, token, "alice/adjustments", **taken)
        first = await _post(client, token, "alice/adjustments", "k1", **taken)
        again = await _post(client, token, "alice/adjustments", "k1", **taken)
        poor = await _post(client, token, "alice/adjustments", "k2", **taken | {"amount": "61"})
        other = await _post(client, token, "alice/adjustments", "k1", **taken | {"amount": "1"})

    assert keyless[0] == 400
    assert (first[0], first[1]["amount"], first[1]["balance"]) == (201, "-40.00", "60.00")
    assert (again[0], again[1]["replayed"]) == (200, True)
    assert (poor[0], poor[1]["code"]) == (409, "insufficient_funds")
    assert (other[0], other[1]["code"]) == (422, "idempotency_conflict")
    assert await site.desk.spendable("alice") == parse_amount("60")


async def test_status_limit_phones_and_pin_are_changed_and_read_back(
    site: Site, server: TestServer
):
    token = await site.token(Role.OPERATOR)
    async with browser(server) as client:
        blocked = await _post(client, token, "alice/status", status="blocked")
        limit = await _post(client, token, "bob/credit-limit", credit_limit="10")
        prepaid = await _post(client, token, "alice/credit-limit", credit_limit="10")
        phone = await _post(client, token, "alice/phones", number="+1 555 000 1111")
        taken = await _post(client, token, "bob/phones", number="15550001111")
        drawn = await _post(client, token, "alice/pin")
        given = await _post(client, token, "alice/pin", pin="482913")
        free = await _post(client, token, "alice/unlock")
        gone = await _post(client, token, "alice/phones", number="15550001111", change="remove")
        headers = {"Authorization": f"Bearer {token}"}
        access = await (await client.get(f"{BASE}/alice/access", headers=headers)).json()

    assert blocked[1]["status"] == "blocked"
    assert limit[1]["credit_limit"] == "10.00"
    assert prepaid[0] == 422
    assert phone[1]["phones"] == ["15550001111"]
    assert (taken[0], "belongs to account alice" in taken[1]["detail"]) == (422, True)
    assert len(drawn[1]["pin"]) == 6
    assert given[1]["pin"] is None
    assert free[0] == 200
    assert gone[1]["phones"] == []
    assert (access["has_pin"], access["wrong_pins"]) == (True, 0)


async def test_accounts_are_listed_by_what_they_can_spend(site: Site, server: TestServer):
    token = await site.token(Role.OPERATOR)
    headers = {"Authorization": f"Bearer {token}"}
    async with browser(server) as client:
        low = await (await client.get(f"{BASE}?below=100.01&currency=USD", headers=headers)).json()
        wrong = await client.get(f"{BASE}?below=x", headers=headers)

    assert [one["account"] for one in low["items"]] == ["alice"]
    assert wrong.status == 422


async def test_a_plan_is_begun_and_ended(site: Site, server: TestServer):
    plans = Subscriptions(engine=site.desk.engine, clock=site.desk.clock)
    await Shop(desk=site.desk, plans=plans).offer(STARTER)
    token = await site.token(Role.OPERATOR)
    async with browser(server) as client:
        nameless = await _post(client, token, "alice/plan", what="subscribe")
        begun = await _post(client, token, "alice/plan", what="subscribe", plan="starter")
        twice = await _post(client, token, "alice/plan", what="subscribe", plan="starter")
        ended = await _post(client, token, "alice/plan", what="end_now")
        none = await _post(client, token, "alice/plan", what="end")

    assert nameless[0] == 422
    assert (begun[0], begun[1]["state"]) == (200, "active")
    assert twice[0] == 409
    assert ended[1]["state"] == "cancelled"
    assert none[0] == 404
