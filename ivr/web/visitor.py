"""Which language a visitor reads: of the login, else of a link followed once, else of the browser.

The login's choice is known only behind the gate, which adopts it; the pages before it and the
errors around it speak the language of the cookie or of Accept-Language.
"""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from ivr.web.language import LANGUAGES, Viewer, preferred, speaking, viewer
from ivr.web.security import LANGUAGE_COOKIE, read_cookie, set_cookie

API: Final = "/api/"
COOKIE_SECONDS: Final = 365 * 86_400
# Where a choice of language may lead back to: our own pages, in characters that cannot leave them.
BACK: Final = re.compile(r"/(?!/)[A-Za-z0-9_.%/-]*(\?[\w.%&=+-]*)?", re.ASCII)


@web.middleware
async def speak(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer in the visitor's language; the API speaks English with everybody."""
    if request.path.startswith(API):
        return await handler(request)
    with speaking(Viewer(language=_language(request))):
        response = await handler(request)
        if response.content_type == "text/html":
            response.headers.setdefault("Content-Language", viewer().language)
        return response


def _language(request: web.Request) -> str:
    chosen = read_cookie(request, LANGUAGE_COOKIE)
    if chosen in LANGUAGES:
        return chosen
    return preferred(request.headers.get("Accept-Language", ""))


async def choose(request: web.Request) -> web.StreamResponse:
    """Keep the language of a link in a cookie and lead back to the page it stands on."""
    language = request.match_info["language"]
    if language not in LANGUAGES:
        raise web.HTTPNotFound
    response = web.HTTPSeeOther(way_back(request.query.get("next", "")))
    set_cookie(request, response, LANGUAGE_COOKIE, language, seconds=COOKIE_SECONDS)
    raise response


def way_back(wanted: str, *, otherwise: str = "/") -> str:
    """Return a page of ours to lead back to."""
    return wanted if BACK.fullmatch(wanted) else otherwise
