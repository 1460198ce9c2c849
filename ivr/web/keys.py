"""Making and revoking tokens of programs, for pages and for the API.

A token is shown once; only its hash is kept. Nobody makes one that may do more than he may.
"""

from __future__ import annotations

from typing import Final

from billing.errors import Refused
from billing.storage.engine import for_writing
from ivr.web.queries.keys import KEYS_MAX, KeyItem, count_keys, find_key, revoke_key
from ivr.web.rights import write_rights
from ivr.web.scope import Right, Who
from ivr.web.state import Web
from ivr.web.tokens import add_token

READ_ONLY: Final = "read only"


class KeyRefused(Refused):
    """Facts: reason."""

    code = "key_refused"
    sentence = "{reason}"


async def make_key(
    running: Web, who: Who, name: str, *, rights: frozenset[Right], days: int | None
) -> str:
    """Make a token of the visitor's own role and company; returns it, to be shown once.

    Raises:
        InvalidInput: a name of strange characters.
        KeyRefused: more rights than the visitor holds, or too many tokens.

    """
    if not rights <= who.rights:
        raise KeyRefused(reason="a key cannot do more than you may")
    async with running.reading() as connection:
        if await count_keys(connection, who.role, who.scope.subject) >= KEYS_MAX:
            raise KeyRefused(reason=f"there are {KEYS_MAX} keys already: revoke one first")
    token = await add_token(
        running.deps.engine,
        name,
        role=who.role,
        subject=who.scope.subject,
        days=days,
        clock=running.deps.clock,
        rights=rights,
        created_by=who.login,
    )
    ends = f"for {days} days" if days else "without end"
    await running.note(who, "make key", name, after=f"{write_rights(rights) or READ_ONLY}, {ends}")
    return token


async def end_key(running: Web, who: Who, key_id: str) -> KeyItem:
    """Revoke a token; one that is revoked already is no mistake. Returns it as it was.

    Raises:
        NotYours: there is no such token for this visitor.

    """
    connection = await for_writing(running.deps.engine)
    try:
        async with connection.begin():
            key = await find_key(connection, who.scope, key_id)
            done = await revoke_key(connection, who.scope, key_id)
    finally:
        await connection.close()
    if done:
        before = f"{key.role.value} {key.subject or ''}".strip()
        await running.note(who, "revoke key", key.name, before=before, after="revoked")
    return key
