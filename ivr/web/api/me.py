"""The token itself: whose it is and what it may do."""

from __future__ import annotations

from typing import Final

from ivr.web.api.gate import Answer, Ask, Operation
from ivr.web.api.models import Output
from ivr.web.scope import EVERYBODY, Right, Role


class Me(Output):
    """A token; `subject` is the code of its client, party or account."""

    name: str
    role: Role
    subject: str | None
    rights: tuple[Right, ...]


async def show(ask: Ask) -> Answer:
    """Show the token."""
    who = ask.who
    return Answer(
        model=Me(
            name=who.login,
            role=who.role,
            subject=who.scope.subject,
            rights=tuple(right for right in Right if right in who.rights),
        )
    )


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/me",
        name="showMe",
        summary="Show whose token this is and what it may do",
        roles=EVERYBODY,
        handler=show,
        answer=Me,
    ),
)
