"""Callers' accounts: open, top up, adjust, block. Each movement is one transfer with one key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, Update, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import Clock, microseconds_of
from billing.domain.operations import AccountRef, Post, Posted, PostedEntry
from billing.errors import (
    AccountExists,
    InsufficientFunds,
    InvalidInput,
    LedgerUnavailable,
    UnknownAccount,
)
from billing.ids import CODE, new_id
from billing.money import Micros
from billing.storage.engine import for_writing
from billing.storage.tables import accounts
from billing.storage.writer import GroupWriter

KEY_MAX: Final = 200
MEMO_MAX: Final = 500
PAGE_MAX: Final = 500
TOP_UP_MAX: Final[Micros] = 1_000_000 * 1_000_000
NUMBER_TRIES: Final = 20
FIRST_NUMBER: Final = 100_001
LAST_NUMBER: Final = 999_999
MODES: Final = ("prepaid", "postpaid")
CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)


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
            InvalidInput: no code, mode, currency or credit limit that an account can have.

        """
        _check_new(code, mode=mode, currency=currency, credit_limit=credit_limit)
        for _ in range(NUMBER_TRIES):
            connection = await for_writing(self._engine)
            try:
                async with connection.begin():
                    if await connection.scalar(_query(accounts.c.id, code=code)) is not None:
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
                continue  # another process took the number, or the code, a moment ago
            finally:
                await connection.close()
            return await self.account(code)
        raise LedgerUnavailable(reason="too many accounts are opened at once")

    async def account(self, code: str) -> Account:
        """Read one account.

        Raises:
            UnknownAccount: there is none.

        """
        query = _query(accounts, code=code)
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise UnknownAccount(account=code)
        return _account(row)

    async def list_accounts(self, *, after: str = "", limit: int = 100) -> list[Account]:
        """List accounts by code; `after` is the last code of the page before."""
        query = _query(accounts).where(accounts.c.code > after).order_by(accounts.c.code)
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

    async def give(self, code: str, amount: Micros, *, key: str, actor: str, memo: str) -> ToppedUp:
        """Give a caller money of the provider's own, with a reason; once per key.

        Raises:
            InvalidInput: nothing is given, or without a reason.
            UnknownAccount: there is no such account.
            IdempotencyConflict: the key was used for something else.

        """
        if amount <= 0 or not memo.strip():
            raise InvalidInput(reason="goodwill needs an amount and a reason")
        return await self._move(
            code, amount, "adjustment", key=key, actor=actor, memo=memo, payer="provider"
        )

    async def set_status(self, code: str, status: str) -> Account:
        """Block an account or make it active again; running sessions end with their slice."""
        if status not in {"active", "blocked"}:
            raise InvalidInput(reason="a status is active or blocked")
        await self._change(code, update(accounts).values(status=status))
        return await self.account(code)

    async def set_credit_limit(self, code: str, limit: Micros) -> Account:
        """Let a postpaid account spend so much more than it has.

        Raises:
            InvalidInput: a prepaid account, or no limit that an account can have.
            InsufficientFunds: more is owed or held already.

        """
        before = await self.account(code)
        _check_new(code, mode=before.mode, currency=before.currency, credit_limit=limit)
        fits = accounts.c.posted - accounts.c.held + limit >= 0
        if not await self._change(code, update(accounts).where(fits).values(credit_limit=limit)):
            missing = before.held - before.posted
            raise InsufficientFunds(account=code, needed=missing, spendable=limit)
        return await self.account(code)

    async def _change(self, code: str, change: Update) -> bool:
        """Change the row of a caller; false when there was none to change."""
        connection = await for_writing(self._engine)
        try:
            async with connection.begin():
                done = await connection.execute(
                    change.where(accounts.c.kind == "caller", accounts.c.code == code)
                )
                return bool(done.rowcount)
        finally:
            await connection.close()

    async def _move(
        self,
        code: str,
        amount: Micros,
        kind: str,
        *,
        key: str,
        actor: str,
        memo: str | None,
        payer: str = "funding",
    ) -> ToppedUp:
        if not 1 <= len(key) <= KEY_MAX or not key.isprintable():
            raise InvalidInput(reason=f"a key of 1 to {KEY_MAX} printable characters is needed")
        memo = " ".join(memo.split())[:MEMO_MAX] if memo else None
        if memo and not memo.isprintable():
            raise InvalidInput(reason="a memo has printable characters only")
        account = await self.account(code)
        caller = AccountRef(kind="caller", code=code, currency=account.currency)
        funding = AccountRef(kind=payer, code=payer, currency=account.currency)
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
                memo=memo,
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


async def next_number(connection: AsyncConnection) -> str:
    """Return the next free six-digit account number; to be used in the same transaction.

    Raises:
        InvalidInput: all of them are taken.

    """
    six_digits = (
        accounts.c.number.between("100000", "999999"),
        func.length(accounts.c.number) == len(str(FIRST_NUMBER)),
    )
    query = select(accounts.c.number).where(*six_digits)
    highest = await connection.scalar(query.order_by(accounts.c.number.desc()).limit(1))
    if highest is None or int(highest) < LAST_NUMBER:
        return str(max(int(highest or 0) + 1, FIRST_NUMBER))
    # Somebody chose the last one: take the first gap.
    taken = frozenset(await connection.scalars(query))
    for number in range(FIRST_NUMBER, LAST_NUMBER):
        if str(number) not in taken:
            return str(number)
    raise InvalidInput(reason="all account numbers of six digits are taken")


def _check_new(code: str, *, mode: str, currency: str, credit_limit: Micros) -> None:
    if not CODE.fullmatch(code):
        raise InvalidInput(
            reason="an account code is lower case letters, digits, dot, dash and underscore, "
            "at most 64"
        )
    if mode not in MODES:
        raise InvalidInput(reason=f"the mode of an account is {' or '.join(MODES)}")
    if not CURRENCY.fullmatch(currency):
        raise InvalidInput(reason="a currency is three capital letters such as USD")
    if mode == "prepaid" and credit_limit:
        raise InvalidInput(reason="only a postpaid account has a credit limit")
    if not 0 <= credit_limit <= TOP_UP_MAX:
        raise InvalidInput(reason="a credit limit is at least zero and at most 1,000,000")


def _query(*columns: Any, code: str | None = None) -> Any:  # Any: columns in, a select out
    query = select(*columns).where(accounts.c.kind == "caller")
    return query if code is None else query.where(accounts.c.code == code)


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
