"""Rate settled sessions again: show the difference first, then post it, once per key.

    paid      what the session cost so far: its settlement and earlier re-ratings
    new       what the same talk costs by its own price version, or by another one that is named
    posted    new - paid, between the caller and the parties of the session's frozen split

Sessions of which something was refunded are left alone and named: a person decided there already.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import Clock, microseconds_of, moment_of
from billing.domain.operations import AccountRef, Post, Posted, PostedEntry
from billing.domain.rating import RateTable, seconds_of
from billing.domain.sessions import parts_of
from billing.domain.tariffs import Tariff
from billing.errors import BillingError, InvalidInput, UnknownTariff
from billing.ids import new_id
from billing.money import Micros
from billing.reports import Span
from billing.storage.ledger import shares_from_json
from billing.storage.tables import accounts, entries, holds, sessions, tariff_versions, transfers
from billing.storage.writer import GroupWriter

CHUNK: Final = 2_000
KEY_MAX: Final = 80
KIND: Final = "rerate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One session that would cost something else; `entries` move the difference."""

    session_id: str
    account: str
    client: str
    tariff: str
    currency: str
    paid: Micros
    cost: Micros
    entries: tuple[PostedEntry, ...]

    @property
    def amount(self) -> Micros:
        """What the caller pays more; negative for less."""
        return self.cost - self.paid


