"""The support desk: agents that come and go, messages, callbacks; and listening to a call.

The same for operators and clients; the scope decides whose. Who listens is written down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from aiohttp import web

from ivr.directory.agents import set_agent
from ivr.web.actions import LISTEN_ACTIONS
from ivr.web.call_pages import CALL_PATH
from ivr.web.fields import Code, PageInput
from ivr.web.forms import attempt, read_sent
from ivr.web.guard import Page, render
from ivr.web.language import gettext as _
from ivr.web.problems import Refusal
from ivr.web.queries.desk import (
    cancel_callback,
    find_sound,
    list_callbacks,
    list_messages,
    mark_heard,
)
from ivr.web.scope import CLIENTS, OPERATORS, Right, Role, Scope, Who
from ivr.web.state import Web, web_of

LISTED_MAX: Final = 100
CALLBACK_PATH: Final = "{callback:[0-9a-f-]{36}}"
KIND_PATH: Final = "{kind:message|talk}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRow:
    """An agent of a queue, and whether it takes calls."""

    client: str
    queue: str
    code: str
    phone: str
    number: str
    state: str


class AgentForm(PageInput):
    """An agent comes, pauses or goes."""

    client: Code
    agent: Code
    state: Literal["available", "paused", "logged_out"]


async def show(request: web.Request, who: Who) -> web.Response:
    """Show the desk."""
    return await _page(request, who)


async def _page(
    request: web.Request, who: Who, *, refused: str = "", status: int = 200
) -> web.Response:
    running = web_of(request)
    async with running.reading() as connection:
        messages = await list_messages(connection, who.scope, limit=LISTED_MAX)
        waiting = await list_callbacks(connection, who.scope, limit=LISTED_MAX)
    values = {
        "agents": agents_of(running, who.scope),
        "messages": messages,
        "callbacks": waiting,
        "refused": refused,
    }
    return render(request, "desk.html", who, values, status=status)


def agents_of(running: Web, scope: Scope) -> list[AgentRow]:
    """List the agents of the queues that somebody has to do with."""
    directory = running.deps.directory()
    return [
        AgentRow(
            client=queue.client,
            queue=name,
            code=agent.code,
            phone=str(agent.destination),
            number=agent.number,
            state=directory.away.get((queue.client, agent.code), "available"),
        )
        for name, queue in sorted(directory.queues.items())
        if scope.role is Role.OPERATOR or queue.client == scope.subject
        for agent in queue.agents
    ]


async def change_agent(request: web.Request, who: Who) -> web.StreamResponse:
    """Let an agent take calls, pause or log out."""
    sent = await read_sent(request, AgentForm)
    form = sent.value
    if form is None:
        return await _page(request, who, refused=_("The form was incomplete."), status=422)
    if who.scope.client(form.client) != form.client:
        raise Refusal("not_found", "There is no such agent.")
    running = web_of(request)
    _done, refused = await attempt(
        set_agent(
            running.deps.engine, form.client, form.agent, form.state, clock=running.deps.clock
        )
    )
    if refused:
        return await _page(request, who, refused=refused, status=422)
    await running.note(who, "change agent", f"{form.client}.{form.agent}", after=form.state)
    raise web.HTTPSeeOther(f"{who.home}/desk")


async def cancel(request: web.Request, who: Who) -> web.StreamResponse:
    """Cancel a callback."""
    running = web_of(request)
    callback_id = request.match_info["callback"]
    async with running.deps.engine.begin() as connection:
        await cancel_callback(connection, who.scope, callback_id, running.now_us())
    await running.note(who, "cancel callback", callback_id)
    raise web.HTTPSeeOther(f"{who.home}/desk")


async def listen(request: web.Request, who: Who) -> web.StreamResponse:
    """Answer the sound of a message or a talk, and write down who asked for it."""
    running = web_of(request)
    call_id, kind = request.match_info["call_id"], request.match_info["kind"]
    async with running.reading() as connection:
        sound = await find_sound(connection, who.scope, call_id, kind)
    mailbox = running.deps.mailbox
    if mailbox is None or not mailbox.is_there(call_id, kind):
        raise Refusal("not_found", "The sound file is not here any more.")
    if "Range" not in request.headers or request.headers["Range"].startswith("bytes=0-"):
        # A player asks for one piece after the other; the first says that somebody listens.
        await running.note(who, LISTEN_ACTIONS[kind], call_id)
        async with running.deps.engine.begin() as connection:
            await mark_heard(connection, sound, running.now_us())
    return web.FileResponse(
        mailbox.file(call_id, kind),
        headers={
            "Content-Type": "audio/wav",
            "Content-Disposition": f'inline; filename="{call_id}-{kind}.wav"',
        },
    )


def _pages(home: str, roles: frozenset[Role]) -> tuple[Page, ...]:
    return (
        Page(method="GET", path=f"{home}/desk", roles=roles, handler=show),
        Page(
            method="POST",
            path=f"{home}/desk/agents",
            roles=roles,
            handler=change_agent,
            right=Right.CALLS,
        ),
        Page(
            method="POST",
            path=f"{home}/desk/callbacks/{CALLBACK_PATH}/cancel",
            roles=roles,
            handler=cancel,
            right=Right.CALLS,
        ),
        Page(
            method="GET",
            path=f"{home}/calls/{CALL_PATH}/sound/{KIND_PATH}",
            roles=roles,
            handler=listen,
            right=Right.CALLS,
        ),
    )


PAGES: Final = (*_pages("/admin", OPERATORS), *_pages("/portal", CLIENTS))
