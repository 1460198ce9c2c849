"""Card payments: money that a processor of cards brings in, and takes back.

    open ──paid──▶ credited once          any time later: refunds and disputes take it back,
      ├─ failed, expired ─paid─▶ credited   as far as it is there; the rest is owed and the
      └─ another sum ──▶ for review         account is blocked

What the processor says may come twice, late and in any order. Each row is locked while it changes,
credit and row are written together, and what is to be taken back is computed anew from all claims.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Select, case, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.auto_top_ups import lock_due, note_failure, note_success
from billing.clock import Clock, microseconds_of
from billing.domain.cards import CREDITABLE, CardPayment, Claim, Paid, correction
from billing.domain.operations import AccountRef, Post, Posted, PostedEntry
from billing.errors import (
    BillingError,
    IdempotencyConflict,
    InvalidInput,
    UnknownAccount,
    UnknownCardPayment,
)
from billing.ids import new_id
from billing.money import Micros
from billing.storage.card_rows import (
    MARK,
    change_payment,
    lock_intent,
    lock_payment,
    owing_payments,
    payment_of,
    payments_to_keep,
)
from billing.storage.card_tables import card_claims, card_payments
from billing.storage.invoice_rows import writing
from billing.storage.ledger import lock_accounts, post_batch
from billing.storage.tables import accounts
from billing.wallet import KEY_MAX, TOP_UP_MAX

ACTOR: Final = "card"
REASON_MAX: Final = 200
# Who tells us the end of a payment is the processor; after so long we ask.
LOOK_AFTER_US: Final = 5 * 60 * 1_000_000
AUTO_LOOK_AFTER_US: Final = 60 * 1_000_000


class CardPayments:
    """The use-cases of card payments; each is one transaction."""

    def __init__(self, *, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def begin(
        self, account: str, amount: Micros, *, key: str, saves_card: bool = False
    ) -> CardPayment:
        """Write down that somebody wants to pay, before the processor hears of it; once per key.

        Raises:
            UnknownAccount: there is no such account.
            IdempotencyConflict: the key was used for another amount.

        """
        if not 0 < amount <= TOP_UP_MAX or not 1 <= len(key) <= KEY_MAX:
            raise InvalidInput(reason="a top-up is more than zero and at most 1,000,000")
        async with writing(self._engine) as connection:
            known = select(card_payments).where(
                card_payments.c.account == account, card_payments.c.form_key == key
            )
            row = (await connection.execute(known)).one_or_none()
            if row is not None:
                if row.amount != amount:
                    raise IdempotencyConflict(key=key)
                return payment_of(row)
            return await begin_in(
                connection, self._clock, account, amount, key=key, saves_card=saves_card
            )

    async def begin_auto(self, account: str) -> CardPayment | None:
        """Begin a charge without the card's owner, where it is due; None where it is not.

        Two processes that look at once begin one: the row of the card is locked, and the database
        allows one open charge.
        """
        async with writing(self._engine) as connection:
            now_us = self._now_us()
            card = await lock_due(connection, account, now_us)
            if card is None:
                return None
            return await begin_in(
                connection,
                self._clock,
                account,
                card.amount,
                key=f"auto:{new_id(self._clock)}",
                kind="auto",
                look_after_us=AUTO_LOOK_AFTER_US,
            )

    async def attach(self, payment: str, *, checkout: str, url: str) -> CardPayment:
        """Remember the processor's page of a payment."""
        async with writing(self._engine) as connection:
            found = await lock_payment(connection, payment)
            if found.state != "open":
                return found
            return await change_payment(connection, found, checkout=checkout, url=url)

    async def credit(self, paid: Paid) -> CardPayment:
        """Credit a payment that came in, once; another sum than was asked for goes to review.

        Raises:
            UnknownCardPayment: it is none of ours.

        """
        async with writing(self._engine) as connection:
            await lock_intent(connection, paid.intent, self._now_us())
            found = await lock_payment(connection, paid.payment)
            if found.state not in CREDITABLE:
                return found
            now_us = self._now_us()
            if (paid.amount, paid.currency) != (found.amount, found.currency):
                return await change_payment(
                    connection,
                    found,
                    state="review",
                    intent=paid.intent,
                    ended_us=now_us,
                    reason="another amount or currency came in than was asked for",
                )
            posted = await _post(
                connection, self._clock, found, found.amount, key=f"card:{found.id}", kind="top_up"
            )
            if found.kind == "auto":
                await note_success(connection, found.account, now_us)
            found = await change_payment(
                connection,
                found,
                state="paid",
                intent=paid.intent,
                transfer_id=posted.transfer_id,
                ended_us=now_us,
                reason=None,
            )
            return await _take_back(connection, self._clock, found)

    async def fail(self, payment: str, reason: str, *, state: str = "failed") -> CardPayment:
        """Write down that a payment did not come in; one that did stays as it is.

        Raises:
            UnknownCardPayment: it is none of ours.

        """
        async with writing(self._engine) as connection:
            found = await lock_payment(connection, payment)
            if found.state != "open":
                return found
            if found.kind == "auto":
                await note_failure(connection, found.account, reason, self._now_us())
            return await change_payment(
                connection,
                found,
                state=state,
                reason=reason[:REASON_MAX],
                ended_us=self._now_us(),
            )

    async def close(self, payment: str, note: str) -> CardPayment:
        """Close a payment that was for review, with what an operator decided.

        Raises:
            UnknownCardPayment: it is none of ours.
            InvalidInput: it is not for review.

        """
        async with writing(self._engine) as connection:
            found = await lock_payment(connection, payment)
            if found.state != "review":
                raise InvalidInput(reason="only what is for review can be closed")
            return await change_payment(connection, found, state="closed", reason=note[:REASON_MAX])

    async def claim(self, claim: Claim) -> CardPayment | None:
        """Write down that money went back, and take it from the account as far as it is there.

        A refund only grows and a dispute is decided once, so that late events change nothing. The
        payment may not be known yet: then it is taken back as soon as it is credited.
        """
        async with writing(self._engine) as connection:
            await lock_intent(connection, claim.intent, self._now_us())
            mine = card_payments.c.intent == claim.intent
            row = (
                await connection.execute(select(card_payments).where(mine).with_for_update())
            ).one_or_none()
            dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
            wanted = {
                "id": claim.id, "intent": claim.intent, "kind": claim.kind,
                "amount": claim.amount, "currency": claim.currency, "won": claim.won,
                "at_us": self._now_us(),
            }  # fmt: skip
            new = dialect.insert(card_claims).values(wanted)
            larger = func.max if connection.dialect.name == "sqlite" else func.greatest
            await connection.execute(
                new.on_conflict_do_update(
                    index_elements=[card_claims.c.id],
                    set_={
                        "amount": larger(card_claims.c.amount, new.excluded.amount),
                        "won": card_claims.c.won | new.excluded.won,
                    },
                )
            )
            if row is None:
                return None
            return await _take_back(connection, self._clock, payment_of(row))

    async def collect(self, payment: CardPayment) -> CardPayment:
        """Take what is still owed, as far as it is there by now."""
        async with writing(self._engine) as connection:
            found = await lock_payment(connection, payment.id)
            return await _take_back(connection, self._clock, found)

    async def owing(self, *, limit: int) -> list[CardPayment]:
        """List payments of which more is claimed than was taken, where there is money by now."""
        async with self._engine.connect() as connection:
            return await owing_payments(connection, limit=limit)

    async def to_keep(self, *, limit: int) -> list[CardPayment]:
        """List payments that came in and whose card is to be saved."""
        async with self._engine.connect() as connection:
            return await payments_to_keep(connection, limit=limit)

    async def find(self, payment: str) -> CardPayment:
        """Read one payment.

        Raises:
            UnknownCardPayment: it is none of ours.

        """
        query = select(card_payments).where(card_payments.c.id == payment)
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise UnknownCardPayment(payment=payment)
        return payment_of(row)

    async def waiting(self, *, limit: int, hold_us: int) -> list[CardPayment]:
        """Take payments that nobody told us the end of, to ask for them; others skip them now."""
        now_us = self._now_us()
        async with writing(self._engine) as connection:
            query = (
                select(card_payments)
                .where(card_payments.c.state == "open", card_payments.c.next_us <= now_us)
                .order_by(card_payments.c.next_us)
                .limit(limit)
                .with_for_update(skip_locked=True)
            )
            found = [payment_of(row) for row in await connection.execute(query)]
            for one in found:
                # The older, the rarer.
                pause_us = max(hold_us, now_us - one.created_us)
                await change_payment(connection, one, next_us=now_us + pause_us)
        return found

    async def _list(self, query: Select[Any]) -> list[CardPayment]:  # Any: columns of many types
        async with self._engine.connect() as connection:
            return [payment_of(row) for row in await connection.execute(query)]

    def _now_us(self) -> int:
        return microseconds_of(self._clock.now())


