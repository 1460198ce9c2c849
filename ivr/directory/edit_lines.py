"""DIDs and topics, changed one at a time; a DID that was ever called is retired, never deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.directory.catalog_clients import read_did
from ivr.directory.catalog_export import did_document
from ivr.directory.catalog_words import Taken
from ivr.directory.edits import (
    Change,
    Document,
    Editor,
    EditRefused,
    client_of,
    fragment,
    node_of,
    priced,
    put,
    refuse_mistakes,
    refuse_problems,
    refuse_stale,
    written,
)
from ivr.directory.model import NUMBER, Did, Directory
from ivr.directory.own_lines import beyond_on_line
from ivr.directory.yaml_reader import Node
from ivr.tables import prompt_uses


def line_of(did: Did | None) -> Document | None:
    """Write a DID with its client; None for what is not there, or is retired."""
    if did is None or did.rules.retired:
        return None
    return {"client": did.client, **did_document(did)}


def read_line(directory: Directory, number: str, client: str, node: Node) -> Did:
    """Check a DID that somebody wrote.

    Raises:
        CatalogInvalid: with all mistakes, named by their places.

    """
    sold_by = client_of(directory, client)
    if not NUMBER.fullmatch(number):
        refuse_problems([("number", "a DID is 2 to 20 digits")])
    did = read_did(number, node, sold_by, priced(directory), Taken())
    refuse_mistakes(node.notes)
    return did


async def add_line(editor: Editor, number: str, client: str, document: Document) -> Change:
    """Add a DID, or bring a retired one back, which may then be another client's.

    Raises:
        CatalogInvalid: mistakes.
        EditRefused: the DID is in use, or the client may not have it.

    """
    directory = await editor.lines()
    did = read_line(directory, number, client, node_of(document))
    if editor.client is not None:
        raise EditRefused(reason="only your provider adds DIDs")

    async def settled(connection: AsyncConnection, newest: Directory) -> None:
        stored = newest.dids.get(did.number)
        if line_of(stored) is not None:
            raise EditRefused(reason=f"the DID {did.number} is in use already")
        if stored is not None and stored.client != did.client:
            # The sounds of the client before are no longer said.
            await connection.execute(delete(prompt_uses).where(prompt_uses.c.did == did.number))

    await put(editor, fragment(dids=(did,)), settled)
    return Change(before="", after=written(line_of(did)))


async def change_line(editor: Editor, number: str, document: Document, *, expected: str) -> Change:
    """Change a DID or its topics to what the document says.

    Raises:
        CatalogInvalid: mistakes, or beyond the limits of a client.
        ChangedMeanwhile: it is not what was read before.
        EditRefused: there is no such DID.

    """
    return await _change(editor, number, document, expected=expected, moves={})


async def order_topics(
    editor: Editor, number: str, order: Sequence[int], *, expected: str
) -> Change:
    """Give the topics of a DID their digits anew: the first of `order` gets the first digit.

    `order` lists the digits that they have now; the digits in use stay the same. What a client
    recorded for a topic goes along with it.
    """
    did = _known(await editor.lines(), number)
    document = did_document(did)
    slots = sorted(document["topics"], key=lambda digit: digit or 10)
    if sorted(order) != sorted(slots):
        raise EditRefused(reason="that is not the list of topics of this line")
    moves = dict(zip(order, slots, strict=True))
    document["topics"] = {moves[digit]: document["topics"][digit] for digit in order}
    return await _change(editor, number, document, expected=expected, moves=moves)


async def _change(
    editor: Editor, number: str, document: Document, *, expected: str, moves: dict[int, int]
) -> Change:
    directory = await editor.lines()
    before = _known(directory, number)
    if editor.client not in {None, before.client}:
        raise EditRefused(reason=f"there is no line {number}")
    after = read_line(directory, number, before.client, node_of(document))
    seen: list[Did] = []

    async def settled(connection: AsyncConnection, newest: Directory) -> None:
        stored = newest.dids.get(number)
        refuse_stale(f"the line {number}", expected, line_of(stored))
        assert stored is not None
        seen.append(stored)
        if editor.client is not None:
            client = newest.clients[stored.client]
            refuse_problems(beyond_on_line(stored, after, client, newest))
        gone = {topic.digit for topic in stored.topics} - {topic.digit for topic in after.topics}
        await _move_prompts(connection, number, moves, gone)

    await put(editor, fragment(dids=(after,)), settled)
    return Change(before=written(line_of(seen[0])), after=written(line_of(after)))


async def retire_line(editor: Editor, number: str, *, expected: str) -> Change:
    """Close a DID for good: live calls go on, no other comes in, no month is charged any more.

    Raises:
        ChangedMeanwhile: it is not what was read before.
        EditRefused: there is no such DID, or a client asks.

    """
    before = _known(await editor.lines(), number)
    if editor.client is not None:
        raise EditRefused(reason="only your provider retires DIDs")
    retired = replace(before, rules=replace(before.rules, retired=True))

    async def settled(_connection: AsyncConnection, newest: Directory) -> None:
        refuse_stale(f"the line {number}", expected, line_of(newest.dids.get(number)))

    await put(editor, fragment(dids=(retired,)), settled)
    return Change(before=written(line_of(before)), after="retired")


def _known(directory: Directory, number: str) -> Did:
    did = directory.dids.get(number)
    if did is None or did.rules.retired:
        raise EditRefused(reason=f"there is no line {number}")
    return did


async def _move_prompts(
    connection: AsyncConnection, number: str, moves: dict[int, int], gone: set[int]
) -> None:
    """Let recorded names of topics follow them, and forget those of topics that are gone."""
    mine = prompt_uses.c.did == number
    if gone:
        await connection.execute(delete(prompt_uses).where(mine, prompt_uses.c.digit.in_(gone)))
    if all(old == new for old, new in moves.items()):
        return
    rows = (await connection.execute(select(prompt_uses).where(mine))).mappings().all()
    moved = [dict(row) | {"digit": moves.get(row["digit"], row["digit"])} for row in rows]
    if moved:
        await connection.execute(delete(prompt_uses).where(mine))
        await connection.execute(insert(prompt_uses), moved)
