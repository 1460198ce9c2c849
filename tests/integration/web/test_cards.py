"""Paying by card: from the form to the books, told by signed messages alone."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from billing.money import parse_amount
from ivr.payments.rounds import CardRounds
from tests.doubles.paper_stripe import message, signature
from tests.site import Browser, Site, browser, csrf_of, field_of, served, text_of

TOP_UP = "/account/topup"


async def _pay(client: Browser, amount: str = "20", **more: str):
    page = await (await client.get(TOP_UP)).text()
    data = {"csrf": csrf_of(page), "key": field_of(page, "key"), "amount": amount} | more
    return await client.post(f"{TOP_UP}/card", data=data)


async def _tell(client: Browser, kind: str, what: dict[str, Any], **signed: Any):
    body = message(kind, what)
    headers = {"Stripe-Signature": signature(body, **signed), "Content-Type": "application/json"}
    return await client.post("/webhooks/stripe", data=body, headers=headers)


def _page_of(site: Site) -> str:
    return next(name for name, one in site.paper.objects.items() if "checkout" in one["object"])


async def test_a_card_payment_is_added_when_the_processor_tells_and_not_before(
    site: Site, server: TestServer
):
    async with browser(server, "alice") as client, browser(server) as processor:
        answer = await _pay(client)
        page, path = await answer.text(), answer.url.path
        before = await site.desk.spendable("alice")
        told = await _tell(processor, "checkout.session.completed", site.paper.pay(_page_of(site)))
        after = text_of(await (await client.get(path)).text())
        receipt = await client.get(
            re.findall(r"/account/receipt[^\"]+", await (await client.get(path)).text())[0]
        )

    assert 'href="https://checkout.stripe.com/' in page
    assert (
        f"http://127.0.0.1:{server.port}{path}" == site.paper.objects[_page_of(site)]["success_url"]
    )
    assert before == parse_amount("100")
    assert await told.json() == {"received": True, "ours": True}
    assert "20.00 USD were added. Your balance is 120.00 USD." in after
    assert receipt.content_type == "application/pdf"
    assert await site.desk.proved()


async def test_twenty_messages_at_once_credit_once(site_of_both: Site):
    site = site_of_both
    async with served(site) as server, browser(server, "alice") as client:
        await _pay(client)
        page = site.paper.pay(_page_of(site))
        answers = await asyncio.gather(
            *(_tell(client, "checkout.session.completed", page) for _ in range(20))
        )

    assert {answer.status for answer in answers} == {200}
    assert await site.desk.spendable("alice") == parse_amount("120")
    assert await site.desk.proved()


@pytest.mark.parametrize(
    ("signed", "status"),
    [({"secret": "whsec_other"}, 400), ({"at": 1_700_000_000}, 400), ({}, 200)],
)
async def test_a_message_is_believed_by_its_signature_alone(
    site: Site, server: TestServer, signed: dict[str, Any], status: int
):
    async with browser(server, "alice") as client:
        await _pay(client)
        page = site.paper.pay(_page_of(site))
        answer = await _tell(client, "checkout.session.completed", page, **signed)

    assert answer.status == status
    assert await site.desk.spendable("alice") == parse_amount("120" if status == 200 else "100")


async def test_messages_that_are_too_large_or_of_others_change_nothing(
    site: Site, server: TestServer
):
    others = {"payment_status": "paid", "payment_intent": "pi_9", "amount_total": 5,
              "currency": "usd", "metadata": {"payment": "somebody-elses"}}  # fmt: skip
    async with browser(server) as client:
        large = await _tell(client, "x", {"text": "x" * 300_000})
        foreign = await _tell(client, "checkout.session.completed", others)
        unsigned = await client.post("/webhooks/stripe", data=b"{}")

    assert (large.status, unsigned.status) == (413, 400)
    assert await foreign.json() == {"received": True, "ours": False}


@pytest.mark.parametrize("amount", ["", "4.99", "500.01", "20.001", "-5", "twenty"])
async def test_amounts_that_no_card_is_charged_with_are_explained(
    site: Site, server: TestServer, amount: str
):
    async with browser(server, "alice") as client:
        answer = await _pay(client, amount)
        text = await answer.text()

    assert answer.status == 422
    assert 'id="d-amount"' in text
    assert not site.paper.requests


async def test_the_same_form_sent_twice_is_one_payment(site: Site, server: TestServer):
    async with browser(server, "alice") as client:
        page = await (await client.get(TOP_UP)).text()
        data = {"csrf": csrf_of(page), "key": field_of(page, "key"), "preset": "50"}
        answers = [await client.post(f"{TOP_UP}/card", data=data) for _ in range(2)]

    assert answers[0].url == answers[1].url
    assert len(site.paper.requests) == 1


async def test_a_processor_that_is_away_is_told_and_nothing_is_lost(site: Site, server: TestServer):
    site.paper.away = True
    async with browser(server, "alice") as client:
        answer = await _pay(client)
        text = text_of(await answer.text())

    assert answer.status == 503
    assert "card processor does not answer" in text


async def test_others_see_nothing_of_a_payment(site: Site, server: TestServer):
    payment = await site.card_payment()
    async with browser(server, "bob") as client:
        answer = await client.get(f"{TOP_UP}/{payment}")
        page = await (await client.get(TOP_UP)).text()

    assert answer.status == 404
    assert payment not in page


async def test_a_dispute_blocks_when_the_money_is_gone_and_operators_see_what_is_owed(
    site: Site, server: TestServer
):
    payment = await site.card_payment()
    await site.desk.wallet.adjust("alice", -parse_amount("115"), key="x", actor="t", memo="spent")
    assert site.deps.cards
    intent = (await site.deps.cards.payments.find(payment)).intent
    dispute = {"id": "dp_1", "payment_intent": intent, "amount": 2000, "currency": "usd",
               "status": "needs_response"}  # fmt: skip
    async with browser(server, "olga") as olga, browser(server, "alice") as alice:
        await _tell(olga, "charge.dispute.created", dispute)
        owed = text_of(await (await olga.get("/admin/payments?state=owed")).text())
        detail = text_of(await (await olga.get(f"/admin/payments/{payment}")).text())
        mine = text_of(await (await alice.get(f"{TOP_UP}/{payment}")).text())
        home = text_of(await (await alice.get("/account")).text())

    assert "Paid Disputed 20.00 USD 5.00 USD 15.00 USD" in owed
    assert "15.00 USD went back to the card but were spent already" in detail
    assert "Until they are paid, the account is blocked" in mine
    assert "This account is blocked" in home
    assert await site.desk.proved()


async def test_an_operator_compares_with_the_processor_and_a_lost_message_is_made_good(
    site: Site, server: TestServer
):
    async with browser(server, "alice") as alice, browser(server, "olga") as olga:
        path = (await _pay(alice)).url.path
        payment = path.rsplit("/", 1)[1]
        admin = f"/admin/payments/{payment}"

        async def compare() -> str:
            csrf = csrf_of(await (await olga.get(admin)).text())
            return text_of(await (await olga.post(f"{admin}/check", data={"csrf": csrf})).text())

        before = await compare()
        site.paper.pay(_page_of(site))
        after = await compare()
        site.paper.objects["pi_1"]["latest_charge"]["amount_refunded"] = 500
        refunded = await compare()
        site.paper.away = True
        away = await compare()

    assert "It says the same as our books. State Pending" in before
    assert "It says the same as our books. State Paid Came in 20.00 USD" in after
    assert "It does not say the same as our books." in refunded
    assert "does not answer" in away
    assert await site.desk.spendable("alice") == parse_amount("120")


async def test_what_is_for_review_is_closed_with_a_note(site: Site, server: TestServer):
    async with browser(server, "alice") as alice, browser(server, "olga") as olga:
        path = (await _pay(alice)).url.path
        await _tell(alice, "checkout.session.completed", site.paper.pay(_page_of(site), amount=1))
        shown = text_of(await (await alice.get(path)).text())
        admin = f"/admin/payments/{path.rsplit('/', 1)[1]}"
        csrf = csrf_of(await (await olga.get(admin)).text())
        empty = await olga.post(f"{admin}/close", data={"csrf": csrf})
        done = await olga.post(f"{admin}/close", data={"csrf": csrf, "note": "sent back"})

    assert "Another amount came in" in shown
    assert (empty.status, done.status) == (422, 200)
    assert "Closed" in text_of(await done.text())
    assert await site.desk.spendable("alice") == parse_amount("100")


async def test_a_saved_card_tops_up_by_itself_within_limits_that_its_owner_sets(
    site: Site, server: TestServer
):
    assert site.deps.cards
    rounds = CardRounds(site.deps.cards)
    async with browser(server, "alice") as client:
        await _pay(client, save_card="yes")
        await _tell(client, "checkout.session.completed", site.paper.pay(_page_of(site)))
        await rounds.round()
        page = await (await client.get(TOP_UP)).text()
        limits = {"csrf": csrf_of(page), "threshold": "30", "auto_amount": "50"}
        limits |= {"month_max": "80", "agreed": "yes"}
        unwilling = await client.post(f"{TOP_UP}/auto", data=limits | {"agreed": ""})
        small = await client.post(f"{TOP_UP}/auto", data=limits | {"auto_amount": "10"})
        on = text_of(await (await client.post(f"{TOP_UP}/auto", data=limits)).text())
        await site.desk.wallet.adjust("alice", -parse_amount("95"), key="x", actor="t", memo="s")
        await rounds.round()
        after = text_of(await (await client.get(TOP_UP)).text())
        off = await client.post(f"{TOP_UP}/auto/off", data={"csrf": csrf_of(page)})
        gone = await client.post(f"{TOP_UP}/card/forget", data={"csrf": csrf_of(page)})

    assert "visa •••• 4242" in text_of(page)
    assert (unwilling.status, small.status) == (422, 422)
    assert "Your balance is topped up by itself from now on." in on
    assert "50.00 USD of at most 80.00 USD" in after
    assert "Nothing is charged by itself any more" in text_of(await off.text())
    assert "The card is forgotten" in text_of(await gone.text())
    assert await site.desk.spendable("alice") == parse_amount("75")


async def test_without_a_processor_the_page_says_so_and_how_to_set_one(site: Site):
    bare = replace(site, deps=replace(site.deps, cards=None))
    async with served(bare) as server, browser(server, "alice") as client:
        page = text_of(await (await client.get(TOP_UP)).text())
        paid = await client.post(
            f"{TOP_UP}/card", data={"csrf": csrf_of(await (await client.get(TOP_UP)).text())}
        )
        told = await client.post("/webhooks/stripe", data=b"{}")

    assert "no card processor is configured" in page
    assert "TALKMETER_STRIPE_SECRET_KEY" in page
    assert (paid.status, told.status) == (404, 404)


def test_a_start_without_cards_does_not_load_the_sdk():
    import subprocess
    import sys

    program = "import sys, ivr.app, ivr.payments.opening; print('stripe' in sys.modules)"
    root = Path(__file__).parents[3]

    found = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )

    assert found.stdout.strip() == "False"
