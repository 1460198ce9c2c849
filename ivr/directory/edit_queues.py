"""Queues and their agents, changed one at a time, and a client's limits."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.directory.edits import (
    Change,
    Document,
    Editor,
    EditRefused,
    client_of,
    fragment,
    node_of,
    put,
    refuse_mistakes,
    refuse_problems,
    refuse_stale,
    written,
)
from ivr.directory.limits import limits_document, read_limits
from ivr.directory.mistakes import CatalogInvalid
from ivr.directory.model import Directory
from ivr.directory.own_lines import beyond_in_queue, strange_name
from ivr.directory.queues import Queue, pin_name, queues_document, read_queues
from ivr.directory.rows import Row, stored, write
from ivr.directory.yaml_reader import Node
from ivr.tables import agents_away, client_rules, pins, queues

PIN_DIGITS: Final = 6


def queue_of(queue: Queue | None) -> Document | None:
    """Write a queue with its client; None for what is not there."""
    if queue is None:
        return None
    return {"client": queue.client, **queues_document([queue])[queue.name]}


def read_queue(
    directory: Directory, client: str, name: str, document: Document
) -> tuple[Queue, Mapping[str, str]]:
    """Check a queue that somebody wrote, beside the client's others; returns agents' PINs, too.

    Raises:
        CatalogInvalid: with all mistakes, named by their places in the queue.

    """
    client_of(directory, client)
    others = [
        queue
        for queue in directory.queues.values()
        if queue.client == client and queue.name != name
    ]
    given: dict[str, str] = {}
    node: Node = node_of(queues_document(others) | {name: document})
    found = read_queues(client, node, given)
    begin = f"{name}."
    if node.notes.mistakes:
        raise CatalogInvalid(
            [
                replace(
                    each, field=each.field.removeprefix(begin) if each.field != name else "name"
                )
                for each in node.notes.mistakes
            ]
        )
    return next(queue for queue in found if queue.name == name), given


async def save_queue(
    editor: Editor, client: str, name: str, document: Document, *, expected: str
) -> Change:
    """Add or change a queue. Who stands in it no more loses state and PIN with the last queue.

    Raises:
        CatalogInvalid: mistakes, or beyond the limits of a client.
        ChangedMeanwhile: it is not what was read before.
        EditRefused: the name is another client's.

    """
    directory = await editor.lines()
    queue, given = read_queue(directory, client, name, document)
    seen: list[Queue | None] = []

    async def settled(connection: AsyncConnection, newest: Directory) -> None:
        found = newest.queues.get(name)
        foreign = found is not None and found.client != client
        if editor.client and (found is None or foreign):
            # The same words whether somebody else has such a queue or nobody.
            refuse_problems(strange_name(name, client))
        if foreign or editor.client not in {None, client}:
            raise EditRefused(reason=f"the name {name} cannot be used")
        refuse_stale(f"the queue {name}", expected, queue_of(found))
        if editor.client is not None:
            owner = newest.clients[client]
            refuse_problems(beyond_in_queue(found, queue, owner, newest))
        seen.append(found)
        await _forget_agents(connection, newest, found, queue)

    await put(editor, fragment(queues=(queue,), agent_pins=given), settled)
    return Change(
        before=written(queue_of(seen[0])) if seen[0] else "", after=written(queue_of(queue))
    )


async def delete_queue(editor: Editor, name: str, *, expected: str) -> Change:
    """Delete a queue that nothing leads to.

    Raises:
        ChangedMeanwhile: it is not what was read before.
        EditRefused: a topic leads there, or there is no such queue of this client.

    """
    seen: list[Queue] = []

    async def settled(connection: AsyncConnection, newest: Directory) -> None:
        found = newest.queues.get(name)
        if found is None or editor.client not in {None, found.client}:
            raise EditRefused(reason=f"there is no queue {name}")
        if editor.client and not newest.clients[editor.client].rules.limits.allows("queues"):
            raise EditRefused(reason="your provider has not opened queues for you to change")
        refuse_stale(f"the queue {name}", expected, queue_of(found))
        if users := uses_of_queue(newest, name):
            raise EditRefused(reason=f"callers are sent there by {', '.join(users)}")
        seen.append(found)
        await connection.execute(delete(queues).where(queues.c.name == name))
        await _forget_agents(connection, newest, found, None)

    await put(editor, fragment(), settled)
    return Change(before=written(queue_of(seen[0])), after="")


async def new_pin(editor: Editor, client: str, agent: str) -> str:
    """Give an agent a new PIN, which is returned this once and kept as a hash only.

    Raises:
        EditRefused: the client has no such agent with a number, or may not change agents.

    """
    pin = "".join(secrets.choice("0123456789") for _ in range(PIN_DIGITS))

    async def settled(_connection: AsyncConnection, newest: Directory) -> None:
        found = [
            each
            for queue in newest.queues.values()
            if queue.client == client and editor.client in {None, client}
            for each in queue.agents
            if each.code == agent and each.number
        ]
        if not found:
            raise EditRefused(reason="give the agent a number first")
        if editor.client and not newest.clients[client].rules.limits.allows("agents"):
            raise EditRefused(reason="your provider has not opened agents for you to change")

    await put(editor, fragment(agent_pins={pin_name(client, agent): pin}), settled)
    return pin


async def save_limits(editor: Editor, client: str, document: Document, *, expected: str) -> Change:
    """Set what a client's own logins may change.

    Raises:
        CatalogInvalid: mistakes.
        ChangedMeanwhile: it is not what was read before.
        EditRefused: a client asks.

    """
    node = node_of(document)
    limits = read_limits(node)
    refuse_mistakes(node.notes)
    if editor.client is not None:
        raise EditRefused(reason="only your provider sets limits")
    client_of(await editor.lines(), client)
    seen: list[Document] = []

    async def settled(connection: AsyncConnection, newest: Directory) -> None:
        rules = newest.clients[client].rules
        refuse_stale(f"the limits of {client}", expected, limits_document(rules.limits))
        seen.append(limits_document(rules.limits))
        row: Row = {"rules": replace(rules, limits=limits).to_json()}
        before = await stored(connection, client_rules.c.client, [client], ("rules",))
        await write(connection, client_rules, "client", wanted={client: row}, before=before)

    await put(editor, fragment(), settled)
    return Change(before=written(seen[0]), after=written(limits_document(limits)))


def uses_of_queue(directory: Directory, name: str) -> list[str]:
    """Name the topics that lead to a queue."""
    return [
        f"{did.number} {topic.digit} {topic.name}"
        for did in directory.dids.values()
        if not did.rules.retired
        for topic in did.topics
        if str(topic.destination) == f"queue:{name}"
    ]


async def _forget_agents(
    connection: AsyncConnection, directory: Directory, before: Queue | None, after: Queue | None
) -> None:
    """Forget PIN and state of agents that stand in no queue any more: a namesake gets neither."""
    if before is None:
        return
    elsewhere = {
        agent.code
        for queue in directory.queues.values()
        if queue.client == before.client and queue.name != before.name
        for agent in queue.agents
    }
    kept = elsewhere | {agent.code for agent in (after.agents if after else ())}
    gone = {agent.code for agent in before.agents} - kept
    if not gone:
        return
    names = [pin_name(before.client, code) for code in gone]
    await connection.execute(delete(pins).where(pins.c.account.in_(names)))
    await connection.execute(
        delete(agents_away).where(
            agents_away.c.client == before.client, agents_away.c.agent.in_(gone)
        )
    )
