"""What the API reads and writes. Amounts are decimal strings, moments ISO 8601 in UTC."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from ivr.directory.model import PIN
from ivr.web.api.paging import PageQuery
from ivr.web.api.periods import PeriodQuery
from ivr.web.fields import (
    Code,
    CreditLimit,
    Day,
    Input,
    Line,
    Number,
    TopUpAmount,
)
from ivr.web.queries.account_search import AccountFilter

Money = Annotated[str, Field(description="A decimal string.", examples=["12.50"])]
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Text = Annotated[Line, Field(min_length=1)]


class Output(BaseModel):
    """Base of answers."""

    # What a broken answer holds is not for the log.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class CallsQuery(PageQuery):
    """Which calls."""

    did: Number | None = None
    account: Code | None = None
    client: Code | None = None
    outcome: Literal["talked", "free", "review"] | None = None
    first: Day | None = Field(None, alias="from", description="First day of the start, UTC.")
    last: Day | None = Field(None, alias="to", description="Last day of the start, UTC.")


class AccountsExportQuery(Input):
    """Which accounts; `q` begins a code, an account number, a phone or a title."""

    q: Text | None = None
    status: Literal["active", "blocked"] | None = None
    mode: Literal["prepaid", "postpaid"] | None = None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    plan: Text | None = None
    below: CreditLimit | None = Field(None, description="Can spend less than this.")

    def wanted(self) -> AccountFilter:
        """Return the filter for the query."""
        return AccountFilter(
            text=self.q,
            status=self.status,
            mode=self.mode,
            currency=self.currency,
            plan=self.plan,
            below=self.below,
        )


class AccountsQuery(AccountsExportQuery, PageQuery):
    """Which accounts, page by page."""


class SplitQuery(PeriodQuery):
    """Which revenue."""

    client: Code | None = None


class NewAccount(Input):
    """A caller's account to be opened."""

    account: Code
    mode: Literal["prepaid", "postpaid"] = "prepaid"
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    credit_limit: CreditLimit = 0
    phones: Annotated[tuple[Number, ...], Field(max_length=20)] = ()
    pin: Annotated[SecretStr, Field(json_schema_extra={"pattern": f"^{PIN.pattern}$"})] | None = (
        None
    )

    @field_validator("pin")
    @classmethod
    def _digits(cls, pin: SecretStr | None) -> SecretStr | None:
        if pin is not None and not PIN.fullmatch(pin.get_secret_value()):
            raise ValueError("a PIN is 4 to 12 digits")
        return pin


class TopUp(Input):
    """Money to be added. The header Idempotency-Key makes it safe to send again."""

    amount: TopUpAmount
    reason: Text | None = None


class NewRefund(Input):
    """Money to be given back; all that is left of the call without an amount.

    By `goodwill` the provider pays alone and all parties keep their shares.
    """

    amount: TopUpAmount | None = None
    reason: Text
    goodwill: bool = False


class Share(Output):
    """What one party got of a call."""

    party: str
    account: str
    amount: Money


class Refund(Output):
    """Money given back for a call; `parts` says by whom."""

    transfer_id: str
    call_id: str
    account: str
    kind: Literal["refund", "goodwill"]
    amount: Money
    currency: str
    reason: str
    parts: tuple[Share, ...]
    at: Moment
    replayed: bool


class ChargeLine(Output):
    """One summand of a cost; seconds and price only where time was priced."""

    label: str
    seconds: int | None
    price: Money | None
    per_seconds: int | None
    amount: Money


class Call(Output):
    """A call. What the asker may not know is null: a client the balances, a caller the split."""

    call_id: str
    did: str
    client: str | None
    topic: str | None
    account: str | None
    caller: str
    state: str
    end_reason: str | None
    started_at: Moment
    answered_at: Moment | None
    ended_at: Moment | None
    talk_seconds: float
    billed_seconds: int
    cost: Money
    currency: str | None
    balance_before: Money | None
    balance_after: Money | None
    tariff: str | None
    tariff_version: int | None
    review: bool


class CallDetail(Call):
    """A call with the lines of its cost and its split."""

    lines: tuple[ChargeLine, ...] | None
    split: tuple[Share, ...] | None


class Calls(Output):
    """A page of calls, newest first; `next` is null on the last one."""

    items: tuple[Call, ...]
    next: str | None


class LiveCall(Output):
    """A call at this moment, with what its talk costs so far."""

    id: str
    did: str
    client: str
    topic: str
    account: str
    caller: str
    state: str
    asking: str
    started_at: Moment
    talk_seconds: float
    granted_seconds: int
    cost: Money
    currency: str


class LiveCalls(Output):
    """All live calls, oldest first."""

    items: tuple[LiveCall, ...]


class HangUpAsked(Output):
    """The switch was asked to end the call; it ends within moments and is settled then."""

    call_id: str


class Account(Output):
    """A caller's account. `spendable` is balance - held + credit limit."""

    account: str
    number: str
    mode: str
    status: str
    currency: str
    balance: Money
    held: Money
    credit_limit: Money
    spendable: Money


class Accounts(Output):
    """A page of accounts by code."""

    items: tuple[Account, ...]
    next: str | None


class ToppedUp(Output):
    """A top-up as booked; `replayed` says that the key had been used for it before."""

    transfer_id: str
    account: str
    amount: Money
    balance: Money
    currency: str
    replayed: bool


class StatementLine(Output):
    """One movement of an account."""

    seq: int
    at: Moment
    kind: str
    reference: str | None
    memo: str | None
    actor: str | None
    amount: Money
    balance_after: Money


class Statement(Output):
    """A page of movements, newest first."""

    account: str
    currency: str
    items: tuple[StatementLine, ...]
    next: str | None


class SplitRow(Output):
    """What one DID and topic earned."""

    client: str
    did: str
    topic: str
    currency: str
    calls: int
    billed_seconds: int
    gross: Money
    shares: dict[str, Money]


class SplitReport(Output):
    """Revenue and its split, both days included."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)

    first: date = Field(serialization_alias="from")
    last: date = Field(serialization_alias="to")
    rows: tuple[SplitRow, ...]
