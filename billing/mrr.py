"""Monthly recurring revenue: what subscriptions that are paid bring each month, and how it moves.

    new | back    a subscription is paid for the first time, or again after it was not
    expansion | contraction    another plan, more or fewer add-ons
    churned       cancelled, or no longer paid

A change is noted in the transaction that makes it, so a month can be read for ever after.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import case, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.money import Micros
from billing.reports import Span
from billing.storage.plan_rows import Subscription, fee_of
from billing.storage.plan_tables import mrr_changes

KINDS: Final = ("new", "back", "expansion", "contraction", "churned")


@dataclass(frozen=True, slots=True, kw_only=True)
class MrrRow:
    """How recurring revenue of one currency moved in a span; `moves` is by `KINDS`.

    `kept` is what the subscriptions of the beginning bring at the end, `kept_at_most` the same
    without what any of them grew.
    """

    currency: str
    opening: Micros
    moves: dict[str, Micros]
    kept: Micros
    kept_at_most: Micros
    subscriptions: int
    lost: int

    @property
    def closing(self) -> Micros:
        """What they bring at the end."""
        return self.opening + sum(self.moves.values())

    @property
    def net_retention_basis_points(self) -> int | None:
        """Net revenue retention (NRR) in parts of 10,000; None where there was nothing to keep."""
        return self.kept * 10_000 // self.opening if self.opening else None

    @property
    def gross_retention_basis_points(self) -> int | None:
        """Gross revenue retention (GRR), which no growth can make up for."""
        return self.kept_at_most * 10_000 // self.opening if self.opening else None

    @property
    def churn_basis_points(self) -> int | None:
        """Subscriptions that were lost, of 10,000 that there were."""
        return self.lost * 10_000 // self.subscriptions if self.subscriptions else None


async def note_mrr(connection: AsyncConnection, subscription: Subscription, at_us: int) -> None:
    """Note what a subscription brings from now on, where that changed; it is locked."""
    last = (
        await connection.execute(
            select(mrr_changes.c.mrr)
            .where(mrr_changes.c.subscription == subscription.id)
            .order_by(mrr_changes.c.id.desc())
            .limit(1)
        )
    ).first()
    before = last.mrr if last else 0
    active = subscription.state == "active"
    after = fee_of(subscription, subscription.months) // subscription.months if active else 0
    if after == before:
        return
    if before == 0:
        kind = "back" if last else "new"
    elif after == 0:
        kind = "churned"
    else:
        kind = "expansion" if after > before else "contraction"
    await connection.execute(
        insert(mrr_changes),
        {
            "subscription": subscription.id, "plan": subscription.plan.name,
            "currency": subscription.plan.currency, "kind": kind,
            "difference": after - before, "mrr": after, "at_us": at_us,
        },
    )  # fmt: skip


async def recurring_revenue(connection: AsyncConnection, span: Span) -> list[MrrRow]:
    """Sum what moved in a span, per currency."""
    changes = mrr_changes.c
    until = changes.at_us < span.until_us
    opening = func.sum(case((changes.at_us < span.from_us, changes.difference), else_=0))
    closing = func.sum(changes.difference)
    each = (
        select(changes.currency, opening.label("opening"), closing.label("closing"))
        .where(until)
        .group_by(changes.currency, changes.subscription)
        .subquery()
    )
    there = each.c.opening > 0
    grown = each.c.closing > each.c.opening
    cohorts = await connection.execute(
        select(
            each.c.currency,
            func.sum(each.c.opening).label("opening"),
            func.sum(case((there, each.c.closing), else_=0)).label("kept"),
            func.sum(case((there & grown, each.c.opening), (there, each.c.closing), else_=0)).label(
                "kept_at_most"
            ),
            func.sum(case((there, 1), else_=0)).label("subscriptions"),
            func.sum(case((there & (each.c.closing == 0), 1), else_=0)).label("lost"),
        )
        .group_by(each.c.currency)
        .order_by(each.c.currency)
    )
    moves = await connection.execute(
        select(changes.currency, changes.kind, func.sum(changes.difference).label("difference"))
        .where(until, changes.at_us >= span.from_us)
        .group_by(changes.currency, changes.kind)
    )
    moved = {(row.currency, row.kind): int(row.difference) for row in moves}
    return [
        MrrRow(
            currency=row.currency,
            opening=int(row.opening),
            moves={kind: moved.get((row.currency, kind), 0) for kind in KINDS},
            kept=int(row.kept),
            kept_at_most=int(row.kept_at_most),
            subscriptions=int(row.subscriptions),
            lost=int(row.lost),
        )
        for row in cohorts
    ]
