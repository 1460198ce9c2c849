"""Switches off the second factor of somebody who lost the phone; written down, sessions end."""

from __future__ import annotations

from sqlalchemy import delete, insert
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.clock import Clock, microseconds_of
from billing.storage.engine import for_writing
from ivr.tables import audit_log, web_sessions
from ivr.web.factor.store import switch_off
from ivr.web.tokens import CLI_LOGIN
from ivr.web.users import UnknownUser, find_user


async def reset_factor(engine: AsyncEngine, login: str, *, clock: Clock) -> bool:
    """Switch the factor off on the command line; tells whether one was in force.

    Raises:
        UnknownUser: there is no such user.

    """
    connection = await for_writing(engine)
    try:
        async with connection.begin():
            user = await find_user(connection, login)
            if user is None:
                raise UnknownUser(login=login)
            if not await switch_off(connection, user.id):
                return False
            await connection.execute(delete(web_sessions).where(web_sessions.c.user_id == user.id))
            await connection.execute(
                insert(audit_log),
                {
                    "at_us": microseconds_of(clock.now()),
                    "actor": CLI_LOGIN,
                    "action": "switch second factor off",
                    "subject": login,
                    "before": "on",
                    "after": "off",
                },
            )
    finally:
        await connection.close()
    return True
