"""What the API reads and writes of payouts and of the parties that are paid."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from billing.domain.payouts import HOLD_BACK_DAYS_MAX, NAME_MAX
from ivr.web.api.models import Moment, Money, Output, Text
from ivr.web.api.paging import PageQuery
from ivr.web.api.periods import PeriodQuery
from ivr.web.fields import PAGE_SIZE, Code, CreditLimit, Input, Line, TopUpAmount

LISTED_MAX = 200
Party = Literal["client", "reseller", "referrer"]
Status = Literal["requested", "approved", "paid", "rejected"]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["USD"])]


class PayableQuery(Input):
    """Whose: one's own; an operator names a client, or a party and its account."""

    client: Code | None = None
    party: Party | None = None
    account: Code | None = None
    currency: Currency | None = None


class Payable(Output):
    """What a party has: `pending` is held back for a time, `payable` may be requested."""

    party: str
    account: str
    client: str | None = Field(description="The account, where the party is a client.")
    currency: str
    posted: Money
    pending: Money
    requested: Money
    payable: Money
    minimum: Money
    held: bool


class PayoutsQuery(PageQuery):
    """Which payouts; `party` and `account` are for operators."""

    status: Status | None = None
    party: Party | None = None
    account: Code | None = None
    limit: Annotated[int, Field(ge=1, le=LISTED_MAX)] = PAGE_SIZE


class NewPayout(Input):
    """A request in whole cents; without an amount for all that is payable."""

    client: Code | None = None
    party: Party | None = None
    account: Code | None = None
    currency: Currency | None = None
    amount: TopUpAmount | None = None


class Rejection(Input):
    """Why a payout is rejected; its money goes back to the party."""

    note: Text


class Payout(Output):
    """A payout."""

    id: str
    party: str
    account: str
    amount: Money
    currency: str
    status: Status
    requested_at: Moment
    requested_by: str | None
    decided_by: str | None
    paid_at: Moment | None
    note: str | None


class PayoutPage(Output):
    """A page of payouts, oldest first."""

    items: tuple[Payout, ...]
    next: str | None


class Movements(Output):
    """All movements of one kind."""

    kind: str
    count: int
    amount: Money


class PayoutDetail(Payout):
    """A payout and what it was taken from: opening + what moved = closing."""

    opening: Money
    moved: tuple[Movements, ...]
    closing: Money


class DueParty(Output):
    """A party that could be paid now."""

    party: str
    account: str
    currency: str
    payable: Money
    held: bool


class Due(Output):
    """Who could be paid now, of those with the largest balances, most first."""

    items: tuple[DueParty, ...]


class Bank(Input):
    """A bank account; blanks in IBAN and BIC do not count."""

    name: Annotated[Line, Field(max_length=NAME_MAX, json_schema_extra={"maxLength": NAME_MAX})] = (
        Field("", examples=["Acme Ltd"])
    )
    iban: Line = Field("", examples=["LT121000011101001000"])
    bic: Line = Field("", examples=["AGBLLT2X"])


class NewPayoutFile(Input):
    """A file for the bank: the currency of the payouts, and the account that pays them."""

    currency: Currency
    debtor: Bank


class BankView(Output):
    """A bank account."""

    name: str
    iban: str
    bic: str


class PayoutFile(Output):
    """A file for the bank; each payout is in one."""

    id: str
    currency: str
    debtor: BankView
    made_at: Moment
    made_by: str
    payouts: int
    total: Money


class Waiting(Output):
    """What is approved and in no file yet, in one currency."""

    currency: str
    payouts: int
    total: Money


class PayoutFiles(Output):
    """A page of files, newest first, and what waits for the next one."""

    waiting: tuple[Waiting, ...]
    items: tuple[PayoutFile, ...]
    next: str | None


class PartiesQuery(PageQuery):
    """Which parties; `q` is a part of a code."""

    q: Text | None = None
    party: Literal["reseller", "referrer"] | None = None


class PartyItem(Output):
    """A reseller or referrer in one currency, and the clients it has a part of."""

    party: str
    account: str
    currency: str
    clients: tuple[str, ...]
    pending: Money
    payable: Money
    held: bool


class Parties(Output):
    """A page of parties by kind, code and currency."""

    items: tuple[PartyItem, ...]
    next: str | None


class Soon(Output):
    """What becomes payable on a day, UTC."""

    day: date
    amount: Money


class PartyMoney(Output):
    """What a party has in one currency."""

    currency: str
    posted: Money
    pending: Money
    requested: Money
    payable: Money
    soon: tuple[Soon, ...]


class PartyHold(Output):
    """Since when nothing is paid to a party; why, and who said so, is for operators."""

    reason: str | None
    since: Moment
    by: str | None


class PartyTerms(Output):
    """When and where a party is paid."""

    hold_back_days: int
    minimum: Money
    bank: BankView


class EarnedItem(Output):
    """What a party got from one client; a referrer is not told what the client sold."""

    client: str
    currency: str
    calls: int | None
    gross: Money | None
    amount: Money


class EarnedQuery(PeriodQuery):
    """Which days."""


class Earned(Output):
    """What a party earned, by client, most first."""

    party: str
    account: str
    first: date
    last: date
    items: tuple[EarnedItem, ...]


class PartyView(Output):
    """A party: what it has, when and where it is paid, and from whom it earns."""

    party: str
    account: str
    held: PartyHold | None
    terms: PartyTerms
    money: tuple[PartyMoney, ...]
    earned: tuple[EarnedItem, ...]


class TermsEdit(Input):
    """When and where a party is paid, from its next payout on."""

    hold_back_days: Annotated[int, Field(ge=0, le=HOLD_BACK_DAYS_MAX)]
    minimum: CreditLimit = 0
    bank: Bank = Bank(name="", iban="", bic="")


class NewHold(Input):
    """Why payouts of a party are held."""

    reason: Text


class StatementQuery(PeriodQuery):
    """Which days, and which currency of the party; its first when none is named."""

    currency: Currency | None = None


class DayMovements(Output):
    """All movements of one kind on one day, UTC."""

    day: date
    kind: str
    count: int
    amount: Money


class PartyStatement(Output):
    """What moved on an account of a party: opening + items = closing."""

    party: str
    account: str
    currency: str
    first: date
    last: date
    opening: Money
    items: tuple[DayMovements, ...]
    closing: Money


class FilesQuery(PageQuery):
    """Paging, newest first."""

    limit: Annotated[int, Field(ge=1, le=LISTED_MAX)] = PAGE_SIZE
