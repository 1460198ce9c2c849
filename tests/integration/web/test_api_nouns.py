"""The API does what the pages do: invoices, plans, payouts, reports, refunds, prompts, webhooks."""

from __future__ import annotations

import base64
import wave
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestServer

from billing.domain.payouts import BankAccount, PayoutTerms
from billing.money import parse_amount
from billing.payouts import Payouts
from billing.refunds import Refunds
from billing.subscriptions import Subscriptions
from ivr.web.api.gate import BASE
from ivr.web.scope import Role
from ivr.web.webhooks import outbox
from tests.plans import STARTER, UNITS, Shop
from tests.site import CLI_TOKEN, Browser, Site, browser

URL = "https://hooks.example.com/talkmeter"


async def _ask(
    client: Browser, method: str, path: str, token: str = CLI_TOKEN, **more: Any
) -> ClientResponse:
    headers = {"Authorization": f"Bearer {token}", **more.pop("headers", {})}
    return await client.request(method, BASE + path, headers=headers, **more)


async def _post(
    client: Browser, path: str, body: Any, *, key: str = "", token: str = CLI_TOKEN
) -> tuple[int, Any]:
    headers = {"Idempotency-Key": key} if key else {}
    answer = await _ask(client, "POST", path, token, json=body, headers=headers)
    return answer.status, await answer.json()


async def _get(client: Browser, path: str, token: str = CLI_TOKEN) -> Any:
    answer = await _ask(client, "GET", path, token)
    assert answer.status == 200, await answer.text()
    return await answer.json()


async def test_a_month_is_billed_paid_and_credited(site: Site, server: TestServer):
    await site.call(account="bob")
    month = f"{site.desk.clock.now():%Y-%m}"
    site.desk.clock.advance(timedelta(days=40).total_seconds())
    alice = await site.token(Role.CALLER, "alice")
    bob = await site.token(Role.CALLER, "bob")
    async with browser(server) as client:
        first = await _post(client, "/invoices", {"month": month})
        again = await _post(client, "/invoices", {"month": month})
        (number,) = first[1]["created"]
        shown = await _get(client, f"/invoices/{number}", bob)
        file = await _ask(client, "GET", f"/invoices/{number}/pdf", bob)
        body = await file.read()
        foreign = await _ask(client, "GET", f"/invoices/{number}", alice)
        paid = [
            await _post(client, f"/invoices/{number}/payments", {"amount": "2"}, key="p")
            for _ in range(2)
        ]
        other = await _post(client, f"/invoices/{number}/payments", {"amount": "3"}, key="p")
        notes = [
            await _post(
                client, f"/invoices/{number}/credits", {"amount": "1", "reason": "Late"}, key="c"
            )
            for _ in range(2)
        ]
        unpaid = await _get(client, "/invoices?state=unpaid&account=bob")

    assert (again[1]["created"], again[1]["billed_before"]) == ([], 1)
    assert (shown["total"], shown["lines"][0]["billed_seconds"]) == ("5.525", 63)
    assert (file.content_type, body[:5]) == ("application/pdf", b"%PDF-")
    assert foreign.status == 404
    assert [status for status, _ in paid] == [201, 200]
    assert [one["replayed"] for _, one in paid] == [False, True]
    assert (other[0], other[1]["code"]) == (422, "idempotency_conflict")
    assert notes[0][1]["number"] == notes[1][1]["number"]
    assert [one["unpaid"] for one in unpaid["items"]] == ["2.525"]
    assert await site.desk.proved()


