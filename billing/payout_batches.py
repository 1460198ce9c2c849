"""Files for the bank: approved payouts of one currency, each in one file, written again any time.

A file remembers the account that pays and the moment it was made, so that the same credit transfer
is the same bytes for ever (the CSV says where its payouts stand now). It marks nothing as paid:
that is the bank's word.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Select, and_, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import Clock, microseconds_of, moment_of
from billing.domain.payouts import BankAccount, PayoutStatus
from billing.errors import InvalidInput, UnknownPayout
from billing.ids import new_id
from billing.money import Micros
from billing.payout_files import csv_file, pain_001
from billing.payouts import PAGE_MAX, Payout, payout_of
from billing.storage.engine import for_writing
from billing.storage.ledger import lock_accounts
from billing.storage.payout_tables import payout_files, payout_holds, payouts
from billing.storage.tables import accounts


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutFile:
    """A file for the bank and what it holds in all."""

    id: str
    currency: str
    debtor: BankAccount
    made_us: int
    made_by: str
    count: int
    total: Micros


class PayoutBatches:
    """The use-cases of files."""

    def __init__(self, *, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def make(self, currency: str, *, debtor: BankAccount, actor: str) -> PayoutFile:
        """Put what is approved and in no file yet into one, at most a page of it.

        Payouts of a party that is held stay outside.

        Raises:
            InvalidInput: the paying account has no name or IBAN, or nothing waits.

        """
        if not debtor.complete:
            raise InvalidInput(reason="the paying account needs a name and an IBAN")
        connection = await for_writing(self._engine)
        try:
            async with connection.begin():
                return await self._make(connection, currency, debtor, actor)
        finally:
            await connection.close()

    async def _make(
        self, connection: AsyncConnection, currency: str, debtor: BankAccount, actor: str
    ) -> PayoutFile:
        seen = [payout_of(row) for row in await connection.execute(_waiting(currency))]
        parties = {payout.party for payout in seen}
        if parties:
            # The parties first, as everywhere: no hold begins between the look and the file.
            named = (
                and_(accounts.c.kind == party.kind, accounts.c.code == party.code)
                for party in parties
            )
            await lock_accounts(connection, or_(*named))
        rows = await connection.execute(
            _waiting(currency).where(payouts.c.id.in_([one.id for one in seen])).with_for_update()
        )
        listed = [payout_of(row) for row in rows]
        if not listed:
            raise InvalidInput(reason=f"no approved payout in {currency} waits for a file")
        file = PayoutFile(
            id=new_id(self._clock),
            currency=currency,
            debtor=debtor,
            made_us=microseconds_of(self._clock.now()),
            made_by=actor,
            count=len(listed),
            total=sum(one.amount for one in listed),
        )
        await connection.execute(
            insert(payout_files),
            {
                "id": file.id,
                "currency": currency,
                "name": debtor.name,
                "iban": debtor.iban,
                "bic": debtor.bic,
                "made_us": file.made_us,
                "made_by": actor,
            },
        )
        await connection.execute(
            update(payouts)
            .where(payouts.c.id.in_([one.id for one in listed]), payouts.c.file.is_(None))
            .values(file=file.id)
        )
        return file

    async def files(self, *, before: str = "", limit: int = 20) -> list[PayoutFile]:
        """List files, newest first; `before` is the last id of the page before."""
        query = select(payout_files).order_by(payout_files.c.id.desc()).limit(min(limit, PAGE_MAX))
        if before:
            query = query.where(payout_files.c.id < before)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).all()
            sums = await connection.execute(
                select(
                    payouts.c.file,
                    func.count().label("payouts"),
                    func.sum(payouts.c.amount).label("total"),
                )
                .where(payouts.c.file.in_([row.id for row in rows]))
                .group_by(payouts.c.file)
            )
            of = {row.file: (row.payouts, int(row.total)) for row in sums}
        return [
            PayoutFile(
                id=row.id,
                currency=row.currency,
                debtor=BankAccount(name=row.name, iban=row.iban, bic=row.bic),
                made_us=row.made_us,
                made_by=row.made_by,
                count=of[row.id][0],
                total=of[row.id][1],
            )
            for row in rows
        ]

    async def waiting(self) -> dict[str, tuple[int, Micros]]:
        """Count and sum, by currency, what is approved and in no file yet."""
        query = (
            select(
                payouts.c.currency,
                func.count().label("payouts"),
                func.sum(payouts.c.amount).label("total"),
            )
            .where(*_UNSENT)
            .group_by(payouts.c.currency)
            .order_by(payouts.c.currency)
        )
        async with self._engine.connect() as connection:
            rows = await connection.execute(query)
            return {row.currency: (row.payouts, int(row.total)) for row in rows}

    async def write(self, file_id: str, form: str) -> bytes:
        """Write a file as it was made: `csv` or `pain.001`.

        Raises:
            UnknownPayout: there is no such file.

        """
        async with self._engine.connect() as connection:
            file = (
                await connection.execute(select(payout_files).where(payout_files.c.id == file_id))
            ).one_or_none()
            if file is None:
                raise UnknownPayout(payout=file_id)
            rows = await connection.execute(
                select(payouts).where(payouts.c.file == file_id).order_by(payouts.c.id)
            )
            listed: list[Payout] = [payout_of(row) for row in rows]
        if form == "csv":
            return csv_file(listed).encode()
        return pain_001(
            listed,
            debtor=BankAccount(name=file.name, iban=file.iban, bic=file.bic),
            message_id=file_id.replace("-", ""),
            at=moment_of(file.made_us),
        )


_HELD = (
    select(payout_holds.c.code)
    .where(payout_holds.c.kind == payouts.c.kind, payout_holds.c.code == payouts.c.code)
    .exists()
)
_UNSENT = (payouts.c.status == PayoutStatus.APPROVED, payouts.c.file.is_(None), ~_HELD)


def _waiting(currency: str) -> Select[tuple[object, ...]]:
    return (
        select(payouts)
        .where(*_UNSENT, payouts.c.currency == currency)
        .order_by(payouts.c.id)
        .limit(PAGE_MAX)
    )
