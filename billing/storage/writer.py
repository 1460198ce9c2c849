"""One writer commits for all that wait: group commit.

    submit ─┐
    submit ─┼─▶ queue ─▶ take all that waits (<= 256) ─▶ one transaction ─▶ each its own answer
    write  ─┘

A refused operation never fails its neighbours. When the outcome of a commit is unknown the same
batch is tried again: every operation in it is idempotent. Who waits too long gets
`LedgerUnavailable` and may ask again with the same key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

import structlog
from sqlalchemy import Executable
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.domain.operations import Answer, Operation
from billing.errors import BillingError, LedgerUnavailable
from billing.storage.drivers import DatabaseFailed, RowRefused
from billing.storage.ledger import Outcome, batch
from billing.storage.line import Line
from billing.storage.statements import Find, Found, Other, Steps, Values

BATCH_MAX: Final = 256
QUEUE_MAX: Final = 20_000
DEADLINE_SECONDS: Final = 4.0
RETRY_SECONDS: Final = (0.05, 0.1, 0.2, 0.5, 1.0)
BATCH_SECONDS_MAX: Final = 10.0
REASON_MAX: Final = 200

log = structlog.get_logger()

Row = dict[str, Any]  # Any: values of many column types


@dataclass(slots=True)
class _Waiting:
    """One request and who waits for it: an operation of the ledger, or a row of another table."""

    operation: Operation | None
    statement: Executable | None = None
    row: Row | None = None
    answer: asyncio.Future[Any] = field(default_factory=asyncio.Future)  # Any: Answer or None


class GroupWriter:
    """The one writer of a process. Use as an async context manager."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(QUEUE_MAX)
        self._line = Line(engine)
        self._reading = Line(engine)
        self._task: asyncio.Task[None] | None = None
        self.batches = 0
        self.operations = 0
        # Of the last batch: how many requests, and how long it took.
        self.last_size = 0
        self.last_seconds = 0.0

    @property
    def waiting(self) -> int:
        """How many requests wait for the next batch."""
        return self._queue.qsize()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self.run(), name="ledger-writer")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._task is not None
        with suppress(TimeoutError):
            async with asyncio.timeout(BATCH_SECONDS_MAX):
                await self._queue.join()
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await self._line.drop()
        await self._reading.drop()

    async def read(self, find: Find, key: Values) -> Found:
        """Read rows by one key, as they are committed, beside whatever is being written.

        Raises:
            LedgerUnavailable: the database does not answer.

        """
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                return await self._reading.look(find, [key])
        except (DatabaseFailed, SQLAlchemyError, OSError, TimeoutError) as error:
            raise LedgerUnavailable(reason=type(error).__name__) from error

    async def submit(
        self, operation: Operation, *, deadline_seconds: float = DEADLINE_SECONDS
    ) -> Answer:
        """Apply one operation of the ledger; returns once it is committed.

        Raises:
            BillingError: the named refusal.
            LedgerUnavailable: no answer in time; the outcome is unknown, ask again with the same
                key.

        """
        answer: Answer = await self._enqueue(_Waiting(operation), deadline_seconds)
        return answer

    async def write(
        self, statement: Executable, row: Row, *, deadline_seconds: float = DEADLINE_SECONDS
    ) -> None:
        """Execute an insert or update of another table in the next batch.

        The statement object is what rows are grouped by: pass the same one each time.
        """
        await self._enqueue(_Waiting(None, statement, row), deadline_seconds)

    async def _enqueue(self, waiting: _Waiting, deadline_seconds: float) -> Any:  # Any: an answer
        try:
            self._queue.put_nowait(waiting)
        except asyncio.QueueFull:
            raise LedgerUnavailable(reason="too many requests wait") from None
        try:
            async with asyncio.timeout(deadline_seconds):
                return await waiting.answer
        except TimeoutError:
            raise LedgerUnavailable(reason=f"no answer in {deadline_seconds:g} s") from None

    async def run(self) -> None:
        """Take batches for ever."""
        while True:
            batch = [await self._queue.get()]
            while len(batch) < BATCH_MAX and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            # Nobody waits any more for what was cancelled before it began.
            live = [waiting for waiting in batch if not waiting.answer.done()]
            try:
                if live:
                    began = asyncio.get_running_loop().time()
                    await self._serve(live)
                    self.last_seconds = asyncio.get_running_loop().time() - began
                    self.last_size = len(live)
            finally:
                for _ in batch:
                    self._queue.task_done()
            # Who was answered and asks again at once belongs into the next batch.
            await asyncio.sleep(0)

    async def watch(self) -> None:
        """Return when the writer ended, which it never should: a service without it must stop."""
        assert self._task is not None
        await asyncio.wait([self._task])

    async def _serve(self, batch: Sequence[_Waiting], *, again: bool = True) -> None:
        for attempt in range(len(RETRY_SECONDS) + 1):
            try:
                async with asyncio.timeout(BATCH_SECONDS_MAX):
                    outcomes = await self._commit(batch)
            except RowRefused as error:
                await self._apart(batch, again=again, reason=str(error)[:REASON_MAX])
                return
            except (DatabaseFailed, SQLAlchemyError, OSError, TimeoutError) as error:
                await self._line.drop()
                log.warning("ledger batch failed", reason=type(error).__name__, attempt=attempt)
                if attempt == len(RETRY_SECONDS) or all(item.answer.done() for item in batch):
                    _answer_all(batch, LedgerUnavailable(reason=type(error).__name__))
                    return
                await asyncio.sleep(RETRY_SECONDS[attempt])
            except Exception as error:  # a mistake about one operation may not stop all others
                await self._line.drop()
                log.exception("ledger batch broke", operations=len(batch))
                await self._apart(batch, again=False, reason=type(error).__name__)
                return
            else:
                self.batches += 1
                self.operations += len(batch)
                for waiting, outcome in zip(batch, outcomes, strict=True):
                    _answer(waiting, outcome)
                return

    async def _apart(self, batch: Sequence[_Waiting], *, again: bool, reason: str) -> None:
        """Find whose fault it was, one by one.

        What is refused alone is tried once more: another process may have written the same row
        a moment ago, and now it can be seen.
        """
        if len(batch) > 1:
            for waiting in batch:
                await self._serve([waiting])
        elif again:
            await self._serve(batch, again=False)
        else:
            log.error("operation cannot be written", reason=reason)
            _answer(batch[0], LedgerUnavailable(reason="the database refused a row"))

    async def _commit(self, waiting: Sequence[_Waiting]) -> list[Outcome | None]:
        return await self._line.transact(_steps(waiting))


def _steps(waiting: Sequence[_Waiting]) -> Steps[list[Outcome | None]]:
    """Write the rows of other tables, then what the ledger decides."""
    groups: dict[int, tuple[Other, list[Row]]] = {}
    for item in waiting:
        if item.statement is not None and item.row is not None:
            group = groups.setdefault(id(item.statement), (Other(item.statement), []))
            group[1].append(item.row)
    for statement, rows in groups.values():  # noqa: UP028 - what is found is sent to us
        yield statement, rows
    operations = [item.operation for item in waiting if item.operation is not None]
    remaining = iter((yield from batch(operations)) if operations else ())
    return [None if item.operation is None else next(remaining) for item in waiting]


def _answer(waiting: _Waiting, outcome: Outcome | None) -> None:
    if waiting.answer.done():
        return
    if isinstance(outcome, BillingError):
        waiting.answer.set_exception(outcome)
    else:
        waiting.answer.set_result(outcome)


def _answer_all(batch: Sequence[_Waiting], error: BillingError) -> None:
    for waiting in batch:
        _answer(waiting, error)