async def test_a_plan_is_taken_changed_topped_up_and_ended(site: Site, server: TestServer):
    plans = Subscriptions(engine=site.desk.engine, clock=site.desk.clock)
    await Shop(desk=site.desk, plans=plans).offer(STARTER, UNITS)
    alice = await site.token(Role.CALLER, "alice")
    bob = await site.token(Role.CALLER, "bob")
    async with browser(server) as client:
        sold = await _get(client, "/plans", alice)
        status, made = await _post(client, "/subscriptions", {"plan": "starter"}, token=alice)
        twice = await _post(client, "/subscriptions", {"plan": "starter"}, token=alice)
        unknown = await _post(client, "/subscriptions", {"plan": "gold"}, token=bob)
        foreign = await _post(
            client, f"/subscriptions/{made['id']}/cancel", {"at_once": True}, token=bob
        )
        hers = await _get(client, "/subscriptions", alice)
        his = await _get(client, "/subscriptions", bob)
        both = await _post(
            client, "/subscriptions/alice/units", {"meter": "minutes"}, key="u", token=alice
        )
        changed = await _post(client, "/subscriptions/alice/change", {"plan": "units"}, token=alice)
        ended = await _post(client, "/subscriptions/alice/cancel", {}, token=alice)

    assert [one["name"] for one in sold["items"]] == ["starter", "units"]
    assert (status, made["plan"], made["state"]) == (201, "starter", "active")
    assert (twice[0], twice[1]["code"]) == (409, "subscription_exists")
    assert (unknown[0], unknown[1]["code"]) == (404, "unknown_plan")
    assert foreign[0] == 404
    assert ([one["account"] for one in hers["items"]], his["items"]) == (["alice"], [])
    assert (both[0], both[1]["errors"][0]["field"]) == (422, "units")
    assert (changed[0], changed[1]["plan"]) == (200, "units")
    assert (ended[0], ended[1]["ends"]) == (200, True)
    assert await site.desk.proved()


async def test_a_payout_is_asked_for_once_and_decided(site: Site, server: TestServer):
    use = Payouts(engine=site.desk.engine, clock=site.desk.clock)
    bank = BankAccount(name="Acme", iban="DE89370400440532013000", bic="")
    await use.set_terms("client", "acme", PayoutTerms(hold_back_days=0, minimum=0, bank=bank))
    await site.call(talk_seconds=60)
    acme = await site.token(Role.CLIENT, "acme")
    globex = await site.token(Role.CLIENT, "globex")
    async with browser(server) as client:
        before = await _get(client, "/payouts/payable", acme)
        asked = [
            await _post(client, "/payouts", {"amount": "3"}, key="k", token=acme) for _ in range(2)
        ]
        other = await _post(client, "/payouts", {"amount": "2"}, key="k", token=acme)
        too_much = await _post(client, "/payouts", {"amount": "300"}, key="k2", token=acme)
        payout = asked[0][1]["id"]
        mine = await _get(client, "/payouts", acme)
        others = await _get(client, "/payouts", globex)
        foreign = await _ask(client, "POST", f"/payouts/{payout}/approve", acme)
        approved = await (await _ask(client, "POST", f"/payouts/{payout}/approve")).json()
        paid = await (await _ask(client, "POST", f"/payouts/{payout}/paid")).json()
        late = await _post(client, f"/payouts/{payout}/reject", {"note": "No"})

    assert (before["payable"], before["pending"]) == ("3.85", "0.00")
    assert asked[0][1]["id"] == asked[1][1]["id"]
    assert (other[0], other[1]["code"]) == (422, "idempotency_conflict")
    assert (too_much[0], too_much[1]["code"]) == (409, "nothing_payable")
    assert ([one["id"] for one in mine["items"]], others["items"]) == ([payout], [])
    assert foreign.status == 403
    assert (approved["status"], paid["status"]) == ("approved", "paid")
    assert (late[0], late[1]["code"]) == (409, "payout_not_movable")
    assert await site.desk.proved()


