"""Refunds of settled sessions: every party gives back its share, or the provider alone.

    refund      parties -> caller     in proportion to what each still has of this session
    goodwill    provider -> caller    the parties keep their shares

Together they never exceed what the session cost. The refund that takes the rest takes exactly what
each party has left, so nothing is lost by rounding.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Row, or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import Clock, microseconds_of
from billing.domain.operations import AccountRef, Post, Posted, PostedEntry
from billing.domain.splits import apportion
from billing.errors import (
    BillingError,
    IdempotencyConflict,
    InvalidInput,
    LedgerUnavailable,
    NothingToRefund,
    UnknownSession,
)
from billing.ids import new_id
from billing.money import Micros
from billing.storage.drivers import DatabaseFailed
from billing.storage.engine import for_writing
from billing.storage.ledger import lock_accounts, post_batch
from billing.storage.tables import accounts, entries, sessions, transfers

KEY_MAX: Final = 100
REASON_MAX: Final = 500
# What a session moved between its caller and its parties.
_SHARED: Final = frozenset({"settle", "rerate", "refund"})
_KINDS: Final = (*sorted(_SHARED), "goodwill")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """Money given back for a session; `parts` says by whom."""

    transfer_id: str
    session_id: str
    account: str
    amount: Micros
    currency: str
    kind: str
    reason: str
    parts: tuple[tuple[AccountRef, Micros], ...]
    at_us: int
    replayed: bool


@dataclass(slots=True, kw_only=True)
class _Moved:
    """What a session moved so far: the caller's cost, what came back, and what each party has."""

    settled: str = ""
    cost: Micros = 0
    back: Micros = 0
    parties: dict[AccountRef, Micros] = field(default_factory=dict)

    @property
    def left(self) -> Micros:
        return self.cost - self.back


