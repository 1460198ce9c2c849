"""The desk where cards are taken: the books on one side, the processor on the other.

Nothing is asked of the processor inside a unit of work: a row is written, the processor is asked
with the row's id as key, the answer is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import structlog

from billing.auto_top_ups import AutoTopUps
from billing.card_payments import CardPayments
from billing.clock import Clock, microseconds_of
from billing.domain.cards import CardPayment, Claim, Paid
from billing.errors import UnknownCardPayment
from billing.money import Micros
from ivr.payments.port import Event, Failed, Outcome, Processor

# Stripe keeps our keys for a day at least: until then the same charge may be asked for again.
REPEAT_US: Final = 23 * 3_600 * 1_000_000
GIVE_UP_US: Final = 49 * 3_600 * 1_000_000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class CardDesk:
    """What pages, webhook and job need to take cards. Amounts are in the account's currency."""

    processor: Processor
    payments: CardPayments
    autos: AutoTopUps
    clock: Clock
    minimum: Micros
    maximum: Micros
    presets: tuple[Micros, ...]
    # Where our pages are, as browsers see it; empty: as the request says.
    public_url: str = ""

    async def open_page(
        self,
        account: str,
        amount: Micros,
        *,
        key: str,
        saves_card: bool,
        title: str,
        back: str,
    ) -> CardPayment:
        """Make the processor's page for a payment, once per key; `back` ends where its id goes.

        Raises:
            CardsUnavailable: the processor does not answer; the same key may try again.

        """
        payment = await self.payments.begin(account, amount, key=key, saves_card=saves_card)
        if payment.state != "open" or payment.url:
            return payment
        page = await self.processor.create_checkout(payment, title=title, back=back + payment.id)
        return await self.payments.attach(payment.id, checkout=page.id, url=page.url)

    async def receive(self, event: Event) -> CardPayment | None:
        """Write down what the processor tells; None for a payment that is none of ours."""
        found: CardPayment | None
        try:
            match event:
                case Paid():
                    found = await self.payments.credit(event)
                case Failed():
                    found = await self.payments.fail(event.payment, event.reason, state=event.state)
                case Claim():
                    found = await self.payments.claim(event)
        except UnknownCardPayment:
            return None
        if found is not None:
            log.info(
                "card payment told", payment=found.id, told=type(event).__name__.lower(),
                state=found.state,
            )  # fmt: skip
        return found

    async def ask(self, payment: CardPayment) -> Outcome:
        """Ask what became of a payment and write it down.

        A charge without its owner is asked for again with its own key, which charges nothing twice.

        Raises:
            CardsUnavailable: the processor does not answer.

        """
        age_us = microseconds_of(self.clock.now()) - payment.created_us
        if payment.kind == "auto" and payment.state == "open" and age_us < REPEAT_US:
            outcome = await self._charge(payment)
        else:
            outcome = await self.processor.look(payment)
        await self._write(payment, outcome, age_us)
        return outcome

    async def charge(self, account: str) -> None:
        """Charge the saved card of an account, when it is due.

        Raises:
            CardsUnavailable: nobody knows whether it was charged; `ask` finds out later.

        """
        payment = await self.payments.begin_auto(account)
        if payment is not None:
            await self._write(payment, await self._charge(payment), 0)

    async def keep_card(self, payment: CardPayment) -> None:
        """Save the card of a payment that was made to be repeated.

        Raises:
            CardsUnavailable: the processor does not answer.

        """
        card = await self.processor.saved_card(payment)
        await self.autos.save(card, payment)

    async def _charge(self, payment: CardPayment) -> Outcome:
        card = await self.autos.find(payment.account)
        if card is None:
            # Its owner took it back; whether it was charged before, the processor knows.
            return await self.processor.look(payment)
        return await self.processor.charge_saved(payment, card)

    async def _write(self, payment: CardPayment, outcome: Outcome, age_us: int) -> None:
        match outcome.status:
            case "paid":
                await self.payments.credit(
                    Paid(
                        payment=payment.id,
                        intent=outcome.intent,
                        amount=outcome.amount,
                        currency=outcome.currency,
                    )
                )
            case "failed":
                await self.payments.fail(payment.id, outcome.reason)
            case "expired":
                await self.payments.fail(payment.id, outcome.reason, state="expired")
            case "unknown" | "pending":
                if age_us > GIVE_UP_US:
                    await self.payments.fail(payment.id, "it never ended", state="expired")
