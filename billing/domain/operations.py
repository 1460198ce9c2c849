"""What can be asked of the ledger, and what it answers. Values only; `book` decides.

    OpenHold -> Grant      Settle -> Settled      Void -> Voided
    ExtendHold -> Grant                           Expire -> Voided
    Post -> Posted         (top-ups, adjustments, refunds: any transfer that is not a settlement)

Each operation is idempotent by what identifies it: the hold and its step, or the key of a transfer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from billing.domain.splits import Part, Share
from billing.money import Micros


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class AccountRef:
    """Names an account: callers must exist, all other kinds come to be when first named."""

    kind: str
    code: str
    currency: str


class Priced(Protocol):
    """What a hold must know of a price; `RateTable` is one."""

    first_seconds: int

    def cost(self, seconds: int) -> Micros:
        """Price so many seconds."""
        ...

    def affordable_seconds(self, amount: Micros, *, seconds_max: int) -> int:
        """Return the longest session that costs no more than `amount`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Sold:
    """What a session sells: the key of its daily sums, but for the day."""

    client: str
    service: str
    detail: str
    tariff_version_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """What is written down of a session when its hold opens."""

    client: str
    service: str
    detail: str | None
    tariff_version_id: int
    timezone: str
    shares: tuple[Share, ...]

    @property
    def sold(self) -> Sold:
        """What it sells."""
        return Sold(
            client=self.client,
            service=self.service,
            detail=self.detail or "",
            tariff_version_id=self.tariff_version_id,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenHold:
    """Hold the first slice of a session; `seconds` is what is wished for.

    `cover` names the allowances that pay before money does, in burning order.
    """

    hold_id: str
    account: AccountRef
    table: Priced
    seconds: int
    at_us: int
    expires_us: int
    fair: bool = True
    session: SessionRow | None = None
    cover: tuple[AccountRef, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendHold:
    """Hold more: `seconds` is the wished total, `step` the number of this grant."""

    hold_id: str
    account: AccountRef
    step: int
    table: Priced
    seconds: int
    expires_us: int
    proven_us: int = 0
    fair: bool = True
    cover: tuple[AccountRef, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What is held in all; `final` says that the money allows no more.

    Of `seconds`, allowances cover `covered_seconds` and `amount` pays the rest. Beyond the grant
    there is `spendable` (None: without a floor) and so many seconds that allowances may cover.
    """

    hold_id: str
    step: int
    seconds: int
    amount: Micros
    final: bool
    covered_seconds: int = 0
    spendable: Micros | None = None
    coverable_seconds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionResult:
    """How a session ended, for its row."""

    started_us: int
    ended_us: int
    talk_us: int
    billed_seconds: int
    evidence: str
    review: bool = False
    note: str | None = None
    tax: Micros = 0
    # Who gave the service, where that is known: sums are kept by it, too.
    agent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """End a hold: debit `amount`, credit `parts`, release the rest, in one transfer.

    Seconds that allowances covered are drawn from them in the same transaction.
    """

    hold_id: str
    account: AccountRef
    transfer_id: str
    amount: Micros
    parts: tuple[Part, ...]
    at_us: int
    result: SessionResult
    cover: tuple[AccountRef, ...] = ()
    covered_seconds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A settlement and the balance around it."""

    amount: Micros
    balance_before: Micros
    balance_after: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Void:
    """End a hold without a debit."""

    hold_id: str
    account: AccountRef
    at_us: int
    note: str
    cover: tuple[AccountRef, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Expire:
    """End a hold whose time is over and that nobody ended, without a debit."""

    hold_id: str
    account: AccountRef
    at_us: int
    note: str = "expired"
    cover: tuple[AccountRef, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Voided:
    """A hold that cost nothing."""

    hold_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedEntry:
    """One line of a transfer."""

    account: AccountRef
    amount: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """Move money between accounts; the entries add up to zero."""

    key: str
    transfer_id: str
    kind: str
    entries: tuple[PostedEntry, ...]
    at_us: int
    memo: str | None = None
    actor: str | None = None
    reference: str | None = None
    reverses: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A transfer that stands in the ledger; `replayed` says that it stood there before."""

    transfer_id: str
    replayed: bool
    balances: dict[AccountRef, Micros] = field(default_factory=dict)


Operation: TypeAlias = OpenHold | ExtendHold | Settle | Void | Expire | Post
Answer: TypeAlias = Grant | Settled | Voided | Posted
