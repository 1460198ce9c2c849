"""Ending one's own sessions."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from ivr.web.guard import Page, read_form
from ivr.web.scope import EVERYBODY, Who
from ivr.web.security import COOKIE, drop_cookie
from ivr.web.sessions import ListedSession
from ivr.web.state import web_of


async def end(request: web.Request, who: Who) -> web.StreamResponse:
    """End one session of the visitor; one that is over already is no mistake."""
    running = web_of(request)
    wanted = (await read_form(request)).get("session", "")
    found = next((each for each in await _own(request, who) if each.id == wanted), None)
    if found is not None:
        await running.sessions.end(found.token_hash)
        await running.note(who, "end session", who.login, before=_words(found), after="ended")
    if found is not None and found.token_hash == who.session:
        response = web.HTTPSeeOther("/")
        drop_cookie(request, response, COOKIE)
        raise response
    raise web.HTTPSeeOther("/settings?done=session")


async def end_others(request: web.Request, who: Who) -> web.StreamResponse:
    """End all sessions of the visitor but this one."""
    running = web_of(request)
    others = [each for each in await _own(request, who) if each.token_hash != who.session]
    await running.sessions.end_others(who.login, kept=who.session)
    if others:
        before = "; ".join(_words(each) for each in others)
        await running.note(who, "end other sessions", who.login, before=before, after="ended")
    raise web.HTTPSeeOther("/settings?done=others")


async def _own(request: web.Request, who: Who) -> list[ListedSession]:
    running = web_of(request)
    async with running.reading() as connection:
        return await running.sessions.list(connection, who.login)


def _words(session: ListedSession) -> str:
    return f"{session.agent}, {session.address}"


PAGES: Final = (
    Page(method="POST", path="/settings/sessions/end", roles=EVERYBODY, handler=end),
    Page(method="POST", path="/settings/sessions/end-others", roles=EVERYBODY, handler=end_others),
)
