"""Vouchers: prepaid money as a code of digits, which a caller redeems once.

The database holds no codes, only their hashes with a key that is kept elsewhere: who steals it
can redeem nothing. The row of a voucher and the transfer that it becomes are written together.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import Clock, microseconds_of
from billing.domain.operations import AccountRef, Post, Posted, PostedEntry
from billing.domain.voucher_codes import draw_codes, plain, seed_of
from billing.errors import (
    BillingError,
    CurrencyMismatch,
    IdempotencyConflict,
    InvalidInput,
    LedgerUnavailable,
    UnknownAccount,
    UnknownBatch,
    UnknownVoucher,
    VoucherDisabled,
    VoucherExpired,
    VoucherUsed,
)
from billing.ids import new_id
from billing.money import Micros
from billing.storage.drivers import DatabaseFailed
from billing.storage.engine import for_writing
from billing.storage.ledger import post_batch
from billing.storage.tables import accounts
from billing.storage.voucher_tables import voucher_batches, vouchers
from billing.voucher_batches import Batch, batch_of, read_batches
from billing.wallet import CURRENCY, KEY_MAX, MEMO_MAX, TOP_UP_MAX

COUNT_MAX: Final = 100_000
ROWS_PER_INSERT: Final = 5_000
GENERATE_TRIES: Final = 3
KEY_BYTES: Final = 18
# So long the form that asked for codes gets them again.
AGAIN_US: Final = 3_600 * 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """A new batch and its codes, which nobody can read again later."""

    batch: Batch
    codes: tuple[str, ...]
    replayed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeemed:
    """A voucher that became money; `replayed` says that this request was answered before."""

    transfer_id: str
    account: str
    amount: Micros
    balance: Micros
    currency: str
    replayed: bool


class Vouchers:
    """The use-cases of vouchers; `secret` is the key of the hashes."""

    def __init__(self, *, engine: AsyncEngine, clock: Clock, secret: bytes) -> None:
        self._engine = engine
        self._clock = clock
        self._secret = secret

    async def generate(
        self,
        *,
        amount: Micros,
        currency: str,
        count: int,
        actor: str,
        expires_us: int | None = None,
        note: str | None = None,
        key: str | None = None,
    ) -> Generated:
        """Make a batch; the codes are in the answer and nowhere else.

        The same key makes no second batch; for an hour it gets the codes again, for the answer
        may have been lost.

        Raises:
            InvalidInput: an amount, currency, count, expiry or note that no voucher can have.
            IdempotencyConflict: the key made another batch, or its codes are no longer shown.

        """
        now_us = microseconds_of(self._clock.now())
        _check_new(amount, currency, count)
        if note and (not note.isprintable() or len(note) > MEMO_MAX):
            raise InvalidInput(reason=f"a note has at most {MEMO_MAX} printable characters")
        key = secrets.token_urlsafe(KEY_BYTES) if key is None else key
        batch: dict[str, Any] = {  # Any: values of many column types
            "id": new_id(self._clock), "amount": amount, "currency": currency, "size": count,
            "expires_us": expires_us, "note": note, "actor": actor, "created_us": now_us,
            "key_hash": hashlib.sha256(key.encode()).hexdigest(),
        }  # fmt: skip
        if (again := await self._made_before(batch, key)) is not None:
            return again
        if expires_us is not None and expires_us <= now_us:
            raise InvalidInput(reason="a voucher that has expired already is worth nothing")
        for number in range(GENERATE_TRIES):
            codes = draw_codes(seed_of(self._secret, key), count, attempt=number)
            try:
                await self._store(batch, codes)
            except IntegrityError:
                # Sent twice at once, or one of these codes was made before.
                if (again := await self._made_before(batch, key)) is not None:
                    return again
                continue
            row = batch | {"used": 0, "expired": 0, "called_back": 0}
            return Generated(batch=batch_of(row), codes=tuple(codes), replayed=False)
        raise LedgerUnavailable(reason="no codes were found that are free")

    async def _made_before(self, wanted: dict[str, Any], key: str) -> Generated | None:
        """Find what the key made before, with its codes."""
        query = select(voucher_batches).where(voucher_batches.c.key_hash == wanted["key_hash"])
        first = select(vouchers.c.code_hash).where(vouchers.c.serial == 1)
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
            if row is None:
                return None
            proof = await connection.scalar(first.where(vouchers.c.batch == row["id"]))
        same = all(
            row[name] == wanted[name]
            for name in ("amount", "currency", "size", "expires_us", "note", "actor")
        )
        if not same or wanted["created_us"] - row["created_us"] > AGAIN_US:
            raise IdempotencyConflict(key="of this form")
        for number in range(GENERATE_TRIES):
            codes = draw_codes(seed_of(self._secret, key), row["size"], attempt=number)
            if self._hash(codes[0]) == proof:
                found = dict(row) | {"used": 0, "expired": 0, "called_back": 0}
                return Generated(batch=batch_of(found), codes=tuple(codes), replayed=True)
        raise IdempotencyConflict(key="of this form")

    async def _store(self, batch: dict[str, Any], codes: list[str]) -> None:
        rows = [
            {"code_hash": self._hash(code), "batch": batch["id"], "serial": serial}
            for serial, code in enumerate(codes, 1)
        ]
        connection = await for_writing(self._engine)
        try:
            async with connection.begin():
                await connection.execute(insert(voucher_batches), batch)
                for start in range(0, len(rows), ROWS_PER_INSERT):
                    await connection.execute(
                        insert(vouchers), rows[start : start + ROWS_PER_INSERT]
                    )
        finally:
            await connection.close()

    async def redeem(
        self, account: str, code: str, *, key: str | None = None, actor: str = "voucher"
    ) -> Redeemed:
        """Turn a voucher into money of an account, once; the same key gets the same answer.

        Without a key the code is its own: the same caller may try again and again.

        Raises:
            UnknownVoucher: there is no such code.
            VoucherUsed: somebody has had it, or the same caller with another key.
            VoucherExpired: it is too late.
            VoucherDisabled: it, or its batch, was called back.
            CurrencyMismatch: the account is kept in another currency.
            UnknownAccount: there is no such account.
            IdempotencyConflict: the key was used for another voucher.

        """
        # A code that cannot be one costs the same hash and look as one that could.
        code_hash = self._hash(plain(code))
        if key is None:
            key = f"code:{code_hash}"
        if not 1 <= len(key) <= KEY_MAX or not key.isprintable():
            raise InvalidInput(reason=f"a key of 1 to {KEY_MAX} printable characters is needed")
        connection = await for_writing(self._engine)
        try:
            async with connection.begin():
                return await self._redeem(connection, account, code_hash, key, actor)
        except IntegrityError as error:
            raise IdempotencyConflict(key=key) from error
        except DatabaseFailed as error:
            raise LedgerUnavailable(reason=type(error).__name__) from error
        finally:
            await connection.close()

    async def _redeem(
        self, connection: AsyncConnection, code: str, code_hash: str, key: str, actor: str
    ) -> Redeemed:
        row = (await connection.execute(_VOUCHER, {"hash": code_hash})).one_or_none()
        if row is None:
            raise UnknownVoucher
        account = (await connection.execute(_CALLER, {"code": code})).one_or_none()
        if account is None:
            raise UnknownAccount(account=code)
        if row.used_us is not None:
            if (row.account, row.key) != (code, key):
                raise VoucherUsed
            return _redeemed(row, row.transfer_id, account.posted, account=code, replayed=True)
        now_us = microseconds_of(self._clock.now())
        _check_usable(row, now_us)
        if account.currency != row.currency:
            raise CurrencyMismatch(account=code, expected=row.currency, actual=account.currency)
        taken = select(vouchers.c.serial).where(vouchers.c.account == code, vouchers.c.key == key)
        if await connection.scalar(taken) is not None:
            raise IdempotencyConflict(key=key)
        posted = await self._post(connection, row, code, actor, now_us)
        await connection.execute(
            update(vouchers)
            .where(vouchers.c.code_hash == code_hash)
            .values(used_us=now_us, account=code, key=key, transfer_id=posted.transfer_id)
        )
        balance = next(after for ref, after in posted.balances.items() if ref.kind == "caller")
        return _redeemed(row, posted.transfer_id, balance, account=code, replayed=False)

    async def _post(
        self,
        connection: AsyncConnection,
        row: Row[Any],  # Any: a row of many column types
        code: str,
        actor: str,
        now_us: int,
    ) -> Posted:
        caller = AccountRef(kind="caller", code=code, currency=row.currency)
        funding = AccountRef(kind="funding", code="funding", currency=row.currency)
        [outcome] = await post_batch(
            connection,
            [
                Post(
                    key=f"voucher:{row.batch}:{row.serial}",
                    transfer_id=new_id(self._clock),
                    kind="voucher",
                    entries=(
                        PostedEntry(account=caller, amount=row.amount),
                        PostedEntry(account=funding, amount=-row.amount),
                    ),
                    at_us=now_us,
                    memo=f"voucher {row.serial} of batch {row.batch}",
                    actor=actor,
                )
            ],
        )
        if isinstance(outcome, BillingError):
            raise outcome
        assert isinstance(outcome, Posted)
        return outcome

    async def disable_batch(self, batch: str) -> None:
        """Call back what is left of a batch; what was redeemed stays redeemed.

        Raises:
            UnknownBatch: there is none.

        """
        change = update(voucher_batches).where(voucher_batches.c.id == batch)
        if not await self._change(change.values(disabled=True)):
            raise UnknownBatch(batch=batch)

    async def disable_code(self, code: str) -> None:
        """Call back one voucher.

        Raises:
            UnknownVoucher: there is no such code.
            VoucherUsed: too late.

        """
        await self._disable(vouchers.c.code_hash == self._hash(plain(code)))

    async def _disable(self, mine: ColumnElement[bool]) -> None:
        unused = vouchers.c.used_us.is_(None)
        if await self._change(update(vouchers).where(mine, unused).values(disabled=True)):
            return
        async with self._engine.connect() as connection:
            known = await connection.scalar(select(vouchers.c.serial).where(mine))
        raise VoucherUsed if known is not None else UnknownVoucher

    async def disable_serial(self, batch: str, serial: int) -> None:
        """Call back one voucher by its number in the batch, when nobody knows its code.

        Raises:
            UnknownVoucher: there is no such voucher.
            VoucherUsed: too late.

        """
        await self._disable((vouchers.c.batch == batch) & (vouchers.c.serial == serial))

    async def batches(self) -> list[Batch]:
        """List all batches, newest first, with what became of their vouchers."""
        now_us = microseconds_of(self._clock.now())
        async with self._engine.connect() as connection:
            return await read_batches(connection, now_us)

    async def _change(self, change: Any) -> bool:  # Any: an update of any table
        connection = await for_writing(self._engine)
        try:
            async with connection.begin():
                return bool((await connection.execute(change)).rowcount)
        finally:
            await connection.close()

    def _hash(self, code: str) -> str:
        return hmac.new(self._secret, b"voucher:" + code.encode(), hashlib.sha256).hexdigest()


def _check_new(amount: Micros, currency: str, count: int) -> None:
    if not 0 < amount <= TOP_UP_MAX:
        raise InvalidInput(reason="a voucher is worth more than zero and at most 1,000,000")
    if not CURRENCY.fullmatch(currency):
        raise InvalidInput(reason="a currency is three capital letters such as USD")
    if not 1 <= count <= COUNT_MAX:
        raise InvalidInput(reason=f"a batch has 1 to {COUNT_MAX:,} vouchers")


def _check_usable(row: Row[Any], now_us: int) -> None:  # Any: a row of many column types
    if row.disabled or row.batch_disabled:
        raise VoucherDisabled
    if row.expires_us is not None and row.expires_us <= now_us:
        raise VoucherExpired


def _redeemed(
    row: Row[Any],  # Any: a row of many column types
    transfer_id: str,
    balance: Micros,
    *,
    account: str,
    replayed: bool,
) -> Redeemed:
    return Redeemed(
        transfer_id=transfer_id,
        account=account,
        amount=row.amount,
        balance=balance,
        currency=row.currency,
        replayed=replayed,
    )


# Locked, so that of two who redeem the same code the second sees what the first did.
_VOUCHER: Final = (
    select(
        vouchers,
        voucher_batches.c.amount,
        voucher_batches.c.currency,
        voucher_batches.c.expires_us,
        voucher_batches.c.disabled.label("batch_disabled"),
    )
    .join(voucher_batches, voucher_batches.c.id == vouchers.c.batch)
    .where(vouchers.c.code_hash == bindparam("hash"))
    .with_for_update(of=vouchers)
)
_CALLER: Final = select(accounts).where(
    accounts.c.kind == "caller", accounts.c.code == bindparam("code")
)
