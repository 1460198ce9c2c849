"""What callers do on their own account by API: cards, auto top-up, PIN, phones, papers."""

from __future__ import annotations

from typing import Any

from aiohttp.test_utils import TestServer

from billing.money import parse_amount
from ivr.directory.callers import set_phones_and_pin
from ivr.payments.rounds import CardRounds
from ivr.web.scope import Role
from tests.integration.web.test_api_parties import Keyed
from tests.site import Site, browser

ALICE = "/accounts/alice"
LIMITS: dict[str, Any] = {
    "threshold": "10.00", "amount": "25.00", "month_max": "100.00", "agreed": True,
}  # fmt: skip


async def test_a_card_payment_begins_once_per_key_and_is_compared(site: Site, server: TestServer):
    async with browser(server) as client:
        ours = Keyed(client, await site.token(Role.OPERATOR))
        alice = Keyed(client, await site.token(Role.CALLER, "alice"))
        bob = Keyed(client, await site.token(Role.CALLER, "bob"))
        made, payment = await alice.move(f"{ALICE}/payments", "k", amount="20.00")
        again, same = await alice.move(f"{ALICE}/payments", "k", amount="20.00")
        other, conflict = await alice.move(f"{ALICE}/payments", "k", amount="30.00")
        small, named = await alice.move(f"{ALICE}/payments", "l", amount="0.01")
        foreign = [
            (await bob.move(f"{ALICE}/payments", "m", amount="20.00"))[0],
            (await bob("GET", f"/payments/{payment['id']}"))[0],
        ]
        site.paper.pay(next(name for name in site.paper.objects if name.startswith("cs")))
        _, compared = await ours("POST", f"/payments/{payment['id']}/check")
        _, paid = await alice("GET", f"/payments/{payment['id']}")
        _, listed = await ours("GET", "/payments?state=paid&account=alice")
        not_open, _ = await ours("POST", f"/payments/{payment['id']}/close", note="Seen")
        receipt = await alice.file(f"{ALICE}/receipts/{paid['transfer_id']}")
        strange = await bob.file(f"/accounts/bob/receipts/{paid['transfer_id']}")

    assert (made, again, other, small, not_open) == (201, 201, 422, 422, 422)
    assert payment["url"].startswith("https://checkout.stripe.com/")
    assert same == payment
    assert conflict["code"] == "idempotency_conflict"
    assert named["errors"][0]["field"] == "amount"
    assert foreign == [404, 404]
    assert (compared["processor_says"], compared["agrees"], paid["state"]) == ("paid", True, "paid")
    # Where to pay is of no use any more, and was the caller's alone.
    assert (paid["url"], compared["url"]) == (None, None)
    assert [one["id"] for one in listed["items"]] == [payment["id"]]
    assert receipt[:2] == (200, "application/pdf")
    assert strange[0] == 404
    assert await site.desk.spendable("alice") == parse_amount("120")
    assert await site.desk.proved()


async def test_a_kept_card_is_charged_within_limits_switched_off_and_forgotten(
    site: Site, server: TestServer
):
    assert site.deps.cards
    async with browser(server) as client:
        alice = Keyed(client, await site.token(Role.CALLER, "alice"))
        _, none = await alice("GET", f"{ALICE}/card")
        without, _ = await alice("PUT", f"{ALICE}/auto-topup", **LIMITS)
        await alice.move(f"{ALICE}/payments", "k", amount="20.00", save_card=True)
        site.paper.pay(next(name for name in site.paper.objects if name.startswith("cs")))
        (payment,) = (await alice("GET", "/payments"))[1]["items"]
        ours = Keyed(client, await site.token(Role.OPERATOR))
        await ours("POST", f"/payments/{payment['id']}/check")
        await CardRounds(site.deps.cards).round()
        _, kept = await alice("GET", f"{ALICE}/card")
        silent, _ = await alice("PUT", f"{ALICE}/auto-topup", **LIMITS | {"agreed": False})
        _, on = await alice("PUT", f"{ALICE}/auto-topup", **LIMITS)
        _, off = await alice("DELETE", f"{ALICE}/auto-topup")
        _, gone = await alice("DELETE", f"{ALICE}/card")
        twice, _ = await alice("DELETE", f"{ALICE}/card")
        foreign, _ = await alice("DELETE", "/accounts/bob/card")

    assert (none["card"], without, silent) == (None, 422, 422)
    assert "4242" in kept["card"]
    assert (on["enabled"], on["threshold"], on["month_max"]) == (True, "10.00", "100.00")
    assert (off["enabled"], off["card"]) == (False, kept["card"])
    assert (gone["card"], twice, foreign) == (None, 200, 404)


