"""Callers who asked to be called back: kept until it happened, tried three times within a day.

    waiting -> calling (an agent is rung) -> done
       ^----------------'  nobody answered, or the caller did not: again after a while
    waiting or calling -> failed after the last try; cancelled by an operator

A request is claimed in the database before anybody is rung, so that two services never ring for
the same one; what a service that died had claimed is free again when it starts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

import structlog
from sqlalchemy import Row, insert, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.clock import Clock, microseconds_of
from billing.ids import new_id
from billing.storage.engine import for_writing
from ivr.calls.call import Call
from ivr.calls.registry import Registry
from ivr.directory.model import Did, Directory, Topic
from ivr.directory.queues import members
from ivr.tables import callbacks
from ivr.telephony import Switch, SwitchUnavailable

SECOND_US: Final = 1_000_000
DAY_US: Final = 24 * 3600 * SECOND_US
TRIES_MAX: Final = 3
# How long to wait before the next try, by the number of tries so far.
PAUSES_SECONDS: Final = (60, 600, 3_600)
LOOK_SECONDS: Final = 1.0
AT_ONCE_MAX: Final = 20
WRITES_MAX: Final = 600
# The database does not answer.
AWAY: Final = (SQLAlchemyError, OSError)
# Between an agent's answer and its flow.
ANSWER_SECONDS: Final = 5

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """Whom to call back, and what for."""

    id: str
    client: str
    did: str
    digit: int
    account: str
    number: str
    language: str
    tries: int
    created_us: int


class Callbacks:
    """Keeps requests, and rings agents for them."""

    def __init__(
        self,
        engine: AsyncEngine,
        clock: Clock,
        *,
        switch: Switch,
        registry: Registry,
        directory: Callable[[], Directory],
        node: str,
        ring_seconds: int,
        pauses_seconds: tuple[int, ...] = PAUSES_SECONDS,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._switch = switch
        self._registry = registry
        self._directory = directory
        self._node = node
        self._ring_seconds = ring_seconds
        self._pauses = pauses_seconds
        self._rung: dict[str, Callback] = {}

    async def ask(self, call: Call, number: str, digit: int) -> None:
        """Keep a request; who asks twice for the same is called back once."""
        now_us = microseconds_of(self._clock.now())
        connection = await for_writing(self._engine)
        try:
            async with connection.begin():
                known = await connection.scalar(
                    select(callbacks.c.id).where(
                        callbacks.c.state.in_(("waiting", "calling")),
                        callbacks.c.account == call.account,
                        callbacks.c.did == call.facts.did,
                        callbacks.c.digit == digit,
                    )
                )
                if known is None:
                    row = {
                        "id": new_id(self._clock), "call": call.id, "client": call.client,
                        "did": call.facts.did, "digit": digit, "account": call.account,
                        "number": number, "language": call.language, "state": "waiting",
                        "tries": 0, "next_us": now_us, "created_us": now_us,
                    }  # fmt: skip
                    await connection.execute(insert(callbacks), row)
        finally:
            await connection.close()
        log.info("callback asked for", number=number, digit=digit)

    async def run(self) -> NoReturn:
        """Ring agents for ever, for whoever waits."""
        while True:
            try:
                await self._free_mine()
                break
            except AWAY:
                await asyncio.sleep(LOOK_SECONDS)
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    await self._round(group)
                except AWAY as error:
                    log.warning("callbacks not read", reason=type(error).__name__)
                await asyncio.sleep(LOOK_SECONDS)

    def rung(self, callback_id: str) -> Callback | None:
        """Hand a request over to the flow of the agent who answered; None for a stranger's."""
        return self._rung.pop(callback_id, None)

    async def done(self, callback: Callback, *, call_id: str) -> None:
        """They talked."""
        await self._write(callback, state="done", made=call_id, ended=True)

    async def failed(self, callback: Callback, reason: str, *, final: bool = False) -> None:
        """Nobody talked: try again later, or give up."""
        tries = callback.tries + 1
        if final or tries >= TRIES_MAX:
            await self._write(callback, state="failed", reason=reason, tries=tries, ended=True)
        else:
            await self._write(callback, state="waiting", reason=reason, tries=tries)

    async def later(self, callback: Callback) -> None:
        """No agent was free: that is no try, since the caller was not rung."""
        await self._write(callback, state="waiting", reason="no agent was free")

    async def _round(self, group: asyncio.TaskGroup) -> None:
        if self._registry.closed or not self._registry.link_up.is_set():
            return
        now_us = microseconds_of(self._clock.now())
        query = (
            select(callbacks)
            .where(callbacks.c.state == "waiting", callbacks.c.next_us <= now_us)
            .order_by(callbacks.c.next_us)
            .limit(AT_ONCE_MAX)
        )
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        for row in rows:
            callback = _callback(row)
            if now_us - callback.created_us > DAY_US:
                await self.failed(callback, "nobody was free for a day", final=True)
                continue
            found = self._topic(callback)
            if found is not None and await self._claim(callback):
                group.create_task(self._ring(callback, *found), name=f"callback:{callback.id}")

    def _topic(self, callback: Callback) -> tuple[Did, Topic] | None:
        """Find what it is about, while that is open."""
        did = self._directory().did(callback.did)
        now = self._clock.now()
        if did is None or not did.is_open(now):
            return None
        for topic in did.offered(now):
            if topic.digit == callback.digit:
                return did, topic
        return None

    async def _ring(self, callback: Callback, did: Did, topic: Topic) -> None:
        """Ring one agent after the other until one takes it over."""
        self._rung[callback.id] = callback
        try:
            for destination, member in self._agents(topic, callback.tries):
                if member and not await self._switch.is_free(member):
                    continue
                log.info("callback rings", callback=callback.id, agent=member or destination)
                await self._switch.call_back(
                    destination,
                    callback.id,
                    ring_seconds=self._ring_seconds,
                    caller_id=did.number,
                    member=member,
                )
                if await self._taken(callback.id):
                    return
        except SwitchUnavailable as error:
            log.warning("callback not rung", callback=callback.id, reason=str(error))
        if self._rung.pop(callback.id, None) is not None:
            await self.later(callback)

    def _agents(self, topic: Topic, tries: int) -> list[tuple[str, str]]:
        """List whom to ring, with its name where a queue knows it; each try begins elsewhere."""
        if topic.destination.kind != "queue":
            return [(str(topic.destination), "")]
        directory = self._directory()
        queue = directory.queues.get(topic.destination.target)
        agents = members(queue, directory.away) if queue else []
        first = tries % len(agents) if agents else 0
        return [
            (str(agent.destination), f"{queue.client}.{agent.code}" if queue else "")
            for agent in (*agents[first:], *agents[:first])
        ]

    async def _taken(self, callback_id: str) -> bool:
        """Wait until an agent's flow has it, as long as it may ring."""
        deadline = self._clock.monotonic() + self._ring_seconds + ANSWER_SECONDS
        while self._clock.monotonic() < deadline:
            if callback_id not in self._rung:
                return True
            await asyncio.sleep(0.1)
        return False

    async def _claim(self, callback: Callback) -> bool:
        connection = await for_writing(self._engine)
        try:
            async with connection.begin():
                done = await connection.execute(
                    update(callbacks)
                    .where(callbacks.c.id == callback.id, callbacks.c.state == "waiting")
                    .values(state="calling", node=self._node)
                )
        finally:
            await connection.close()
        return bool(done.rowcount)

    async def _free_mine(self) -> None:
        """Nothing of this node is being rung for: it was just started."""
        connection = await for_writing(self._engine)
        try:
            async with connection.begin():
                await connection.execute(
                    update(callbacks)
                    .where(callbacks.c.state == "calling", callbacks.c.node == self._node)
                    .values(state="waiting")
                )
        finally:
            await connection.close()

    async def _write(
        self,
        callback: Callback,
        *,
        state: str,
        reason: str | None = None,
        tries: int | None = None,
        made: str | None = None,
        ended: bool = False,
    ) -> None:
        now_us = microseconds_of(self._clock.now())
        count = callback.tries if tries is None else tries
        pause = self._pauses[min(count, len(self._pauses) - 1)]
        values = {
            "state": state, "reason": reason, "tries": count, "made": made,
            "next_us": now_us + pause * SECOND_US, "ended_us": now_us if ended else None,
        }  # fmt: skip
        # What became of it must not be forgotten, or the caller would be rung once more.
        for _ in range(WRITES_MAX):
            try:
                await self._update(callback.id, values)
                break
            except AWAY:
                await asyncio.sleep(LOOK_SECONDS)
        log.info("callback moved", callback=callback.id, state=state, reason=reason)

    async def _update(self, callback_id: str, values: Mapping[str, object]) -> None:
        connection = await for_writing(self._engine)
        try:
            async with connection.begin():
                await connection.execute(
                    update(callbacks)
                    .where(
                        callbacks.c.id == callback_id,
                        callbacks.c.state.in_(("waiting", "calling")),
                    )
                    .values(**values)
                )
        finally:
            await connection.close()


def _callback(row: Row[tuple[object, ...]]) -> Callback:
    return Callback(
        id=row.id,
        client=row.client,
        did=row.did,
        digit=row.digit,
        account=row.account,
        number=row.number,
        language=row.language,
        tries=row.tries,
        created_us=row.created_us,
    )