@dataclass(slots=True, kw_only=True)
class Rerating:
    """What a run found, and what it posted."""

    sessions: int = 0
    differences: list[Difference] = field(default_factory=list)
    # Sessions that were left alone: id and reason.
    refunded: list[str] = field(default_factory=list)
    posted: int = 0
    refused: list[tuple[Difference, BillingError]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which sessions are rated again: by the day of their end, and what they were sold as."""

    span: Span
    client: str | None = None
    tariff: str | None = None


class Rerater:
    """The use-cases of re-rating."""

    def __init__(self, *, engine: AsyncEngine, writer: GroupWriter, clock: Clock) -> None:
        self._engine = engine
        self._writer = writer
        self._clock = clock

    async def preview(self, wanted: Selection, *, version: int | None = None) -> Rerating:
        """Rate again and move nothing.

        Args:
            wanted: The sessions.
            version: Rate by this version of the sessions' tariff, which must be named then.

        Raises:
            UnknownTariff: there is no such version.

        """
        found = Rerating()
        async for chunk in self._differing(wanted, version, found):
            found.differences += chunk
        return found

    async def post(
        self, wanted: Selection, *, version: int | None = None, key: str, actor: str
    ) -> Rerating:
        """Rate again and post each difference; a run that was cut short is finished by another.

        Raises:
            InvalidInput: no key that a transfer can have.
            UnknownTariff: there is no such version.

        """
        if not 1 <= len(key) <= KEY_MAX or not key.isprintable():
            raise InvalidInput(reason=f"a key of 1 to {KEY_MAX} printable characters is needed")
        found = Rerating()
        async for chunk in self._differing(wanted, version, found):
            found.differences += chunk
            answers = await asyncio.gather(
                *(self._post(difference, key, actor) for difference in chunk),
                return_exceptions=True,
            )
            for difference, answer in zip(chunk, answers, strict=True):
                if isinstance(answer, BillingError):
                    found.refused.append((difference, answer))
                elif isinstance(answer, BaseException):
                    raise answer
                else:
                    found.posted += 1
        return found

    async def _post(self, difference: Difference, key: str, actor: str) -> None:
        posted = await self._writer.submit(
            Post(
                key=f"{KIND}:{key}:{difference.session_id}",
                transfer_id=new_id(self._clock),
                kind=KIND,
                entries=difference.entries,
                at_us=microseconds_of(self._clock.now()),
                memo=f"rated again: {key}",
                actor=actor,
                reference=difference.session_id,
            )
        )
        assert isinstance(posted, Posted)

    async def _differing(
        self, wanted: Selection, version: int | None, found: Rerating
    ) -> AsyncIterator[list[Difference]]:
        """Read sessions page by page; no page is read twice and none is kept."""
        by = await self._version(wanted.tariff, version)
        tariffs: dict[int, Tariff] = {}
        last = ""
        while True:
            async with self._engine.connect() as connection:
                rows = (await connection.execute(_settled(wanted, last))).all()
                if not rows:
                    return
                booked = await _booked(connection, [row.id for row in rows])
            last = rows[-1].id
            found.sessions += len(rows)
            chunk: list[Difference] = []
            for row in rows:
                if row.tariff_version_id not in tariffs:
                    tariffs[row.tariff_version_id] = Tariff.from_json(row.body)
                moved = booked.get(row.id, _Booked())
                difference = _difference(row, by or tariffs[row.tariff_version_id], moved)
                if difference is None:
                    continue
                if moved.refunded:
                    found.refunded.append(row.id)
                else:
                    chunk.append(difference)
            yield chunk

    async def _version(self, tariff: str | None, version: int | None) -> Tariff | None:
        if version is None:
            return None
        if tariff is None:
            raise InvalidInput(reason="a version needs the name of its tariff")
        query = select(tariff_versions.c.body).where(
            tariff_versions.c.name == tariff, tariff_versions.c.version == version
        )
        async with self._engine.connect() as connection:
            body = await connection.scalar(query)
        if body is None:
            raise UnknownTariff(tariff=f"{tariff} version {version}")
        return Tariff.from_json(body)


@dataclass(slots=True, kw_only=True)
class _Booked:
    """What a session moved so far, by account; the caller's amount is negative."""

    amounts: dict[AccountRef, Micros] = field(default_factory=dict)
    refunded: bool = False


def _difference(
    row: Row[Any],  # Any: a row of many column types
    tariff: Tariff,
    booked: _Booked,
) -> Difference | None:
    table = RateTable.compile(tariff, started_at=moment_of(row.opened_us), timezone=row.timezone)
    talked = min(seconds_of(row.talk_us), row.seconds) - row.covered_seconds
    charge = table.charge(talked)
    cost = charge.cost
    caller = AccountRef(kind="caller", code=row.code, currency=row.currency)
    wanted = {caller: -cost}
    for part in parts_of(charge, shares_from_json(row.shares)):
        ref = AccountRef(kind=part.kind, code=part.account, currency=row.currency)
        wanted[ref] = wanted.get(ref, 0) + part.amount
    moves = tuple(
        PostedEntry(account=ref, amount=amount)
        for ref in sorted(wanted.keys() | booked.amounts.keys())
        if (amount := wanted.get(ref, 0) - booked.amounts.get(ref, 0))
    )
    paid = -booked.amounts.get(caller, 0)
    if not moves or cost == paid:
        return None
    return Difference(
        session_id=row.id,
        account=row.code,
        client=row.client,
        tariff=row.name,
        currency=row.currency,
        paid=paid,
        cost=cost,
        entries=moves,
    )


def _settled(wanted: Selection, last: str) -> Any:  # Any: a select over many columns
    query = (
        select(
            sessions,
            tariff_versions.c.body,
            tariff_versions.c.name,
            holds.c.seconds,
            accounts.c.code,
        )
        .select_from(
            sessions.join(tariff_versions, tariff_versions.c.id == sessions.c.tariff_version_id)
            .join(holds, holds.c.id == sessions.c.id)
            .join(accounts, accounts.c.id == sessions.c.account_id)
        )
        .where(
            sessions.c.state == "settled",
            sessions.c.ended_us >= wanted.span.from_us,
            sessions.c.ended_us < wanted.span.until_us,
            sessions.c.id > last,
        )
        .order_by(sessions.c.id)
        .limit(CHUNK)
    )
    if wanted.client is not None:
        query = query.where(sessions.c.client == wanted.client)
    if wanted.tariff is not None:
        query = query.where(tariff_versions.c.name == wanted.tariff)
    return query


async def _booked(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, _Booked]:
    """Read what was moved for these sessions."""
    rows = await connection.execute(
        select(
            transfers.c.reference,
            transfers.c.kind.label("transfer_kind"),
            accounts.c.kind,
            accounts.c.code,
            accounts.c.currency,
            entries.c.amount,
        )
        .select_from(
            transfers.join(entries, entries.c.transfer_id == transfers.c.id).join(
                accounts, accounts.c.id == entries.c.account_id
            )
        )
        .where(
            transfers.c.reference >= ids[0],
            transfers.c.reference <= ids[-1],
            transfers.c.kind.in_(("settle", KIND, "refund")),
        )
    )
    found: dict[str, _Booked] = {}
    for row in rows:
        booked = found.setdefault(row.reference, _Booked())
        if row.transfer_kind == "refund":
            booked.refunded = True
            continue
        ref = AccountRef(kind=row.kind, code=row.code, currency=row.currency)
        booked.amounts[ref] = booked.amounts.get(ref, 0) + row.amount
    return found
