"""Agents that come and go: who is away stands in no queue."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncEngine

from billing.clock import Clock, microseconds_of
from billing.errors import InvalidInput
from billing.storage.engine import for_writing
from ivr.directory.queues import STATES, load_queues
from ivr.directory.store import bump_stamp, lock_directory
from ivr.tables import agents_away


async def set_agent(
    engine: AsyncEngine, client: str, agent: str, state: str, *, clock: Clock
) -> None:
    """Let an agent take calls, pause, or log out.

    Raises:
        InvalidInput: no such state, or the client has no agent of that name in any queue.

    """
    if state not in STATES:
        raise InvalidInput(reason=f"an agent is {', '.join(STATES)}")
    connection = await for_writing(engine)
    try:
        async with connection.begin():
            await lock_directory(connection)
            known = (await load_queues(connection)).values()
            if not any(
                queue.client == client and agent in {each.code for each in queue.agents}
                for queue in known
            ):
                raise InvalidInput(reason=f"client {client} has no agent {agent!r}")
            row = {"client": client, "agent": agent}
            mine = (agents_away.c.client == client) & (agents_away.c.agent == agent)
            await connection.execute(agents_away.delete().where(mine))
            if state != "available":
                row |= {"state": state}
                await connection.execute(
                    agents_away.insert(), {**row, "at_us": microseconds_of(clock.now())}
                )
            await bump_stamp(connection)
    finally:
        await connection.close()
