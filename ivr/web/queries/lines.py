"""Lines, queues and prices as somebody may see them, read where they are stored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import func, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.directory.model import Directory
from ivr.directory.own_lines import choices_of_tariffs
from ivr.directory.store import load_lines
from ivr.tables import audit_log, calls
from ivr.web.scope import Role, Scope

CHANGES_MAX: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """One line of the audit log about one thing."""

    at_us: int
    actor: str
    action: str
    before: str
    after: str


async def lines_of(connection: AsyncConnection, scope: Scope, now_us: int) -> Directory:
    """Read what is sold: all for operators; for a client its own, with the prices it may name."""
    found = await load_lines(connection, now_us)
    if scope.role is Role.OPERATOR:
        return found
    mine = scope.client(None) or ""
    known = found.clients.get(mine)
    return replace(
        found,
        dids={number: did for number, did in found.dids.items() if did.client == mine},
        clients={mine: known} if known else {},
        queues={name: queue for name, queue in found.queues.items() if queue.client == mine},
        tariffs={name: found.tariffs[name] for name in choices_of_tariffs(known, found)
                 if name in found.tariffs} if known else {},
        away={key: state for key, state in found.away.items() if key[0] == mine},
        prompt_uses={
            key: name
            for key, name in found.prompt_uses.items()
            if key[0] in found.dids and found.dids[key[0]].client == mine
        },
    )  # fmt: skip


async def calls_since(connection: AsyncConnection, scope: Scope, since_us: int) -> dict[str, int]:
    """Count the calls of each line that began since a moment."""
    rows = await connection.execute(
        select(calls.c.did, func.count())
        .where(scope.calls(), calls.c.started_us >= since_us)
        .group_by(calls.c.did)
    )
    return {row[0]: row[1] for row in rows}


async def changes_of(connection: AsyncConnection, scope: Scope, subject: str) -> list[Changed]:
    """List who changed something, newest first.

    A client sees what its own logins did: who works for its provider is not its business, nor what
    a number was before it was rented to it.
    """
    mine = scope.client(None)
    own = (
        true()
        if scope.role is Role.OPERATOR
        else (audit_log.c.role == Role.CLIENT.value) & (audit_log.c.company == mine)
    )
    rows = await connection.execute(
        select(audit_log)
        .where(audit_log.c.subject == subject, own)
        .order_by(audit_log.c.id.desc())
        .limit(CHANGES_MAX)
    )
    return [
        Changed(
            at_us=row.at_us,
            actor=row.actor,
            action=row.action,
            before=row.before or "",
            after=row.after or "",
        )
        for row in rows
    ]
