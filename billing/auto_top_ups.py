"""Saved cards that are charged by themselves when the balance falls below a threshold.

    balance < threshold ──▶ one charge ──paid──▶ balance ≥ threshold
                               └─ declined: wait an hour, six, then it is switched off

A charge is a card payment of kind `auto`; its owner is the row of the card, which is locked while
one begins. Nothing here talks to the processor.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Row, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import Clock, microseconds_of, moment_of
from billing.domain.cards import FAILURES_MAX, CardPayment, SavedCard
from billing.errors import InvalidInput
from billing.money import Micros
from billing.storage.card_tables import card_payments, saved_cards
from billing.storage.invoice_rows import writing
from billing.storage.tables import accounts

HOUR_US: Final = 3_600 * 1_000_000
# After the first and the second failure.
PAUSES_US: Final = (HOUR_US, 6 * HOUR_US)
# After a charge, so that a balance that falls at once is not charged at every look.
REST_US: Final = 60 * 1_000_000
NOTICE_MAX: Final = 200


class AutoTopUps:
    """The use-cases of saved cards."""

    def __init__(self, *, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def find(self, account: str) -> SavedCard | None:
        """Read the saved card of an account."""
        query = select(saved_cards).where(saved_cards.c.account == account)
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
        return _card(row) if row else None

    async def save(self, card: SavedCard | None, payment: CardPayment) -> None:
        """Keep the card that a payment was made with; limits stay, failures are forgotten.

        The payment is marked as done with it, in the same transaction. None is a card that cannot
        be charged again.
        """
        mine = card_payments.c.id == payment.id
        kept = update(card_payments).where(mine).values(saves_card=False)
        if card is None:
            async with writing(self._engine) as connection:
                await connection.execute(kept)
            return
        now_us = microseconds_of(self._clock.now())
        values = {"customer": card.customer, "method": card.method, "label": card.label}
        row = values | {
            "account": card.account, "enabled": False, "threshold": 0, "amount": 0,
            "month_max": 0, "failures": 0, "next_us": 0, "changed_us": now_us,
        }  # fmt: skip
        fresh = values | {"failures": 0, "notice": None, "next_us": 0, "changed_us": now_us}
        async with writing(self._engine) as connection:
            dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
            await connection.execute(
                dialect.insert(saved_cards)
                .values(row)
                .on_conflict_do_update(index_elements=[saved_cards.c.account], set_=fresh)
            )
            await connection.execute(kept)

    async def set_limits(
        self, account: str, *, threshold: Micros, amount: Micros, month_max: Micros
    ) -> SavedCard:
        """Switch it on within limits; whoever does so begins without failures.

        Raises:
            InvalidInput: no card is saved, or limits that make no sense.

        """
        if threshold <= 0:
            raise InvalidInput(reason="the threshold is more than zero")
        if amount < threshold:
            raise InvalidInput(reason="the amount is at least the threshold, so that one is enough")
        if month_max < amount:
            raise InvalidInput(reason="the maximum of a month is at least the amount")
        return await self._change(
            account, enabled=True, threshold=threshold, amount=amount, month_max=month_max,
            failures=0, next_us=0, notice=None,
        )  # fmt: skip

    async def switch_off(self, account: str) -> SavedCard:
        """Switch it off and keep the card.

        Raises:
            InvalidInput: no card is saved.

        """
        return await self._change(account, enabled=False, notice=None)

    async def forget(self, account: str) -> bool:
        """Forget the card; a charge that has begun is still credited."""
        async with writing(self._engine) as connection:
            gone = saved_cards.delete().where(saved_cards.c.account == account)
            return bool((await connection.execute(gone)).rowcount)

    async def due(self, *, limit: int) -> list[str]:
        """List accounts that seem to need a charge; `begin_auto` looks again under locks."""
        now_us = microseconds_of(self._clock.now())
        query = (
            select(saved_cards.c.account)
            .join(accounts, accounts.c.code == saved_cards.c.account)
            .where(*_due(now_us))
            .order_by(saved_cards.c.next_us, saved_cards.c.account)
            .limit(limit)
        )
        async with self._engine.connect() as connection:
            return list(await connection.scalars(query))

    async def spent(self, account: str) -> Micros:
        """Return what was charged without the owner in this month, in UTC."""
        async with self._engine.connect() as connection:
            return await _spent(connection, account, microseconds_of(self._clock.now()))

    async def _change(self, account: str, **values: Any) -> SavedCard:  # Any: of many column types
        now_us = microseconds_of(self._clock.now())
        change = update(saved_cards).where(saved_cards.c.account == account)
        async with writing(self._engine) as connection:
            found = await connection.execute(
                change.values(changed_us=now_us, **values).returning(saved_cards)
            )
            row = found.one_or_none()
        if row is None:
            raise InvalidInput(reason="no card is saved; top up with one and save it")
        return _card(row)


async def lock_due(connection: AsyncConnection, account: str, now_us: int) -> SavedCard | None:
    """Lock the card of an account that must be charged now; None where it must not."""
    query = (
        select(saved_cards)
        .join(accounts, accounts.c.code == saved_cards.c.account)
        .where(saved_cards.c.account == account, *_due(now_us))
        .with_for_update(of=saved_cards, skip_locked=True)
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    card = _card(row)
    busy = select(card_payments.c.id).where(
        card_payments.c.account == account,
        card_payments.c.kind == "auto",
        card_payments.c.state == "open",
    )
    if await connection.scalar(busy) is not None:
        return None
    if await _spent(connection, account, now_us) + card.amount > card.month_max:
        return None
    return card


async def note_success(connection: AsyncConnection, account: str, now_us: int) -> None:
    """A charge came in: earlier failures do not count any more."""
    await connection.execute(
        update(saved_cards)
        .where(saved_cards.c.account == account)
        .values(failures=0, notice=None, next_us=now_us + REST_US)
    )


async def note_failure(connection: AsyncConnection, account: str, reason: str, now_us: int) -> None:
    """A charge was declined: wait, or switch it off and say why."""
    query = select(saved_cards).where(saved_cards.c.account == account).with_for_update()
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return
    failures = row.failures + 1
    over = failures >= FAILURES_MAX
    pause_us = PAUSES_US[min(failures, len(PAUSES_US)) - 1]
    await connection.execute(
        update(saved_cards)
        .where(saved_cards.c.account == account)
        .values(
            failures=failures,
            enabled=row.enabled and not over,
            next_us=now_us + pause_us,
            notice=reason[:NOTICE_MAX],
        )
    )


async def _spent(connection: AsyncConnection, account: str, now_us: int) -> Micros:
    month = moment_of(now_us).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    query = select(func.coalesce(func.sum(card_payments.c.amount), 0)).where(
        card_payments.c.account == account,
        card_payments.c.kind == "auto",
        card_payments.c.state.in_(("open", "paid", "review")),
        card_payments.c.created_us >= microseconds_of(month),
    )
    return int(await connection.scalar(query) or 0)


def _due(now_us: int) -> list[Any]:  # Any: SQL conditions
    spendable = accounts.c.posted - accounts.c.held + func.coalesce(accounts.c.credit_limit, 0)
    return [
        saved_cards.c.enabled,
        saved_cards.c.next_us <= now_us,
        accounts.c.kind == "caller",
        accounts.c.status == "active",
        # Money that is held for a live call is spent soon: it counts as gone.
        spendable < saved_cards.c.threshold,
    ]


def _card(row: Row[Any]) -> SavedCard:  # Any: a row of many column types
    return SavedCard(
        account=row.account,
        customer=row.customer,
        method=row.method,
        label=row.label,
        enabled=bool(row.enabled),
        threshold=row.threshold,
        amount=row.amount,
        month_max=row.month_max,
        failures=row.failures,
        notice=row.notice,
    )
