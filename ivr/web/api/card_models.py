"""What the API reads and writes of card payments, kept cards, and what a caller proves."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator

from ivr.directory.model import PIN
from ivr.web.api.models import Moment, Money, Output, Text
from ivr.web.api.paging import PageQuery
from ivr.web.fields import Code, Input, Number, TopUpAmount

PROOF_MAX = 64
State = Literal["open", "paid", "failed", "expired", "review", "closed"]
PinText = Annotated[SecretStr, Field(json_schema_extra={"pattern": f"^{PIN.pattern}$"})]
Proof = Annotated[
    SecretStr,
    Field(
        description="The PIN as it is now.",
        json_schema_extra={"maxLength": PROOF_MAX},
        max_length=PROOF_MAX,
    ),
]


class CardPaymentsQuery(PageQuery):
    """Which payments; `back`: something went back, `owed`: not all of that could be taken."""

    state: State | Literal["back", "owed"] | None = None
    account: Code | None = None


class CardPaymentView(Output):
    """A card payment. `url` is the processor's page, while it is open; for its caller alone.

    `owed` is what went back to the card and could not be taken from the balance.
    """

    id: str
    account: str
    amount: Money
    currency: str
    kind: str
    state: str
    url: str | None
    saves_card: bool
    transfer_id: str | None
    went_back: Money
    owed: Money
    disputed: bool
    reason: str | None
    created_at: Moment
    ended_at: Moment | None


class CardPayments(Output):
    """A page of payments, newest first."""

    items: tuple[CardPaymentView, ...]
    next: str | None


class NewCardPayment(Input):
    """Money to be paid by card, on the processor's page; `save_card` keeps it for auto top-up."""

    amount: TopUpAmount
    save_card: bool = False


class Compared(CardPaymentView):
    """A payment beside what the processor says of it."""

    processor_says: Literal["paid", "failed", "expired", "pending", "unknown"]
    processor_amount: Money
    agrees: bool


class Closing(Input):
    """What was decided about a payment for review."""

    note: Text


class AutoTopUp(Input):
    """Limits of charges without the card's owner, who agrees to them."""

    threshold: TopUpAmount = Field(description="Below this balance the card is charged.")
    amount: TopUpAmount = Field(description="So much is charged.")
    month_max: TopUpAmount = Field(description="At most so much in a calendar month.")
    agreed: Literal[True]


class KeptCard(Output):
    """The card that is kept, by its last digits, and the limits of charges by itself."""

    account: str
    card: str | None = Field(description="Null where none is kept.")
    enabled: bool
    threshold: Money | None
    amount: Money | None
    month_max: Money | None
    charged_this_month: Money
    failures: int
    notice: str | None


class PinChange(Input):
    """A new PIN, proved by the one of now."""

    pin: PinText
    current_pin: Proof

    @field_validator("pin")
    @classmethod
    def _digits(cls, pin: SecretStr) -> SecretStr:
        if not PIN.fullmatch(pin.get_secret_value()):
            raise ValueError("a PIN is 4 to 12 digits")
        return pin


class PhoneRemoval(Input):
    """A phone that is taken back, proved by the PIN."""

    number: Number
    current_pin: Proof


class PinChanged(Output):
    """The PIN is changed; whoever came in with the old one is out."""

    account: str
