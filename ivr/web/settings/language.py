"""Choosing the language and the time zone of one's own pages."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from ivr.web.guard import Page, read_form
from ivr.web.language import LANGUAGES, adopt, is_zone
from ivr.web.language import gettext as _
from ivr.web.reauth import own_user
from ivr.web.scope import EVERYBODY, Who
from ivr.web.settings.home import settings_page
from ivr.web.state import web_of
from ivr.web.users import set_language
from ivr.web.visitor import way_back

DONE: Final = "/settings?done=language"


async def choose(request: web.Request, who: Who) -> web.StreamResponse:
    """Change what the form names: the page's own sends both, a switch in the footer the language.

    An empty choice leaves it to the browser (language) and to UTC (time zone).
    """
    running = web_of(request)
    form = await read_form(request)
    user = await own_user(request, who)
    language = form.get("language", user.language or "") or None
    timezone = form.get("timezone", user.timezone or "") or None
    errors: dict[str, str] = {}
    if language is not None and language not in LANGUAGES:
        errors["language"] = _("Choose one of the list.")
    if timezone is not None and not is_zone(timezone):
        errors["timezone"] = _("Choose one of the list.")
    if errors:
        return await settings_page(request, who, errors=errors)
    if (language, timezone) != (user.language, user.timezone):
        await set_language(running.deps.engine, who.login, language=language, timezone=timezone)
        await running.note(
            who,
            "change language",
            who.login,
            before=_facts(user.language, user.timezone),
            after=_facts(language, timezone),
        )
    adopt(language, timezone)
    raise web.HTTPSeeOther(way_back(form.get("next", ""), otherwise=DONE))


def _facts(language: str | None, timezone: str | None) -> str:
    return f"{language or 'as the browser says'}, {timezone or 'UTC'}"


PAGES: Final = (Page(method="POST", path="/settings/language", roles=EVERYBODY, handler=choose),)