async def begin_in(
    connection: AsyncConnection,
    clock: Clock,
    account: str,
    amount: Micros,
    *,
    key: str,
    kind: str = "checkout",
    saves_card: bool = False,
    look_after_us: int = LOOK_AFTER_US,
) -> CardPayment:
    """Write down a payment in the caller's transaction.

    Raises:
        UnknownAccount: there is no such account.
        IdempotencyConflict: somebody else used the key a moment ago.

    """
    query = select(accounts.c.currency).where(
        accounts.c.kind == "caller", accounts.c.code == account
    )
    currency = await connection.scalar(query)
    if currency is None:
        raise UnknownAccount(account=account)
    now_us = microseconds_of(clock.now())
    row = {
        "id": new_id(clock), "account": account, "currency": currency, "amount": amount,
        "kind": kind, "state": "open", "form_key": key, "saves_card": saves_card,
        "next_us": now_us + look_after_us, "created_us": now_us,
    }  # fmt: skip
    try:
        await connection.execute(insert(card_payments), row)
    except IntegrityError as error:
        raise IdempotencyConflict(key=key) from error
    return await lock_payment(connection, str(row["id"]))


async def _take_back(
    connection: AsyncConnection, clock: Clock, payment: CardPayment
) -> CardPayment:
    """Let what was taken from the account be what the claims are, as far as money is there."""
    if payment.state != "paid":
        return payment
    same = card_claims.c.currency == payment.currency
    # A claim in another currency is not converted: it counts as the whole payment.
    amount = case((same, card_claims.c.amount), else_=payment.amount)
    claimed = await connection.scalar(
        select(func.coalesce(func.sum(amount), 0)).where(
            card_claims.c.intent == payment.intent,
            card_claims.c.kind != MARK,
            card_claims.c.won.is_(False),
        )
    )
    if min(payment.amount, int(claimed or 0)) == payment.taken:
        return payment
    ours = (accounts.c.kind == "caller") & (accounts.c.code == payment.account)
    funding = (accounts.c.kind == "funding") & (accounts.c.currency == payment.currency)
    await lock_accounts(connection, ours | funding)
    spendable = accounts.c.posted - accounts.c.held + func.coalesce(accounts.c.credit_limit, 0)
    there = int(await connection.scalar(select(spendable).where(ours)) or 0)
    change, owed = correction(payment, claimed=int(claimed or 0), spendable=there)
    if owed:
        await connection.execute(update(accounts).where(ours).values(status="blocked"))
    if not change:
        return payment
    moves = await connection.scalar(
        update(card_payments)
        .where(card_payments.c.id == payment.id)
        .values(moves=card_payments.c.moves + 1)
        .returning(card_payments.c.moves)
    )
    await _post(
        connection, clock, payment, change, key=f"card:{payment.id}:back:{moves}",
        kind="adjustment",
    )  # fmt: skip
    return await change_payment(connection, payment, taken=payment.taken - change)


async def _post(
    connection: AsyncConnection,
    clock: Clock,
    payment: CardPayment,
    amount: Micros,
    *,
    key: str,
    kind: str,
) -> Posted:
    caller = AccountRef(kind="caller", code=payment.account, currency=payment.currency)
    funding = AccountRef(kind="funding", code="funding", currency=payment.currency)
    memos = {
        "top_up": "automatic card payment" if payment.kind == "auto" else "card payment",
        "adjustment": "card payment given back" if amount < 0 else "card payment after all",
    }
    post = Post(
        key=key,
        transfer_id=new_id(clock),
        kind=kind,
        entries=(
            PostedEntry(account=caller, amount=amount),
            PostedEntry(account=funding, amount=-amount),
        ),
        at_us=microseconds_of(clock.now()),
        memo=memos[kind],
        actor=ACTOR,
        reference=payment.id,
    )
    [outcome] = await post_batch(connection, [post])
    if isinstance(outcome, BillingError):
        raise outcome
    assert isinstance(outcome, Posted)
    return outcome
