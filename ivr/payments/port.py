"""What the rest of the house asks of a processor of cards, whoever it is.

    create_checkout   a page of the processor where somebody pays; card numbers never reach us
    charge_saved      a charge without the card's owner, who agreed to it before
    look              what became of a payment, when nobody told us
    saved_card        which card a payment was made with
    read_event        what the processor tells us by itself, proved by its signature

Every call that moves money carries our id of the payment as its key: twice is once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from billing.domain.cards import CardPayment, Claim, Paid, SavedCard
from billing.errors import BillingError
from billing.money import Micros


class CardsUnavailable(BillingError):
    """The processor does not answer, or refuses our request; nothing is known. Facts: reason."""

    code = "cards_unavailable"
    sentence = "the card processor does not answer: {reason}"


class NotSigned(BillingError):
    """A message that the processor did not sign, or long ago. Facts: reason."""

    code = "not_signed"
    sentence = "the message is not signed by the processor: {reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of the processor: its id there, and its address."""

    id: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a payment. `pending`: it is not decided; `unknown`: it never began."""

    status: Literal["paid", "failed", "expired", "pending", "unknown"]
    intent: str = ""
    amount: Micros = 0
    currency: str = ""
    reason: str = ""
    # Of the amount, what went back to the card's owner, as the processor sees it.
    returned: Micros = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The processor says that a payment did not come in."""

    payment: str
    reason: str
    state: Literal["failed", "expired"] = "failed"


Event: TypeAlias = Paid | Failed | Claim


class Processor(Protocol):
    """A processor of cards.

    Raises everywhere but in `read_event`:
        CardsUnavailable: nothing is known of what was asked for.
    """

    name: str

    async def create_checkout(self, payment: CardPayment, *, title: str, back: str) -> Page:
        """Make a page where a payment is made; `back` is the address that it leads back to."""
        ...

    async def charge_saved(self, payment: CardPayment, card: SavedCard) -> Outcome:
        """Charge a saved card without its owner."""
        ...

    async def look(self, payment: CardPayment) -> Outcome:
        """Ask what became of a payment."""
        ...

    async def saved_card(self, payment: CardPayment) -> SavedCard | None:
        """Return the card that a payment was made with, when it may be charged again."""
        ...

    def read_event(self, body: bytes, signature: str) -> Event | None:
        """Read a message; None for one that is not about us.

        Raises:
            NotSigned: it does not come from the processor.

        """
        ...
