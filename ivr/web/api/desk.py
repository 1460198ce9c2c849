"""Operations on the desk: agents that come and go, messages, callbacks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

from ivr.calls.history import moment
from ivr.directory.agents import set_agent
from ivr.web.actions import LISTEN_ACTIONS
from ivr.web.api import desk_models as models
from ivr.web.api.gate import Answer, Ask, LongFile, Operation
from ivr.web.api.places import AGENT, CALL, CALLBACK, CLIENT
from ivr.web.desk_pages import agents_of
from ivr.web.problems import Refusal
from ivr.web.queries import desk as queries
from ivr.web.scope import CLIENTS, OPERATORS, NotYours, Right

PART_BYTES: Final = 256 * 1024


async def list_agents(ask: Ask) -> Answer:
    """List agents."""
    return Answer(
        model=models.Agents(
            items=tuple(
                models.Agent(
                    client=one.client,
                    queue=one.queue,
                    agent=one.code,
                    phone=one.phone,
                    number=one.number,
                    state=one.state,
                )
                for one in agents_of(ask.web, ask.who.scope)
            )
        )
    )


async def change_agent(ask: Ask) -> Answer:
    """Let an agent take calls, pause or log out."""
    assert isinstance(ask.body, models.AgentChange)
    client, agent = ask.named("client"), ask.named("agent")
    if not any(
        (one.client, one.code) == (client, agent) for one in agents_of(ask.web, ask.who.scope)
    ):
        raise NotYours
    deps = ask.web.deps
    await set_agent(deps.engine, client, agent, ask.body.state, clock=deps.clock)
    await ask.web.note(ask.who, "change agent", f"{client}.{agent}", after=ask.body.state)
    return Answer(model=models.AgentChanged(client=client, agent=agent, state=ask.body.state))


async def list_messages(ask: Ask) -> Answer:
    """List messages."""
    assert isinstance(ask.query, models.DeskQuery)
    async with ask.web.reading() as connection:
        found = await queries.list_messages(
            connection,
            ask.who.scope,
            limit=ask.query.reach,
            after=ask.query.place(int, str),
        )
    items, after = ask.query.cut(found, lambda one: (one.created_us, one.call_id))
    return Answer(
        model=models.Messages(
            items=tuple(
                models.Message(
                    call_id=one.call_id,
                    client=one.client,
                    did=one.did,
                    topic=one.topic,
                    caller=one.caller,
                    account=one.account,
                    seconds=one.seconds,
                    created_at=moment(one.created_us) or "",
                    kept_until=moment(one.keep_until_us) or "",
                    heard_at=moment(one.heard_us),
                )
                for one in items
            ),
            next=after,
        )
    )


async def hear_message(ask: Ask) -> LongFile:
    """Answer the sound of a message, and write down who asked for it."""
    return await _heard(ask, "message")


async def hear_talk(ask: Ask) -> LongFile:
    """Answer the recording of a talk, and write down who asked for it."""
    return await _heard(ask, "talk")


async def _heard(ask: Ask, kind: str) -> LongFile:
    call_id, mailbox = ask.named("call_id"), ask.web.deps.mailbox
    async with ask.web.reading() as connection:
        sound = await queries.find_sound(connection, ask.who.scope, call_id, kind)
    if mailbox is None or not mailbox.is_there(call_id, kind):
        raise Refusal("not_found", "The sound file is not here any more.")
    await ask.web.note(ask.who, LISTEN_ACTIONS[kind], call_id)
    async with ask.web.deps.engine.begin() as connection:
        await queries.mark_heard(connection, sound, ask.web.now_us())
    parts = _parts(mailbox.file(call_id, kind))
    return LongFile(parts=parts, media="audio/wav", name=f"{call_id}-{kind}.wav")


async def _parts(path: Path) -> AsyncGenerator[bytes, None]:
    """Read a file piece by piece: a recording of an hour is some 60 MB."""
    with await asyncio.to_thread(path.open, "rb") as file:
        while part := await asyncio.to_thread(file.read, PART_BYTES):
            yield part


async def list_callbacks(ask: Ask) -> Answer:
    """List callbacks."""
    assert isinstance(ask.query, models.DeskQuery)
    async with ask.web.reading() as connection:
        found = await queries.list_callbacks(
            connection,
            ask.who.scope,
            limit=ask.query.reach,
            after=ask.query.place(int, str),
        )
    items, after = ask.query.cut(found, lambda one: (one.created_us, one.id))
    return Answer(
        model=models.Callbacks(
            items=tuple(
                models.Callback(
                    id=one.id,
                    client=one.client,
                    did=one.did,
                    digit=one.digit,
                    account=one.account,
                    number=one.number,
                    state=one.state,
                    tries=one.tries,
                    next_try_at=moment(one.next_us) or "",
                    created_at=moment(one.created_us) or "",
                    reason=one.reason,
                    call_id=one.made,
                )
                for one in items
            ),
            next=after,
        )
    )


async def cancel_callback(ask: Ask) -> Answer:
    """Let nobody be rung any more."""
    callback = ask.named("callback")
    async with ask.web.deps.engine.begin() as connection:
        await queries.cancel_callback(connection, ask.who.scope, callback, ask.web.now_us())
    await ask.web.note(ask.who, "cancel callback", callback)
    return Answer(model=models.CallbackCancelled(id=callback))


DESKS: Final = OPERATORS | CLIENTS
OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/desk/agents",
        name="listAgents",
        summary="List the agents of queues and whether they take calls",
        roles=DESKS,
        handler=list_agents,
        answer=models.Agents,
    ),
    Operation(
        method="POST",
        path=f"/desk/agents/{CLIENT}/{AGENT}",
        name="changeAgent",
        summary="Let an agent take calls, pause or log out",
        roles=DESKS,
        right=Right.CALLS,
        handler=change_agent,
        body=models.AgentChange,
        answer=models.AgentChanged,
        problems=("invalid_input",),
    ),
    Operation(
        method="GET",
        path="/desk/messages",
        name="listMessages",
        summary="List messages that callers left, newest first",
        roles=DESKS,
        handler=list_messages,
        query=models.DeskQuery,
        answer=models.Messages,
    ),
    Operation(
        method="GET",
        path=f"/desk/messages/{CALL}/sound",
        name="hearMessage",
        summary="Download a message; who listens is written down",
        roles=DESKS,
        right=Right.CALLS,
        handler=hear_message,
        answer=None,
        media="audio/wav",
        streamed=True,
        problems=("not_found",),
    ),
    Operation(
        method="GET",
        path=f"/calls/{CALL}/recording",
        name="hearTalk",
        summary="Download the recording of a talk; who listens is written down",
        roles=DESKS,
        right=Right.CALLS,
        handler=hear_talk,
        answer=None,
        media="audio/wav",
        streamed=True,
        problems=("not_found",),
    ),
    Operation(
        method="GET",
        path="/desk/callbacks",
        name="listCallbacks",
        summary="List who asked to be called back, newest first",
        roles=DESKS,
        handler=list_callbacks,
        query=models.DeskQuery,
        answer=models.Callbacks,
    ),
    Operation(
        method="POST",
        path=f"/desk/callbacks/{CALLBACK}/cancel",
        name="cancelCallback",
        summary="Let nobody be rung for a request any more",
        roles=DESKS,
        right=Right.CALLS,
        handler=cancel_callback,
        answer=models.CallbackCancelled,
    ),
)
