"""A metered session and its money: open, extend, settle or void. One unit of work each.

    open    hold the first slice: setup fee, minimum and some seconds       -> Grant
    extend  hold more before it ends                                        -> Grant
    settle  debit what was used, split it, release the rest, in one step    -> Settlement
    void    release everything

Every step is idempotent by the session's id and the number of the step.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, NoReturn

import structlog
from sqlalchemy import Row, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.clock import Clock, moment_of
from billing.domain.cover import ALLOWANCES_MAX, Allowance
from billing.domain.operations import (
    AccountRef,
    Expire,
    ExtendHold,
    Grant,
    OpenHold,
    SessionResult,
    SessionRow,
    Settle,
    Settled,
    Void,
)
from billing.domain.plans import SECONDS_UNIT
from billing.domain.rating import RateTable, seconds_of
from billing.domain.sessions import Balance, OpenSession, SessionTerms, Settlement, parts_of
from billing.domain.tariffs import Tariff
from billing.errors import BillingError, LedgerUnavailable, UnknownAccount
from billing.ids import new_id
from billing.journal import Journal, JournalDamaged
from billing.storage.ledger import refs_from_json, shares_from_json
from billing.storage.statements import Find
from billing.storage.tables import accounts, holds, sessions, tariff_versions
from billing.storage.writer import GroupWriter

__all__ = ["Balance", "Charging", "Grant", "OpenSession", "SessionTerms", "Settlement"]

MICROSECONDS: Final = 1_000_000
REPLAY_SECONDS: Final = 2.0
REPLAY_MAX: Final = 1_000
SETTLE_TRIES: Final = 3
OPEN_SESSIONS_MAX: Final = 10_000

_FIND_BALANCE: Final = Find(
    source="accounts",
    columns=("posted", "held", "credit_limit", "mode", "currency", "status"),
    keys=("kind", "code"),
)

_FIND_ALLOWANCES: Final = Find(
    source=(
        "subscriptions JOIN allowances ON allowances.subscription = subscriptions.id "
        "JOIN accounts ON accounts.kind = 'allowance' AND accounts.code = allowances.code"
    ),
    columns=(
        "allowances.code",
        "allowances.priority",
        "allowances.expires_us",
        "accounts.posted",
        "accounts.held",
    ),
    keys=("subscriptions.account", "subscriptions.state", "allowances.unit"),
)
NEVER_US: Final = 2**62

log = structlog.get_logger()


class Charging:
    """The use-cases of a live session."""

    def __init__(
        self, *, writer: GroupWriter, engine: AsyncEngine, clock: Clock, journal: Journal
    ) -> None:
        self._writer = writer
        self._engine = engine
        self._clock = clock
        self._journal = journal

    async def balance(self, account: str) -> Balance:
        """Read a caller's account.

        Raises:
            UnknownAccount: there is no such account.
            LedgerUnavailable: the database does not answer.

        """
        rows = await self._writer.read(_FIND_BALANCE, ("caller", account))
        if not rows:
            raise UnknownAccount(account=account)
        posted, held, credit_limit, mode, currency, status = rows[0]
        return Balance(
            posted=posted,
            held=held,
            spendable=posted - held + (credit_limit or 0),
            mode=mode or "prepaid",
            currency=currency,
            status=status,
        )

    async def allowances(self, account: str) -> tuple[Allowance, ...]:
        """List what the plan of an account still has for talk, in burning order.

        Raises:
            LedgerUnavailable: the database does not answer.

        """
        now_us = self._now_us()
        found: list[tuple[int, int, Allowance]] = []
        for code, priority, expires_us, posted, held in await self._writer.read(
            _FIND_ALLOWANCES, (account, "active", SECONDS_UNIT)
        ):
            seconds = (posted - held) // MICROSECONDS
            if seconds > 0 and (expires_us is None or expires_us > now_us):
                ref = AccountRef(kind="allowance", code=code, currency=SECONDS_UNIT)
                allowance = Allowance(account=ref, seconds=seconds)
                found.append((priority, expires_us or NEVER_US, allowance))
        found.sort(key=lambda each: (*each[:2], each[2].account))
        return tuple(allowance for _, _, allowance in found[:ALLOWANCES_MAX])

    async def open(self, terms: SessionTerms, *, slice_seconds: int, expires_seconds: int) -> Grant:
        """Hold the first slice: at least the setup fee and the first block.

        Raises:
            InsufficientFunds: not even that can be paid.
            AccountBlocked: the account may not spend.
            LedgerUnavailable: the outcome is unknown; nothing may begin.

        """
        answer = await self._writer.submit(
            OpenHold(
                hold_id=terms.session_id,
                account=terms.payer,
                table=terms.table,
                seconds=slice_seconds,
                at_us=terms.priced_us,
                expires_us=terms.priced_us + expires_seconds * MICROSECONDS,
                session=SessionRow(
                    client=terms.client,
                    service=terms.service,
                    detail=terms.detail,
                    tariff_version_id=terms.tariff_version_id,
                    timezone=terms.timezone,
                    shares=terms.shares,
                ),
                cover=terms.cover,
            )
        )
        assert isinstance(answer, Grant)
        return answer

    async def extend(
        self, terms: SessionTerms, *, step: int, to_seconds: int, proven_us: int
    ) -> Grant:
        """Hold more, up to `to_seconds` of talk in all; `proven_us` of talk were seen by now.

        Raises:
            InsufficientFunds: no further block can be paid.
            AccountBlocked: the account may not spend any more.
            LedgerUnavailable: the outcome is unknown; ask again with the same step.

        """
        answer = await self._writer.submit(
            ExtendHold(
                hold_id=terms.session_id,
                account=terms.payer,
                step=step,
                table=terms.table,
                seconds=to_seconds,
                expires_us=self._now_us() + to_seconds * MICROSECONDS,
                proven_us=proven_us,
                cover=terms.cover,
            )
        )
        assert isinstance(answer, Grant)
        return answer

    async def settle(
        self,
        terms: SessionTerms,
        *,
        talk_us: int,
        granted_seconds: int,
        covered_seconds: int = 0,
        started_us: int,
        ended_us: int,
        evidence: str,
        review: bool = False,
        note: str | None = None,
        agent: str = "",
    ) -> Settlement:
        """Charge the talk, never more than was granted, and split it in the same transfer.

        The first `covered_seconds` are drawn from the allowances of a plan and cost no money.
        A ledger that cannot be reached does not stop it: the settlement is journalled and booked
        when the ledger is back.
        """
        seconds = min(seconds_of(talk_us), granted_seconds)
        covered = min(seconds, covered_seconds)
        charge = terms.table.charge(seconds - covered)
        parts = parts_of(charge, terms.shares)
        operation = Settle(
            hold_id=terms.session_id,
            account=terms.payer,
            transfer_id=new_id(self._clock),
            amount=charge.cost,
            parts=parts,
            at_us=self._now_us(),
            result=SessionResult(
                started_us=started_us,
                ended_us=ended_us,
                talk_us=talk_us,
                billed_seconds=charge.billed_seconds,
                evidence=evidence,
                review=review,
                note=note,
                tax=charge.tax,
                agent=agent,
            ),
            cover=terms.cover,
            covered_seconds=covered,
        )
        settled = await self._book(operation)
        return Settlement(
            talk_us=talk_us,
            billed_seconds=charge.billed_seconds,
            cost=charge.cost,
            currency=terms.currency,
            parts=parts,
            charge=charge,
            covered_seconds=covered,
            balance_before=settled.balance_before if settled else None,
            balance_after=settled.balance_after if settled else None,
        )

    async def void(self, terms: SessionTerms, *, note: str) -> None:
        """Release the holds of a session that cost nothing."""
        await self._writer.submit(
            Void(
                hold_id=terms.session_id,
                account=terms.payer,
                at_us=self._now_us(),
                note=note,
                cover=terms.cover,
            )
        )

    async def expire(self, terms: SessionTerms) -> None:
        """Release holds that nobody ended in their time.

        Raises:
            HoldNotExpired: their time is not over.

        """
        await self._writer.submit(
            Expire(
                hold_id=terms.session_id,
                account=terms.payer,
                at_us=self._now_us(),
                cover=terms.cover,
            )
        )

    async def open_sessions(
        self, *, looked_after: Callable[[str], bool] = lambda _session_id: False
    ) -> tuple[OpenSession, ...]:
        """List the sessions whose hold is open, oldest first.

        Left out are the journalled ones, and those that somebody already looks after.
        """
        query = (
            select(
                sessions,
                holds.c.step,
                holds.c.seconds,
                holds.c.amount,
                holds.c.proven_us,
                holds.c.covered_seconds.label("held_covered_seconds"),
                accounts.c.code,
                tariff_versions.c.body,
            )
            .select_from(
                sessions.join(holds, holds.c.id == sessions.c.id)
                .join(accounts, accounts.c.id == sessions.c.account_id)
                .join(tariff_versions, tariff_versions.c.id == sessions.c.tariff_version_id)
            )
            .where(sessions.c.state == "open")
            .order_by(sessions.c.opened_us)
            .limit(OPEN_SESSIONS_MAX)
        )
        journalled = frozenset(await asyncio.to_thread(self._journal.waiting))
        try:
            async with self._engine.connect() as connection:
                rows = (await connection.execute(query)).all()
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise LedgerUnavailable(reason=type(error).__name__) from error
        return tuple(
            _open_session(row)
            for row in rows
            if row.id not in journalled and not looked_after(row.id)
        )

    async def replay_journal(self) -> NoReturn:
        """Book what waits in the journal, for ever."""
        while True:
            await self.replay_once()
            await asyncio.sleep(REPLAY_SECONDS)

    async def replay_once(self) -> None:
        """Book what waits in the journal; ends early when the ledger does not answer.

        What the ledger refuses is set aside, or it would stand before all others for ever. Its
        session, if that is still open, is then closed by evidence like any other.
        """
        silent = 0
        waiting = await asyncio.to_thread(self._journal.waiting)
        for session_id in waiting[:REPLAY_MAX]:
            try:
                await self._writer.submit(await asyncio.to_thread(self._journal.read, session_id))
            except LedgerUnavailable:
                silent += 1
                if silent == SETTLE_TRIES:
                    return
            except (BillingError, JournalDamaged) as error:
                aside = await asyncio.to_thread(self._journal.set_aside, session_id)
                log.exception(
                    "journalled settlement refused",
                    session_id=session_id,
                    reason=type(error).__name__,
                    file=aside.name,
                )
            else:
                silent = 0
                log.info("journalled settlement booked", session_id=session_id)
                await asyncio.to_thread(self._journal.forget, session_id)

    async def _book(self, operation: Settle) -> Settled | None:
        for _ in range(SETTLE_TRIES):
            try:
                answer = await self._writer.submit(operation)
            except LedgerUnavailable:
                continue
            assert isinstance(answer, Settled)
            return answer
        log.error("settlement journalled", session_id=operation.hold_id, cost=operation.amount)
        await asyncio.to_thread(self._journal.keep, operation)
        return None

    def _now_us(self) -> int:
        return int(self._clock.now().timestamp() * MICROSECONDS)


def _open_session(row: Row[Any]) -> OpenSession:  # Any: a row of many column types
    table = RateTable.compile(
        Tariff.from_json(row.body),
        started_at=moment_of(row.opened_us),
        timezone=row.timezone,
    )
    return OpenSession(
        terms=SessionTerms(
            session_id=row.id,
            account=row.code,
            client=row.client,
            service=row.service,
            detail=row.detail,
            tariff_version_id=row.tariff_version_id,
            table=table,
            timezone=row.timezone,
            shares=shares_from_json(row.shares),
            currency=row.currency,
            priced_us=row.opened_us,
            cover=refs_from_json(row.cover),
        ),
        step=row.step,
        granted_seconds=row.seconds,
        granted_amount=row.amount,
        covered_seconds=row.held_covered_seconds,
        proven_us=row.proven_us,
        opened_us=row.opened_us,
    )
