"""Daily sums of what was sold, and of what moved on the accounts of parties, by days in UTC.

A sale belongs to the day on which its talk ended, a movement to that of its transfer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from billing.domain.operations import Settle, Sold
from billing.domain.rows import TransferRow
from billing.money import Micros

DAY_US: Final = 86_400 * 1_000_000

# What an agent's sum is of, and the kinds of party whose shares it lists.
AgentKey: TypeAlias = tuple[int, str, str, str, str, str]
"""Day, client, agent, service, detail and currency."""
AGENT_SHARES: Final = ("client", "provider", "reseller", "referrer", "tax")

Key: TypeAlias = tuple[int, str, str, str, int, str]
"""Day, client, service, detail, tariff version and currency."""
PartyKey: TypeAlias = tuple[int, int, str]
"""Account id, day and kind of transfer."""


@dataclass(slots=True, kw_only=True)
class Sums:
    """What a batch adds.

    `revenue` is sessions, talk in microseconds, billed seconds and gross; `shares` is by party;
    `agents` is as `revenue`, and then what each kind of party got. `parties` is how often and how
    much each kind of transfer moved the account of a party.
    """

    revenue: dict[Key, tuple[int, int, int, Micros]] = field(default_factory=dict)
    shares: dict[tuple[Key, str, str], Micros] = field(default_factory=dict)
    agents: dict[AgentKey, list[int]] = field(default_factory=dict)
    parties: dict[PartyKey, tuple[int, Micros]] = field(default_factory=dict)

    def add(self, operation: Settle, sold: Sold) -> None:
        """Count one settlement."""
        result, account = operation.result, operation.account
        day = result.ended_us - result.ended_us % DAY_US
        key = (
            day, sold.client, sold.service, sold.detail, sold.tariff_version_id, account.currency
        )  # fmt: skip
        count, talk_us, seconds, gross = self.revenue.get(key, (0, 0, 0, 0))
        self.revenue[key] = (
            count + 1,
            talk_us + result.talk_us,
            seconds + result.billed_seconds,
            gross + operation.amount,
        )
        for part in operation.parts:
            if part.amount:
                place = (key, part.kind, part.account)
                self.shares[place] = self.shares.get(place, 0) + part.amount
        self._add_agent(operation, sold, day)

    def _add_agent(self, operation: Settle, sold: Sold, day: int) -> None:
        result = operation.result
        currency = operation.account.currency
        key = (day, sold.client, result.agent, sold.service, sold.detail, currency)
        amounts = dict.fromkeys(AGENT_SHARES, 0)
        for part in operation.parts:
            if part.kind in amounts:
                amounts[part.kind] += part.amount
        added = (1, result.talk_us, result.billed_seconds, operation.amount, *amounts.values())
        sums = self.agents.setdefault(key, [0] * len(added))
        for place, number in enumerate(added):
            sums[place] += number

    def add_entry(self, account_id: int, transfer: TransferRow, amount: Micros) -> None:
        """Count an entry on the account of a party."""
        key = (account_id, transfer.at_us - transfer.at_us % DAY_US, transfer.kind)
        count, moved = self.parties.get(key, (0, 0))
        self.parties[key] = (count + 1, moved + amount)

    def revenue_rows(self) -> Iterator[tuple[int | str, ...]]:
        """List rows to add, in one order for all programs: none waits for another in a circle."""
        for key in sorted(self.revenue):
            yield (*key, *self.revenue[key])

    def agent_rows(self) -> Iterator[tuple[int | str, ...]]:
        """List rows to add, as above."""
        for key in sorted(self.agents):
            yield (*key, *self.agents[key])

    def party_rows(self) -> Iterator[tuple[int | str, ...]]:
        """List rows to add, as above."""
        for key in sorted(self.parties):
            yield (*key, *self.parties[key])

    def share_rows(self) -> Iterator[tuple[int | str, ...]]:
        """List rows to add, as above."""
        for key, kind, account in sorted(self.shares):
            yield (*key, kind, account, self.shares[key, kind, account])
