"""Who listened to a call, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.operation_tables import listenings
from ivr.web.scope import Role, Scope

LISTED_MAX: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ListeningItem:
    """Somebody who listened; `heard_us` is None where nobody picked the phone up."""

    login: str
    phone: str
    reason: str
    asked_us: int
    heard_us: int | None
    ended_us: int | None

    @property
    def microseconds(self) -> int | None:
        """How long it was heard; None while it goes on, or where it never began."""
        if self.heard_us is None or self.ended_us is None:
            return None
        return max(0, self.ended_us - self.heard_us)


async def listenings_of(
    connection: AsyncConnection, scope: Scope, call_id: str
) -> list[ListeningItem]:
    """List who listened to a call; to its client those of its own calls, to a caller nothing."""
    query = (
        select(listenings)
        .where(listenings.c.call == call_id)
        .order_by(listenings.c.asked_us)
        .limit(LISTED_MAX)
    )
    if scope.role is Role.CLIENT:
        query = query.where(listenings.c.client == scope.subject)
    elif scope.role is not Role.OPERATOR:
        return []
    return [
        ListeningItem(
            login=row.login, phone=row.phone, reason=row.reason, asked_us=row.asked_us,
            heard_us=row.heard_us, ended_us=row.ended_us,
        )
        for row in await connection.execute(query)
    ]  # fmt: skip