class Refunds:
    """The use-cases of refunds."""

    def __init__(self, *, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def refund(
        self,
        session_id: str,
        *,
        key: str,
        actor: str,
        reason: str,
        amount: Micros | None = None,
        goodwill: bool = False,
    ) -> Refund:
        """Give money back for a session, once per key; all that is left of it by default.

        Raises:
            UnknownSession: there is none, or it is not settled.
            NothingToRefund: more than is left of what it cost.
            IdempotencyConflict: the key was used for another amount or kind.
            InvalidInput: no key, reason or amount.
            LedgerUnavailable: the outcome is unknown; ask again with the same key.

        """
        reason = " ".join(reason.split())[:REASON_MAX]
        if not 1 <= len(key) <= KEY_MAX or not key.isprintable():
            raise InvalidInput(reason=f"a key of 1 to {KEY_MAX} printable characters is needed")
        if not reason or not reason.isprintable():
            raise InvalidInput(reason="a refund needs a reason")
        if amount is not None and amount <= 0:
            raise InvalidInput(reason="a refund is more than zero")
        kind = "goodwill" if goodwill else "refund"
        connection = await for_writing(self._engine)
        try:
            async with connection.begin():
                session = await _session(connection, session_id)
                # From here on nobody else moves this caller's money.
                await lock_accounts(connection, _involved(session))
                transfer_key = f"refund:{session_id}:{key}"
                stored = await _stored(connection, session, transfer_key)
                if stored is not None:
                    if stored.kind != kind or amount not in {None, stored.amount}:
                        raise IdempotencyConflict(key=key)
                    return stored
                moved = await _moved(connection, session)
                wanted = moved.left if amount is None else amount
                if not 0 < wanted <= moved.left:
                    raise NothingToRefund(session_id=session_id, left=moved.left)
                return await self._post(
                    connection, session, moved, wanted, kind, transfer_key, actor, reason
                )
        except (DatabaseFailed, SQLAlchemyError, OSError, TimeoutError) as error:
            raise LedgerUnavailable(reason=type(error).__name__) from error
        finally:
            await connection.close()

    async def of_session(self, session_id: str) -> list[Refund]:
        """List what was given back for a session, oldest first."""
        async with self._engine.connect() as connection:
            try:
                session = await _session(connection, session_id)
            except UnknownSession:
                return []
            return await _listed(connection, session)

    async def _post(
        self,
        connection: AsyncConnection,
        session: Row[Any],  # Any: a row of many column types
        moved: _Moved,
        amount: Micros,
        kind: str,
        key: str,
        actor: str,
        reason: str,
    ) -> Refund:
        caller = AccountRef(kind="caller", code=session.code, currency=session.currency)
        givers = moved.parties
        if kind == "goodwill":
            givers = {
                AccountRef(kind="provider", code="provider", currency=session.currency): amount
            }
        # Who owes by now, after an earlier re-rating, gives nothing.
        shares = [(ref, max(has, 0)) for ref, has in sorted(givers.items())]
        given = apportion(amount, [has for _, has in shares])
        parts = tuple((ref, part) for (ref, _), part in zip(shares, given, strict=True) if part)
        now_us = microseconds_of(self._clock.now())
        post = Post(
            key=key,
            transfer_id=new_id(self._clock),
            kind=kind,
            entries=(
                PostedEntry(account=caller, amount=amount),
                *(PostedEntry(account=ref, amount=-part) for ref, part in parts),
            ),
            at_us=now_us,
            memo=reason,
            actor=actor,
            reference=session.id,
            reverses=moved.settled,
        )
        (outcome,) = await post_batch(connection, [post])
        if isinstance(outcome, BillingError):
            raise outcome
        assert isinstance(outcome, Posted)
        return Refund(
            transfer_id=outcome.transfer_id,
            session_id=session.id,
            account=session.code,
            amount=amount,
            currency=session.currency,
            kind=kind,
            reason=reason,
            parts=parts,
            at_us=now_us,
            replayed=False,
        )


async def _session(connection: AsyncConnection, session_id: str) -> Row[Any]:  # Any: as above
    query = (
        select(sessions, accounts.c.code)
        .join(accounts, accounts.c.id == sessions.c.account_id)
        .where(sessions.c.id == session_id, sessions.c.state == "settled")
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise UnknownSession(session_id=session_id)
    return row


def _involved(session: Row[Any]) -> Any:  # Any: a row in, an SQL condition out
    """Find the caller, everybody who got a part of the session, and who pays for goodwill."""
    parties = (
        select(entries.c.account_id)
        .join(transfers, transfers.c.id == entries.c.transfer_id)
        .where(transfers.c.reference == session.id)
    )
    return or_(
        accounts.c.id == session.account_id,
        accounts.c.id.in_(parties),
        (accounts.c.kind == "provider") & (accounts.c.currency == session.currency),
    )


async def _moved(connection: AsyncConnection, session: Row[Any]) -> _Moved:  # Any: as above
    rows = await connection.execute(_entries(session).where(transfers.c.kind.in_(_KINDS)))
    moved = _Moved()
    for row in rows:
        if row.transfer_kind == "settle":
            moved.settled = row.transfer_id
        if row.account_id == session.account_id:
            if row.transfer_kind in {"settle", "rerate"}:
                moved.cost -= row.amount
            else:
                moved.back += row.amount
        elif row.transfer_kind in _SHARED:
            ref = AccountRef(kind=row.kind, code=row.code, currency=session.currency)
            moved.parties[ref] = moved.parties.get(ref, 0) + row.amount
    return moved


async def _stored(
    connection: AsyncConnection,
    session: Row[Any],  # Any: as above
    key: str,
) -> Refund | None:
    found = await _listed(connection, session, transfers.c.key == key)
    return found[0] if found else None


async def _listed(
    connection: AsyncConnection,
    session: Row[Any],  # Any: as above
    *conditions: Any,  # Any: SQL conditions
) -> list[Refund]:
    rows = (
        await connection.execute(
            _entries(session)
            .where(transfers.c.kind.in_(("refund", "goodwill")), *conditions)
            .order_by(transfers.c.at_us, transfers.c.id, accounts.c.kind)
        )
    ).all()
    found: dict[str, list[Row[Any]]] = {}
    for row in rows:
        found.setdefault(row.transfer_id, []).append(row)
    return [_refund(session, lines) for lines in found.values()]


def _refund(session: Row[Any], lines: list[Row[Any]]) -> Refund:  # Any: as above
    first = lines[0]
    parts = tuple(
        (AccountRef(kind=line.kind, code=line.code, currency=session.currency), -line.amount)
        for line in lines
        if line.account_id != session.account_id
    )
    return Refund(
        transfer_id=first.transfer_id,
        session_id=session.id,
        account=session.code,
        amount=sum(part for _, part in parts),
        currency=session.currency,
        kind=first.transfer_kind,
        reason=first.memo or "",
        parts=parts,
        at_us=first.at_us,
        replayed=True,
    )


def _entries(session: Row[Any]) -> Any:  # Any: a row in, a select out
    return (
        select(
            transfers.c.id.label("transfer_id"),
            transfers.c.kind.label("transfer_kind"),
            transfers.c.memo,
            transfers.c.at_us,
            entries.c.account_id,
            entries.c.amount,
            accounts.c.kind,
            accounts.c.code,
        )
        .select_from(
            transfers.join(entries, entries.c.transfer_id == transfers.c.id).join(
                accounts, accounts.c.id == entries.c.account_id
            )
        )
        .where(transfers.c.reference == session.id)
    )
