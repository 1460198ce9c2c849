"""What the API reads and writes when somebody cares for an account."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator

from ivr.directory.model import PIN
from ivr.web.api.models import Moment, Money, Output
from ivr.web.fields import CreditLimit, Input, Line, Number, TopUpAmount

Reason = Annotated[Line, Field(min_length=1)]
PlanName = Annotated[Line, Field(min_length=1, max_length=64, json_schema_extra={"maxLength": 64})]


class Adjustment(Input):
    """A correction of the balance. The header Idempotency-Key makes it safe to send again."""

    direction: Literal["credit", "debit"]
    amount: TopUpAmount
    reason: Reason


class Adjusted(Output):
    """A correction as booked; `amount` is negative where money was taken."""

    transfer_id: str
    account: str
    amount: Money
    balance: Money
    currency: str
    replayed: bool


class NewStatus(Input):
    """Whether the account may spend."""

    status: Literal["active", "blocked"]


class NewCreditLimit(Input):
    """How much more than it has a postpaid account may spend."""

    credit_limit: CreditLimit


class PhoneChange(Input):
    """A phone that is added or removed; doing it twice changes nothing more."""

    number: Number
    change: Literal["add", "remove"] = "add"


class NewPin(Input):
    """A PIN to be set; without one, one is drawn and answered this once."""

    pin: Annotated[SecretStr, Field(json_schema_extra={"pattern": f"^{PIN.pattern}$"})] | None = (
        None
    )

    @field_validator("pin")
    @classmethod
    def _digits(cls, pin: SecretStr | None) -> SecretStr | None:
        if pin is not None and not PIN.fullmatch(pin.get_secret_value()):
            raise ValueError("a PIN is 4 to 12 digits")
        return pin


class PinSet(Output):
    """The PIN is set, and a lockout lifted; `pin` only where it was drawn."""

    account: str
    pin: str | None


class Access(Output):
    """How a caller gets in; `locked_until` while wrong PINs lock the account."""

    account: str
    phones: tuple[str, ...]
    has_pin: bool
    wrong_pins: int
    locked_until: Moment | None
    language: str | None


class PlanChange(Input):
    """What becomes of the plan: begun, changed, ended with the month or now."""

    what: Literal["subscribe", "change", "end", "end_now"]
    plan: PlanName | None = None
    payment: Literal["monthly", "quarterly", "annual"] | None = None