async def test_reports_are_paged_and_a_client_reads_its_own(site: Site, server: TestServer):
    await site.call()
    await site.call(topic="Network")
    await site.call(client="globex", account="bob")
    await site.call(talk_seconds=0)
    acme = await site.token(Role.CLIENT, "acme")
    days = "from=2026-03-01&to=2026-03-31"
    rows: list[Any] = []
    after = ""
    async with browser(server) as client:
        while True:
            path = f"/reports/revenue?by=topic&limit=1&{days}&after={after}"
            page = await _get(client, path)
            rows += page["rows"]
            if page["next"] is None:
                break
            after = page["next"]
        whole = await _get(client, f"/reports/revenue?by=topic&{days}")
        hers = await _get(client, f"/reports/revenue?by=day&client=globex&{days}", acme)
        callers = await _get(client, f"/reports/callers?{days}")
        arpu = await _get(client, f"/reports/arpu?{days}")
        lost = await _get(client, f"/reports/unanswered?by=reason&{days}")
        mrr = await _get(client, f"/reports/mrr?{days}")
        bad = await _ask(client, "GET", "/reports/revenue?from=2026-03-31&to=2026-03-01")

    assert rows == whole["rows"]
    assert len(rows) == 3
    assert hers["rows"][0]["key"] == {"day": "2026-03-04"}
    assert hers["rows"][0]["gross"] == "11.05"
    assert [row["account"] for row in callers["rows"]] == ["alice", "bob"]
    assert arpu["rows"][0]["callers"] == 2
    assert lost["rows"] == [{"key": "no_agent", "calls": 1, "seconds": 13}]
    assert mrr["rows"] == []
    assert bad.status == 422


async def test_refunds_are_listed_to_those_they_concern(site: Site, server: TestServer):
    call_id = await site.call()
    await Refunds(engine=site.desk.engine, clock=site.desk.clock).refund(
        call_id, key="k", actor="olga", reason="Noise", amount=parse_amount("1")
    )
    tokens = {
        name: await site.token(role, name)
        for name, role in (
            ("acme", Role.CLIENT), ("globex", Role.CLIENT), ("alice", Role.CALLER),
            ("bob", Role.CALLER),
        )
    }  # fmt: skip
    async with browser(server) as client:
        ours = await _get(client, "/refunds")
        theirs = {name: await _get(client, "/refunds", token) for name, token in tokens.items()}

    (line,) = ours["items"]
    assert (line["call_id"], line["amount"], line["actor"]) == (call_id, "1.00", "olga")
    assert {name: len(page["items"]) for name, page in theirs.items()} == {
        "acme": 1, "globex": 0, "alice": 1, "bob": 0,
    }  # fmt: skip
    assert theirs["alice"]["items"][0]["actor"] is None


async def test_a_sound_is_uploaded_heard_and_dropped(site: Site, server: TestServer):
    acme = await site.token(Role.CLIENT, "acme")
    globex = await site.token(Role.CLIENT, "globex")
    sound = BytesIO()
    with wave.open(sound, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8_000)
        file.writeframes(bytes(8_000))
    body = {
        "name": "hello", "language": "en", "sound": base64.b64encode(sound.getvalue()).decode(),
    }  # fmt: skip
    async with browser(server) as client:
        kept = await _post(client, "/prompts", body, token=acme)
        wrong = await _post(
            client, "/prompts", {**body, "sound": base64.b64encode(b"no").decode()}, token=acme
        )
        both = await _post(client, "/prompts", {**body, "text": "Hello"}, token=acme)
        listed = await _get(client, "/prompts", acme)
        others = await _get(client, "/prompts", globex)
        heard = await _ask(client, "GET", "/prompts/acme/en/hello/sound", acme)
        foreign = await _ask(client, "DELETE", "/prompts/acme/en/hello", globex)
        gone = await _ask(client, "DELETE", "/prompts/acme/en/hello", acme)

    assert (kept[0], kept[1]["client"], kept[1]["bytes"]) == (200, "acme", 4_000)
    assert (wrong[0], both[0]) == (422, 422)
    assert (len(listed["items"]), others["items"]) == (1, [])
    assert (heard.status, heard.content_type) == (200, "audio/wav")
    assert (foreign.status, gone.status) == (404, 200)


