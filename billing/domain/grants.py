"""How much of a session the money allows: the amount of a grant is never rate x slice.

    amount = cost(seconds in all) - what is held already

so that setup fee, minimum and tiers come out right. Where several sessions share a balance that
runs short, a slice is at most the fair part of what is left, but never less than one increment.

Talk that allowances cover comes on top: only what lies beyond it is priced, from the first tier on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from billing.domain.operations import Priced
from billing.money import Micros

# A block that costs nothing more is granted whole, up to this much beyond what was asked.
PLATEAU_SECONDS_MAX: Final = 600
ENDLESS: Final[Micros] = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A decision: hold `amount` in all for `seconds` in all."""

    seconds: int
    amount: Micros
    final: bool


def decide(
    table: Priced,
    *,
    asked_seconds: int,
    granted_seconds: int,
    granted_amount: Micros,
    spendable: Micros | None,
    holds: int,
    fair: bool,
) -> Slice | None:
    """Decide a grant; None when the money does not allow another increment.

    Args:
        table: The price of the session.
        asked_seconds: Wished total.
        granted_seconds: Held so far; 0 for the first grant.
        granted_amount: Held so far.
        spendable: What the account may still spend; None without a floor.
        holds: Open holds on the account, this one included.
        fair: Leave the other holds their part of what is left.

    """
    free = ENDLESS if spendable is None else spendable
    available = granted_amount + free
    first = granted_seconds + 1 if granted_seconds else table.first_seconds
    if table.cost(first) > available:
        return None
    limit = granted_amount + (free // max(holds, 1) if fair else free)
    limit = min(available, max(limit, table.cost(first)))
    wished = max(asked_seconds, first)
    amount = min(table.cost(wished), limit)
    seconds = table.affordable_seconds(amount, seconds_max=wished + PLATEAU_SECONDS_MAX)
    amount = table.cost(seconds)
    return Slice(seconds=seconds, amount=amount, final=table.cost(seconds + 1) > available)


def decide_beyond(
    table: Priced,
    *,
    asked_seconds: int,
    covered_seconds: int,
    newly_covered: int,
    granted_seconds: int,
    granted_amount: Micros,
    spendable: Micros | None,
    holds: int,
    fair: bool,
) -> Slice | None:
    """Decide what must be paid beyond covered talk; None when neither gives another second.

    Args:
        table: The price of what is not covered.
        asked_seconds: Wished total, covered or paid.
        covered_seconds: Held in allowances, the new ones included.
        newly_covered: Those that this grant adds.
        granted_seconds: Paid seconds held so far.
        granted_amount: Money held so far.
        spendable: What the account may still spend; None without a floor.
        holds: Open holds on the account, this one included.
        fair: Leave the other holds their part of what is left.

    """
    payable = asked_seconds - covered_seconds
    if newly_covered and payable <= granted_seconds:
        return Slice(seconds=granted_seconds, amount=granted_amount, final=False)
    decided = decide(
        table,
        asked_seconds=payable,
        granted_seconds=granted_seconds,
        granted_amount=granted_amount,
        spendable=spendable,
        holds=holds,
        fair=fair,
    )
    if decided is not None and decided.seconds > granted_seconds:
        return decided
    if newly_covered:
        return Slice(seconds=granted_seconds, amount=granted_amount, final=True)
    return None