async def test_a_pin_is_changed_and_a_phone_taken_back_by_who_knows_the_pin(
    site: Site, server: TestServer
):
    await set_phones_and_pin(
        site.desk.engine, "alice", numbers=["15551230009"], pin="4711", key=site.deps.pin_key
    )
    await site.directory.load()
    async with browser(server) as client:
        alice = Keyed(client, await site.token(Role.CALLER, "alice"))
        wrong, why = await alice("POST", f"{ALICE}/pin/change", pin="825163", current_pin="1111")
        done, _ = await alice("POST", f"{ALICE}/pin/change", pin="825163", current_pin="4711")
        old, _ = await alice(
            "POST", f"{ALICE}/phones/remove", number="15551230009", current_pin="4711"
        )
        gone, left = await alice(
            "POST", f"{ALICE}/phones/remove", number="15551230009", current_pin="825163"
        )
        absent, _ = await alice(
            "POST", f"{ALICE}/phones/remove", number="15559990000", current_pin="825163"
        )
        foreign, _ = await alice("POST", "/accounts/bob/pin/change", pin="825163", current_pin="1")
        _, shown = await alice("GET", f"{ALICE}/access")

    assert (wrong, done, old, gone, absent, foreign) == (422, 200, 422, 200, 404, 404)
    assert why["errors"][0]["field"] == "current_pin"
    assert "15551230009" not in left["phones"]
    assert shown["has_pin"] is True


async def test_wrong_pins_by_api_lock_the_account_as_on_the_phone(site: Site, server: TestServer):
    await set_phones_and_pin(
        site.desk.engine, "alice", numbers=(), pin="4711", key=site.deps.pin_key
    )
    await site.directory.load()
    async with browser(server) as client:
        alice = Keyed(client, await site.token(Role.CALLER, "alice"))
        for _ in range(5):
            await alice("POST", f"{ALICE}/pin/change", pin="825163", current_pin="1111")
        right, _ = await alice("POST", f"{ALICE}/pin/change", pin="825163", current_pin="4711")
        _, shown = await alice("GET", f"{ALICE}/access")

    assert right == 422
    assert shown["locked_until"]


async def test_statements_are_downloaded(site: Site, server: TestServer):
    await site.call()
    async with browser(server) as client:
        alice = Keyed(client, await site.token(Role.CALLER, "alice"))
        as_csv = await alice.file(f"{ALICE}/statement/csv")
        as_pdf = await alice.file(f"{ALICE}/statement/pdf?from=2026-03-01&to=2026-03-31")
        backwards = await alice.file(f"{ALICE}/statement/pdf?from=2026-03-02&to=2026-03-01")
        foreign = await alice.file("/accounts/bob/statement/csv")

    assert as_csv[:2] == (200, "text/csv")
    assert as_csv[2].splitlines()[0] == b"at,kind,memo,amount,balance,currency,transfer"
    assert (as_pdf[:2], as_pdf[2][:4]) == ((200, "application/pdf"), b"%PDF")
    assert (backwards[0], foreign[0]) == (422, 404)


async def test_how_an_account_is_billed_spoken_to_and_remembered(site: Site, server: TestServer):
    async with browser(server) as client:
        ours = Keyed(client, await site.token(Role.OPERATOR))
        _, before = await ours("GET", "/accounts/bob/terms")
        wanted = {"cycle": "beginning", "terms_days": 14, "title": "Bob Ltd", "address": "A\n\nB"}
        done, after = await ours("PUT", "/accounts/bob/terms", **wanted)
        prepaid, _ = await ours("PUT", f"{ALICE}/terms", **wanted)
        _, spoken = await ours("PUT", f"{ALICE}/language", language="de")
        kept, notes = await ours("POST", f"{ALICE}/notes", text="Calls on Mondays")
        _, read = await ours("GET", f"{ALICE}/notes")
        await set_phones_and_pin(
            site.desk.engine, "alice", numbers=(), pin="4711", key=site.deps.pin_key
        )
        _, without = await ours("DELETE", f"{ALICE}/pin")

    assert before["cycle"] == "end"
    assert (done, after["terms_days"], after["address"], prepaid) == (200, 14, "A\nB", 422)
    assert spoken["language"] == "de"
    assert (kept, [one["text"] for one in notes["items"]]) == (201, ["Calls on Mondays"])
    assert read == notes
    assert without["has_pin"] is False
