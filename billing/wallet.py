"""Callers' accounts: open, top up, adjust, block. Each movement is one transfer with one key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import Clock, microseconds_of
from billing.domain.operations import AccountRef, Post, Posted, PostedEntry
from billing.errors import AccountExists, InvalidInput, UnknownAccount
from billing.ids import new_id
from billing.money import Micros
from billing.storage.engine import for_writing
from billing.storage.tables import accounts
from billing.storage.writer import GroupWriter

KEY_MAX: Final = 200
MEMO_MAX: Final = 500
PAGE_MAX: Final = 500
TOP_UP_MAX: Final[Micros] = 1_000_000 * 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A caller's account. `number` is what the caller keys in."""

    id: int
    code: str
    mode: str
    currency: str
    number: str
    status: str
    posted: Micros
    held: Micros
    credit_limit: Micros

    @property
    def spendable(self) -> Micros:
        """What may be spent now."""
        return self.posted - self.held + self.credit_limit


@dataclass(frozen=True, slots=True, kw_only=True)
class ToppedUp:
    """A top-up and the balance after it; `replayed` says that the key was known already."""

    transfer_id: str
    account: str
    amount: Micros
    balance: Micros
    currency: str
    replayed: bool


class Wallet:
    """The use-cases of a caller's account."""

    def __init__(self, *, writer: GroupWriter, engine: AsyncEngine, clock: Clock) -> None:
        self._writer = writer
        self._engine = engine
        self._clock = clock

    async def open_account(
        self, code: str, *, mode: str, currency: str, credit_limit: Micros = 0
    ) -> Account:
        """Open an account with the next free account number.

        Raises:
            AccountExists: there is one with this code.
            InvalidInput: a prepaid account with a credit limit.

        """
        if mode == "prepaid" and credit_limit:
            raise InvalidInput(reason="only a postpaid account has a credit limit")
        connection = await for_writing(self._engine)
        try:
            async with connection.begin():
                # The key of the table would allow the same code once per currency.
                known = select(accounts.c.id).where(
                    accounts.c.kind == "caller", accounts.c.code == code
                )
                if await connection.scalar(known) is not None:
                    raise AccountExists(account=code)
                await connection.execute(
                    insert(accounts),
                    {
                        "kind": "caller",
                        "code": code,
                        "currency": currency,
                        "mode": mode,
                        "number": await next_number(connection),
                        "credit_limit": credit_limit,
                        "created_us": microseconds_of(self._clock.now()),
                    },
                )
        except IntegrityError:
            raise AccountExists(account=code) from None
        finally:
            await connection.close()
        return await self.account(code)

    async def account(self, code: str) -> Account:
        """Read one account.

        Raises:
            UnknownAccount: there is none.

        """
        query = _query().where(accounts.c.code == code)
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise UnknownAccount(account=code)
        return _account(row)

    async def list_accounts(self, *, after: str = "", limit: int = 100) -> list[Account]:
        """List accounts by code; `after` is the last code of the page before."""
        query = _query().where(accounts.c.code > after).order_by(accounts.c.code)
        async with self._engine.connect() as connection:
            rows = await connection.execute(query.limit(min(limit, PAGE_MAX)))
            return [_account(row) for row in rows]

    async def top_up(
        self, code: str, amount: Micros, *, key: str, actor: str, memo: str | None = None
    ) -> ToppedUp:
        """Add money to an account, once per key.

        Raises:
            InvalidInput: an amount that is not positive or too large, or no key.
            UnknownAccount: there is no such account.
            IdempotencyConflict: the key was used for something else.

        """
        if not 0 < amount <= TOP_UP_MAX:
            raise InvalidInput(reason="a top-up is more than zero and at most 1,000,000")
        return await self._move(code, amount, "top_up", key=key, actor=actor, memo=memo)

    async def adjust(
        self, code: str, amount: Micros, *, key: str, actor: str, memo: str
    ) -> ToppedUp:
        """Correct a balance, up or down, with a reason; once per key.

        Raises:
            InsufficientFunds: more would be taken than may be spent.

        """
        if not amount or not memo.strip():
            raise InvalidInput(reason="an adjustment needs an amount and a reason")
        return await self._move(code, amount, "adjustment", key=key, actor=actor, memo=memo)

    async def set_status(self, code: str, status: str) -> Account:
        """Block an account or make it active again; running sessions end with their slice."""
        if status not in {"active", "blocked"}:
            raise InvalidInput(reason="a status is active or blocked")
        connection = await for_writing(self._engine)
        try:
            async with connection.begin():
                await connection.execute(
                    update(accounts)
                    .where(accounts.c.kind == "caller", accounts.c.code == code)
                    .values(status=status)
                )
        finally:
            await connection.close()
        return await self.account(code)

    async def _move(
        self, code: str, amount: Micros, kind: str, *, key: str, actor: str, memo: str | None
    ) -> ToppedUp:
        if not 1 <= len(key) <= KEY_MAX:
            raise InvalidInput(reason=f"a key of 1 to {KEY_MAX} characters is needed")
        account = await self.account(code)
        caller = AccountRef(kind="caller", code=code, currency=account.currency)
        funding = AccountRef(kind="funding", code="funding", currency=account.currency)
        posted = await self._writer.submit(
            Post(
                key=f"{kind}:{code}:{key}",
                transfer_id=new_id(self._clock),
                kind=kind,
                entries=(
                    PostedEntry(account=caller, amount=amount),
                    PostedEntry(account=funding, amount=-amount),
                ),
                at_us=microseconds_of(self._clock.now()),
                memo=memo[:MEMO_MAX] if memo else None,
                actor=actor,
            )
        )
        assert isinstance(posted, Posted)
        return ToppedUp(
            transfer_id=posted.transfer_id,
            account=code,
            amount=amount,
            balance=posted.balances[caller],
            currency=account.currency,
            replayed=posted.replayed,
        )


FIRST_NUMBER: Final = 100_001


async def next_number(connection: AsyncConnection) -> str:
    """Return the next free six-digit account number; to be used in the same transaction."""
    numbers = await connection.scalars(
        select(accounts.c.number).where(accounts.c.number.between("100000", "999999"))
    )
    taken = [int(number) for number in numbers if len(number) == len(str(FIRST_NUMBER))]
    return str(max([*taken, FIRST_NUMBER - 1]) + 1)


def _query() -> Any:  # Any: a select over all columns
    return select(accounts).where(accounts.c.kind == "caller")


def _account(row: Row[Any]) -> Account:  # Any: a row of many column types
    return Account(
        id=row.id,
        code=row.code,
        mode=row.mode,
        currency=row.currency,
        number=row.number,
        status=row.status,
        posted=row.posted,
        held=row.held,
        credit_limit=row.credit_limit or 0,
    )
