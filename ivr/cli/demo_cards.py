"""Card payments that never were, so that the pages about them are not empty in the demo.

No processor is configured there: what one would have told is written down as if it had.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from billing.card_payments import CardPayments
from billing.clock import ManualClock
from billing.domain.cards import Claim, Paid
from billing.money import Micros, parse_amount

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

ACCOUNT: Final = "alice"
CURRENCY: Final = "USD"
SUM: Final[Micros] = parse_amount("50")
# How many days ago, and what became of it.
PAYMENTS: Final = {21: "paid", 14: "refunded", 9: "expired", 5: "review"}


async def fill_cards(engine: AsyncEngine, today: datetime, *, days_ago: int) -> None:
    """Make up the payment of that day, if there was one."""
    fate = PAYMENTS.get(days_ago)
    if fate is None:
        return
    cards = CardPayments(engine=engine, clock=ManualClock(today - timedelta(days=days_ago)))
    payment = await cards.begin(ACCOUNT, SUM, key=f"demo-{fate}")
    if fate == "expired":
        await cards.fail(payment.id, "the page expired", state="expired")
        return
    intent = f"made-up-{fate}"
    came_in = SUM if fate != "review" else SUM // 2
    await cards.credit(Paid(payment=payment.id, intent=intent, amount=came_in, currency=CURRENCY))
    if fate == "refunded":
        back = parse_amount("20")
        await cards.claim(
            Claim(id=f"{intent}-back", intent=intent, kind="refund", amount=back, currency=CURRENCY)
        )
