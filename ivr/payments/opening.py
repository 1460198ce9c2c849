"""Opens the desk for cards, where the settings name a processor, and its job."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncEngine

from billing.auto_top_ups import AutoTopUps
from billing.card_payments import CardPayments
from billing.clock import Clock
from billing.money import parse_amount
from ivr.payments.desk import CardDesk
from ivr.payments.rounds import CardRounds
from ivr.payments.stripe_processor import StripeProcessor
from ivr.settings import Settings
from ivr.supervision import Job


def card_desk(settings: Settings, engine: AsyncEngine, clock: Clock) -> CardDesk | None:
    """Build the desk; None where no processor is configured."""
    secret_key = settings.stripe_secret_key.get_secret_value()
    if not secret_key:
        return None
    return CardDesk(
        processor=StripeProcessor(
            secret_key=secret_key,
            webhook_secret=settings.stripe_webhook_secret.get_secret_value(),
        ),
        payments=CardPayments(engine=engine, clock=clock),
        autos=AutoTopUps(engine=engine, clock=clock),
        clock=clock,
        minimum=parse_amount(settings.card_minimum),
        maximum=parse_amount(settings.card_maximum),
        presets=tuple(parse_amount(preset) for preset in settings.card_presets),
        public_url=settings.public_url,
    )


def card_jobs(desk: CardDesk | None) -> dict[str, Job]:
    """Name the job that looks after cards; none where no processor is configured."""
    return {"cards": CardRounds(desk).run} if desk else {}