async def test_a_webhook_is_made_once_per_key_tried_changed_and_deleted(
    site: Site, server: TestServer
):
    acme = await site.token(Role.CLIENT, "acme")
    alice = await site.token(Role.CALLER, "alice")
    async with browser(server) as client:
        made = await _post(client, "/webhooks", {"url": URL}, key="w", token=acme)
        again = await _post(client, "/webhooks", {"url": URL}, key="w", token=acme)
        other = await _post(client, "/webhooks", {"url": f"{URL}/2"}, key="w", token=acme)
        forbidden = await _post(
            client, "/webhooks", {"url": URL, "events": ["balance.low"]}, key="x", token=acme
        )
        path = f"/webhooks/{made[1]['id']}"
        asked = await _post(client, f"{path}/tests", {"event": "call.ended"}, token=acme)
        log = await _get(client, f"{path}/deliveries?state=pending", acme)
        replayed = await _ask(
            client, "POST", f"{path}/deliveries/{asked[1]['delivery']}/replay", acme
        )
        changed = await _ask(client, "PATCH", path, acme, json={"enabled": False})
        rotated = await _ask(client, "POST", f"{path}/secret", acme)
        foreign = await _ask(client, "GET", path, alice)
        gone = await _ask(client, "DELETE", path, acme)
        left = await _get(client, "/webhooks", acme)

    assert (made[0], again[0]) == (201, 200)
    assert (again[1]["id"], again[1]["secret"]) == (made[1]["id"], None)
    assert len(made[1]["secret"]) == 64
    assert (other[0], other[1]["code"]) == (422, "idempotency_conflict")
    assert (forbidden[0], forbidden[1]["code"]) == (422, "invalid_input")
    assert log["items"][0]["sent"]["data"]["balance_after"] is None
    assert replayed.status == 202
    assert (await changed.json())["enabled"] is False
    assert (await rotated.json())["secret"] not in {None, made[1]["secret"]}
    assert (foreign.status, gone.status, left["items"]) == (404, 200, [])


async def test_deliveries_are_paged(site: Site, server: TestServer):
    async with browser(server) as client:
        made = await _post(client, "/webhooks", {"url": URL}, key="w")
        for _ in range(5):
            await outbox.send_test(site.desk.engine, made[1]["id"], clock=site.desk.clock)
        path = f"/webhooks/{made[1]['id']}/deliveries"
        whole = await _get(client, path)
        first = await _get(client, f"{path}?limit=3")
        second = await _get(client, f"{path}?limit=3&after={first['next']}")

    assert first["items"] + second["items"] == whole["items"]
    assert second["next"] is None


@pytest.mark.parametrize(
    ("role", "subject"), [(Role.OPERATOR, None), (Role.CLIENT, "acme"), (Role.CALLER, "alice")]
)
async def test_a_token_says_whose_it_is(
    site: Site, server: TestServer, role: Role, subject: str | None
):
    token = await site.token(role, subject)
    async with browser(server) as client:
        me = await _get(client, "/me", token)

    assert (me["role"], me["subject"]) == (role.value, subject)


async def test_the_desk_is_read_page_by_page(site: Site, server: TestServer):
    call_id = await site.call()
    await site.sound(call_id)
    first, second = await site.callback(), await site.callback()
    acme = await site.token(Role.CLIENT, "acme")
    globex = await site.token(Role.CLIENT, "globex")
    async with browser(server) as client:
        messages = await _get(client, "/desk/messages", acme)
        page = await _get(client, "/desk/callbacks?limit=1", acme)
        rest = await _get(client, f"/desk/callbacks?limit=1&after={page['next']}", acme)
        others = await _get(client, "/desk/callbacks", globex)
        foreign = await _ask(client, "POST", f"/desk/callbacks/{first}/cancel", globex)
        done = await _ask(client, "POST", f"/desk/callbacks/{first}/cancel", acme)
        sound = await _ask(client, "GET", f"/desk/messages/{call_id}/sound", acme)

    assert [one["call_id"] for one in messages["items"]] == [call_id]
    assert {one["id"] for one in page["items"] + rest["items"]} == {first, second}
    assert others["items"] == []
    assert (foreign.status, done.status) == (404, 200)
    assert (sound.status, sound.content_type) == (200, "audio/wav")


async def test_the_page_of_the_api_shows_every_operation_and_event(site: Site, server: TestServer):
    async with browser(server) as visitor:
        page = await (await visitor.get("/api")).text()
        document = await (await visitor.get(f"{BASE}/openapi.json")).json()

    names = [item["operationId"] for path in document["paths"].values() for item in path.values()]
    assert [name for name in names if f'id="{name}"' not in page] == []
    assert [name for name in document["webhooks"] if f'id="event-{name}"' not in page] == []
    assert "hmac.compare_digest" in page
