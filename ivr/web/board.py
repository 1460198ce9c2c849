"""The board of the queues: who waits, who answers, how today goes. It ticks each two seconds.

Asterisk tells what is now, once for all who look; the calls of today tell the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from ivr.directory.queues import Queue
from ivr.telephony import QueueNow, SwitchUnavailable
from ivr.web.guard import Page, render
from ivr.web.live import LiveCall
from ivr.web.queries.board import QueueDay, queue_days
from ivr.web.queries.pulse import from_midnight
from ivr.web.scope import CLIENTS, OPERATORS, Role, Scope, Who
from ivr.web.state import Web, web_of

NOW_SECONDS: Final = 1.0
DAY_SECONDS: Final = 15.0
EMPTY: Final = QueueNow(callers=(), agents=())


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerRow:
    """Somebody who waits; `call` is None where the service does not know it."""

    position: int
    waits_seconds: int
    call: LiveCall | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRow:
    """An agent: free, ringing, talking, wrap_up, paused, logged_out, or unreachable."""

    code: str
    state: str
    calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """One queue as the board shows it."""

    name: str
    client: str
    callers: tuple[CallerRow, ...]
    agents: tuple[AgentRow, ...]
    today: QueueDay

    @property
    def longest_seconds(self) -> int:
        """How long the first in line has waited."""
        return max((caller.waits_seconds for caller in self.callers), default=0)

    @property
    def is_in_need(self) -> bool:
        """Tell whether somebody waits and nobody can answer."""
        at_work = {"free", "ringing", "talking", "wrap_up"}
        return bool(self.callers) and not any(one.state in at_work for one in self.agents)


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """All queues that the visitor may see; without Asterisk only what the service knows itself."""

    queues: tuple[QueueRow, ...]
    linked: bool


async def read_board(running: Web, scope: Scope) -> Board:
    """Put together what is now and how today goes."""
    try:
        now: Mapping[str, QueueNow] = await running.shared.get(
            "queues", lambda: running.deps.queues.read(running.now().timestamp()),
            seconds=NOW_SECONDS,
        )  # fmt: skip
        linked = True
    except SwitchUnavailable:
        now, linked = {}, False
    directory = running.deps.directory()
    mine = [
        queue
        for _, queue in sorted(directory.queues.items())
        if scope.role is Role.OPERATOR or queue.client == scope.subject
    ]
    client = None if scope.role is Role.OPERATOR else scope.subject
    days = await running.shared.get(
        f"queue days:{client or ''}", lambda: _days(running, client), seconds=DAY_SECONDS
    )
    calls = {call.uniqueid: call for call in running.deps.live.snapshot() if scope.sees(call)}
    return Board(
        queues=tuple(
            _row(queue, now.get(queue.name, EMPTY), days, calls, directory.away) for queue in mine
        ),
        linked=linked,
    )


async def _days(running: Web, client: str | None) -> dict[str, QueueDay]:
    async with running.reading() as connection:
        since_us = from_midnight(running.now().date())
        return await queue_days(connection, since_us, client=client)


def _row(
    queue: Queue,
    now: QueueNow,
    days: Mapping[str, QueueDay],
    calls: Mapping[str, LiveCall],
    away: Mapping[tuple[str, str], str],
) -> QueueRow:
    known = {agent.member: agent for agent in now.agents}
    agents = []
    for agent in queue.agents:
        seen = known.get(f"{queue.client}.{agent.code}")
        state = away.get((queue.client, agent.code)) or (seen.state if seen else "unreachable")
        agents.append(AgentRow(code=agent.code, state=state, calls=seen.calls if seen else 0))
    return QueueRow(
        name=queue.name,
        client=queue.client,
        callers=tuple(
            CallerRow(
                position=one.position,
                waits_seconds=one.waits_seconds,
                call=calls.get(one.uniqueid),
            )
            for one in now.callers
        ),
        agents=tuple(agents),
        today=days.get(queue.name, QueueDay()),
    )


async def show(request: web.Request, who: Who) -> web.Response:
    """Show the board."""
    board = await read_board(web_of(request), who.scope)
    return render(request, "board.html", who, {"board": board})


async def tick(request: web.Request, who: Who) -> web.Response:
    """Answer the board alone."""
    board = await read_board(web_of(request), who.scope)
    return render(request, "partials/board.html", who, {"board": board})


def _pages(home: str, roles: frozenset[Role]) -> Sequence[Page]:
    return (
        Page(method="GET", path=f"{home}/board", roles=roles, handler=show),
        Page(method="GET", path=f"{home}/board/now", roles=roles, handler=tick),
    )


PAGES: Final = (*_pages("/admin", OPERATORS), *_pages("/portal", CLIENTS))
