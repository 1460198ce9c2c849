"""Cards from the page to the books through the real SDK, and charges without their owner."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.domain.cards import CardPayment, Claim, Paid
from billing.errors import InvalidInput
from billing.money import parse_amount
from ivr.payments.desk import CardDesk
from ivr.payments.port import CardsUnavailable, Failed, NotSigned
from ivr.payments.rounds import CardRounds
from ivr.payments.units import from_minor, to_minor
from tests.books import Desk, open_desk
from tests.doubles.paper_stripe import PaperStripe, message, signature
from tests.site import card_counter


@dataclass
class Counter:
    """A desk for cards over books, and Stripe on paper behind it."""

    desk: Desk
    cards: CardDesk
    paper: PaperStripe

    async def page(self, *, saves_card: bool = False, key: str = "form-1") -> CardPayment:
        return await self.cards.open_page(
            "alice", parse_amount("20"), key=key, saves_card=saves_card, title="Top-up",
            back="https://talk.example/account/topup/",
        )  # fmt: skip

    async def tell(self, kind: str, what: dict[str, Any]) -> CardPayment | None:
        body = message(kind, what)
        event = self.cards.processor.read_event(body, signature(body))
        return await self.cards.receive(event) if event else None

    async def spendable(self) -> str:
        return f"{await self.desk.spendable('alice') / 1_000_000:g}"

    async def with_card(self, *, threshold: str = "10", amount: str = "25", most: str = "100"):
        """Let alice have topped up with a card, saved it, and set limits."""
        page = await self.page(saves_card=True)
        await self.tell("checkout.session.completed", self.paper.pay(page.checkout or ""))
        await CardRounds(self.cards).round()
        return await self.cards.autos.set_limits(
            "alice", threshold=parse_amount(threshold), amount=parse_amount(amount),
            month_max=parse_amount(most),
        )  # fmt: skip

    async def spend(self, amount: str) -> None:
        await self.desk.wallet.adjust(
            "alice", -parse_amount(amount), key=f"{time.monotonic_ns()}", actor="test", memo="spent"
        )


@pytest.fixture
async def till(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Counter]:
    async with open_desk(engine, tmp_path) as desk:
        await desk.caller("alice", "5")
        paper = PaperStripe()
        yield Counter(desk=desk, cards=card_counter(desk, paper), paper=paper)


async def test_a_page_is_made_once_and_carries_our_id_back(till: Counter):
    first, again = await till.page(), await till.page()

    page = till.paper.objects[first.checkout or ""]
    assert first == again
    assert page["client_reference_id"] == page["metadata"]["payment"] == first.id
    assert page["success_url"] == f"https://talk.example/account/topup/{first.id}"
    assert (page["amount_total"], page["currency"], page["saves"]) == (2000, "usd", "")


async def test_a_processor_that_is_away_leaves_a_payment_that_the_same_form_goes_on_with(
    till: Counter,
):
    till.paper.away = True
    with pytest.raises(CardsUnavailable):
        await till.page()
    till.paper.away = False

    payment = await till.page()

    assert payment.url
    assert await till.spendable() == "5"


async def test_twenty_messages_at_once_about_one_page_credit_once(till: Counter):
    page = till.paper.pay((await till.page()).checkout or "")
    intent = till.paper.objects[page["payment_intent"]]

    await asyncio.gather(
        *(till.tell("checkout.session.completed", page) for _ in range(10)),
        *(till.tell("payment_intent.succeeded", intent) for _ in range(10)),
    )

    assert await till.spendable() == "25"
    assert await till.desk.proved()


async def test_another_amount_than_we_asked_for_is_for_review(till: Counter):
    page = till.paper.pay((await till.page()).checkout or "", amount=1)

    found = await till.tell("checkout.session.completed", page)

    assert found
    assert found.state == "review"
    assert await till.spendable() == "5"


async def test_a_message_that_got_lost_is_asked_for(till: Counter):
    payment = await till.page()
    till.paper.pay(payment.checkout or "")

    await CardRounds(till.cards).round()
    early = await till.spendable()
    till.desk.clock.advance(6 * 60)
    await CardRounds(till.cards).round()

    assert (early, await till.spendable()) == ("5", "25")


async def test_refund_and_dispute_take_it_back_and_a_dispute_that_is_won_returns_it(till: Counter):
    page = till.paper.pay((await till.page()).checkout or "")
    await till.tell("checkout.session.completed", page)
    charge = {
        "id": "ch_1", "payment_intent": page["payment_intent"], "amount_refunded": 500,
        "currency": "usd",
    }  # fmt: skip
    dispute = {
        "id": "dp_1", "payment_intent": page["payment_intent"], "amount": 1500,
        "currency": "usd", "status": "needs_response",
    }  # fmt: skip

    await till.tell("charge.refunded", charge)
    refunded = await till.spendable()
    await till.tell("charge.dispute.created", dispute)
    disputed = await till.spendable()
    await till.tell("charge.dispute.closed", dispute | {"status": "won"})

    assert (refunded, disputed, await till.spendable()) == ("20", "5", "20")
    assert await till.desk.proved()


def test_messages_are_believed_only_with_a_fresh_signature_of_the_processor(till: Counter):
    body = message("checkout.session.completed", {"payment_status": "unpaid"})
    read, now = till.cards.processor.read_event, int(time.time())

    assert read(body, signature(body, at=now - 200)) is None
    for wrong in (
        "", "t=1", f"t={now},v1=00", signature(body, secret="whsec_other"),
        signature(body, at=now - 400), signature(body + b" "),
    ):  # fmt: skip
        with pytest.raises(NotSigned):
            read(body, wrong)
    for junk in (b"{}", b"[]", b"\xff", b'{"object":"event","type":"charge.refunded"}'):
        with pytest.raises(NotSigned):
            read(junk, signature(junk) if junk != b"\xff" else "t=1,v1=0")


def test_messages_that_are_none_of_our_business_change_nothing(till: Counter):
    others = [
        ("customer.created", {"id": "cus_1"}),
        ("checkout.session.completed", {"payment_status": "paid", "payment_intent": "pi_x",
                                        "amount_total": 5, "currency": "usd", "metadata": {}}),
        ("payment_intent.payment_failed", {"metadata": {"payment": "p", "kind": "checkout"}}),
        ("charge.dispute.created", {"id": "d", "payment_intent": "pi", "amount": 5,
                                    "currency": "usd", "status": "warning_needs_response"}),
    ]  # fmt: skip
    for kind, what in others:
        body = message(kind, what)

        assert till.cards.processor.read_event(body, signature(body)) is None, kind


def test_messages_become_events_in_our_words(till: Counter):
    ours = {"metadata": {"payment": "p-1", "kind": "auto"}, "currency": "jpy"}
    cases: list[tuple[str, dict[str, Any], object]] = [
        ("payment_intent.succeeded", ours | {"id": "pi_1", "amount_received": 300},
         Paid(payment="p-1", intent="pi_1", amount=300_000_000, currency="JPY")),
        ("checkout.session.expired", ours,
         Failed(payment="p-1", reason="the page expired", state="expired")),
        ("payment_intent.payment_failed",
         ours | {"last_payment_error": {"decline_code": "insufficient_funds"}},
         Failed(payment="p-1", reason="the card was declined (insufficient funds)")),
        ("charge.dispute.funds_reinstated",
         {"id": "d", "payment_intent": "pi", "amount": 7, "currency": "jpy", "status": "lost"},
         Claim(id="d", intent="pi", kind="dispute", amount=7_000_000, currency="JPY", won=True)),
    ]  # fmt: skip
    for kind, what, expected in cases:
        body = message(kind, json.loads(json.dumps(what)))

        assert till.cards.processor.read_event(body, signature(body)) == expected


@pytest.mark.parametrize(
    ("currency", "amount", "minor"),
    [("USD", "12.34", 1234), ("JPY", "500", 500), ("KWD", "1.5", 1500)],
)
def test_amounts_are_whole_numbers_of_the_smallest_unit(currency: str, amount: str, minor: int):
    assert to_minor(parse_amount(amount), currency) == minor
    assert from_minor(minor, currency) == parse_amount(amount)
    with pytest.raises(InvalidInput):
        to_minor(parse_amount("1.005") if currency != "JPY" else parse_amount("0.5"), currency)


async def test_a_balance_below_the_threshold_is_charged_once_whoever_looks(till: Counter):
    await till.with_card()
    await till.spend("18")

    await asyncio.gather(*(till.cards.charge("alice") for _ in range(8)))
    await CardRounds(till.cards).round()

    assert len(till.paper.charges) == 1
    assert await till.spendable() == "32"
    assert await till.desk.proved()


async def test_a_charge_whose_answer_got_lost_is_repeated_with_its_own_key(till: Counter):
    await till.with_card()
    await till.spend("18")
    payment = await till.cards.payments.begin_auto("alice")
    card = await till.cards.autos.find("alice")
    assert payment
    assert card
    await till.cards.processor.charge_saved(payment, card)  # and the process died

    await CardRounds(till.cards).round()
    before = await till.spendable()
    till.desk.clock.advance(61)
    await CardRounds(till.cards).round()

    assert (before, await till.spendable()) == ("7", "32")
    assert len(till.paper.charges) == 1


async def test_after_a_day_a_lost_charge_is_looked_for_and_not_repeated(till: Counter):
    await till.with_card()
    await till.spend("18")
    payment = await till.cards.payments.begin_auto("alice")
    card = await till.cards.autos.find("alice")
    assert payment
    assert card
    await till.cards.processor.charge_saved(payment, card)
    till.paper.answers.clear()  # Stripe has forgotten the key

    till.desk.clock.advance(24 * 3600)
    await CardRounds(till.cards).round()

    assert await till.spendable() == "32"
    assert len(till.paper.charges) == 1


async def test_three_declines_switch_it_off_and_say_why(till: Counter):
    await till.with_card()
    await till.spend("18")
    till.paper.declines = "card_declined"
    rounds = CardRounds(till.cards)

    states = []
    for hours in (0, 0.5, 0.6, 1, 5.5, 24):
        till.desk.clock.advance(hours * 3600)
        await rounds.round()
        card = await till.cards.autos.find("alice")
        assert card
        states.append((card.failures, card.enabled))

    assert states == [(1, True), (1, True), (2, True), (2, True), (3, False), (3, False)]
    assert card.notice == "the card was declined (card declined)"
    assert await till.spendable() == "7"


async def test_a_month_has_a_maximum(till: Counter):
    await till.with_card(amount="25", most="50")
    for _ in range(3):
        await till.spend(await till.spendable())
        till.desk.clock.advance(120)
        await CardRounds(till.cards).round()

    spent = (len(till.paper.charges), await till.spendable())
    till.desk.clock.advance(31 * 86_400)
    await CardRounds(till.cards).round()

    assert spent == (2, "0")
    assert (len(till.paper.charges), await till.spendable()) == (3, "25")


async def test_nothing_is_charged_above_the_threshold_switched_off_or_blocked(till: Counter):
    await till.with_card()
    rounds = CardRounds(till.cards)
    await rounds.round()
    await till.cards.autos.switch_off("alice")
    await till.spend("18")
    await rounds.round()
    await till.cards.autos.set_limits(
        "alice", threshold=parse_amount("10"), amount=parse_amount("25"),
        month_max=parse_amount("50"),
    )  # fmt: skip
    await till.desk.wallet.set_status("alice", "blocked")
    await rounds.round()

    assert till.paper.charges == []


async def test_limits_must_make_sense_and_need_a_card(till: Counter):
    with pytest.raises(InvalidInput, match="no card"):
        await till.cards.autos.set_limits("alice", threshold=1, amount=2, month_max=3)
    await till.with_card()
    for threshold, amount, most in ((0, 5, 9), (6, 5, 9), (5, 5, 4)):
        with pytest.raises(InvalidInput):
            await till.cards.autos.set_limits(
                "alice", threshold=threshold, amount=amount, month_max=most
            )


async def test_a_card_that_is_forgotten_is_not_charged_again(till: Counter):
    await till.with_card()
    assert await till.cards.autos.forget("alice")
    await till.spend("18")

    await CardRounds(till.cards).round()

    assert till.paper.charges == []
    assert not await till.cards.autos.forget("alice")
