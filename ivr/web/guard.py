"""Routes that name their roles, and the one gate in front of every page."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from aiohttp import web
from multidict import MultiDict, MultiMapping

from ivr.web.hidden import Needed, without_forms
from ivr.web.language import adopt
from ivr.web.pin_sessions import is_pin_token
from ivr.web.problems import Refusal
from ivr.web.scope import CALLERS, Right, Role, Who
from ivr.web.security import (
    COOKIE,
    SAFE_METHODS,
    address_of,
    read_cookie,
    same_origin,
    tokens_match,
)
from ivr.web.sessions import Session
from ivr.web.state import web_of

FORM: Final = "application/x-www-form-urlencoded"
FORM_FIELDS_MAX: Final = 120

MULTIPART: Final = "multipart/form-data"

FIRST_STEPS: Final = "/settings/first"
NEEDED: Final = web.AppKey("needed", tuple[Needed, ...])
WHO: Final = web.RequestKey("who", Who)
UPLOAD: Final = web.RequestKey("upload", bool)
FILES: Final = web.RequestKey("files", dict[str, bytes])

PageHandler = Callable[[web.Request, Who], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page: where it is, whom it is for, who makes it."""

    method: str
    path: str
    roles: frozenset[Role]
    handler: PageHandler
    # What a login needs beyond its role; callers need nothing more.
    right: Right | None = None
    # A form that may bring a file along, and how large it may be; other forms bring none.
    upload_bytes_max: int | None = None
    # Who logged in by PIN has no login: pages of all roles are not for it, unless they say so.
    by_pin: bool = False
    # Who must choose a password or set up a second factor first still comes in here.
    before_steps: bool = False

    def admits(self, who: Who) -> bool:
        """Tell whether the visitor may come in."""
        if who.by_pin and not self.by_pin and self.roles != CALLERS:
            return False
        return who.role in self.roles


def add_pages(app: web.Application, pages: tuple[Page, ...]) -> None:
    """Register pages, each behind the gate; roles may share an address and see their own page."""
    shared: dict[tuple[str, str], list[Page]] = {}
    for page in pages:
        shared.setdefault((page.method, page.path), []).append(page)
    needed: list[Needed] = []
    for (method, path), found in shared.items():
        if method == "GET":
            app.router.add_get(path, _guarded(tuple(found)))
            continue
        route = app.router.add_route(method, path, _guarded(tuple(found)))
        info = route.resource.get_info() if route.resource else {}
        address = info.get("pattern") or re.compile(re.escape(path))
        needed += [Needed(address=address, right=each.right) for each in found if each.right]
    app[NEEDED] = tuple(needed)


def _guarded(pages: tuple[Page, ...]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        session = await current_session(request)
        if session is None:
            raise _to_login(request)
        who = _who_of(request, session)
        page = next((each for each in pages if each.admits(who)), None)
        if page is None:
            raise Refusal("forbidden", "Your login is not made for this page.")
        if who.steps and not page.before_steps:
            raise _to(request, FIRST_STEPS)
        if page.right is not None and not who.may(page.right):
            raise Refusal("forbidden", f"Your login lacks the right to do this: {page.right}.")
        if page.upload_bytes_max is not None:
            request = request.clone(client_max_size=page.upload_bytes_max)
            request[UPLOAD] = True
        if request.method not in SAFE_METHODS:
            await check_form(request, who.csrf)
        if "HX-Request" not in request.headers:
            running = web_of(request)
            await (running.pin_sessions if who.by_pin else running.sessions).seen(session)
        return await page.handler(request, who)

    return handle


def _steps(request: web.Request, session: Session) -> tuple[str, ...]:
    """List what the login must do before anything else."""
    demanded = web_of(request).deps.require_second_factor
    factor = not session.by_pin and session.scope.role in demanded and not session.factor
    return (*(["password"] if session.must_change else []), *(["factor"] if factor else []))


def _to(request: web.Request, path: str) -> web.HTTPException | Refusal:
    if "HX-Request" in request.headers:
        return Refusal("forbidden", "Something must be done first.", headers={"HX-Redirect": path})
    return web.HTTPSeeOther(path)


def _who_of(request: web.Request, session: Session) -> Who:
    adopt(session.language, session.timezone)
    who = Who(
        login=session.login,
        scope=web_of(request).scoped(session.scope),
        address=address_of(request),
        csrf=session.csrf,
        session=session.token_hash,
        by_pin=session.by_pin,
        rights=session.rights,
        proved_us=session.proved_us,
        steps=_steps(request, session),
    )
    request[WHO] = who
    return who


async def current_who(request: web.Request) -> Who | None:
    """Tell who reads a page that is for everybody; None where nobody is logged in."""
    session = await current_session(request)
    return None if session is None else _who_of(request, session)


async def current_session(request: web.Request) -> Session | None:
    """Find the session of the visitor's cookie."""
    token = read_cookie(request, COOKIE)
    if not token:
        return None
    running = web_of(request)
    sessions = running.pin_sessions if is_pin_token(token) else running.sessions
    async with running.reading() as connection:
        return await sessions.find(connection, token)


async def check_form(request: web.Request, csrf: str) -> None:
    """Refuse a form that was not made by one of our pages for this visitor."""
    if not same_origin(request):
        raise Refusal("bad_origin", "The form was sent from another site.")
    form = await read_form(request)
    if not tokens_match(csrf, form.get("csrf", "")):
        raise Refusal("bad_origin", "The form is too old. Go back, reload the page, try again.")


async def read_form(request: web.Request) -> dict[str, str]:
    """Read a form; of a field that comes twice the first counts."""
    uploads = request.get(UPLOAD, False)
    if request.content_type != FORM and not (uploads and request.content_type == MULTIPART):
        raise Refusal("wrong_media_type", f"Send forms as {FORM}.")
    try:
        form = await request.post()
    except (ValueError, LookupError):
        raise Refusal("bad_request", "The form cannot be read.") from None
    return _first(_without_files(request, form) if uploads else form)


def _without_files(
    request: web.Request,
    form: MultiMapping[Any],  # Any: str, or a file
) -> MultiDict[str]:
    """Set the files of a form aside, for `uploaded`."""
    fields: MultiDict[str] = MultiDict()
    files = request.setdefault(FILES, {})
    for name, value in form.items():
        if isinstance(value, web.FileField):
            if not value.file.closed:
                with value.file:
                    files[name] = value.file.read()
        elif isinstance(value, str):
            fields.add(name, value)
    return fields


def uploaded(request: web.Request, name: str) -> bytes:
    """Return a file that came with the form; nothing where none did."""
    files: dict[str, bytes] = request.get(FILES, {})
    return files.get(name, b"")


def read_query(request: web.Request) -> dict[str, str]:
    """Read the query of the address in the same way."""
    return _first(request.query)


def _first(values: MultiMapping[Any]) -> dict[str, str]:  # Any: str, or a file, which is refused
    if len(values) > FORM_FIELDS_MAX:
        raise Refusal("bad_request", "There are too many fields.")
    found: dict[str, str] = {}
    for name, value in values.items():
        if not isinstance(value, str):
            raise Refusal("bad_request", "Files are not expected here.")
        found.setdefault(name, value)
    return found


def _to_login(request: web.Request) -> web.HTTPException | Refusal:
    """Send a person to the login page, and back afterwards when that is safe."""
    if "HX-Request" in request.headers:
        return Refusal("not_authenticated", "Log in again.", headers={"HX-Redirect": "/"})
    if request.method not in SAFE_METHODS:
        return web.HTTPSeeOther("/")
    return web.HTTPSeeOther(f"/?next={quote(request.path_qs, safe='')}")


def _nobody(_right: str) -> bool:
    return False


def render(
    request: web.Request,
    name: str,
    who: Who | None,
    values: Mapping[str, Any],  # Any: what pages show
    *,
    status: int = 200,
) -> web.Response:
    """Render a page for a visitor."""
    seen = {
        "who": who,
        "may": who.may if who else _nobody,
        "path": request.path,
        "here": request.path_qs,
        # Where a choice of language leads back to: a form that was answered cannot be asked again.
        "back": request.path_qs if request.method in SAFE_METHODS else who.home if who else "/",
    }
    text = web_of(request).templates.render(name, {**seen, **values})
    if who is not None:
        needed = request.config_dict[NEEDED]
        text = without_forms(text, who, needed)
    return web.Response(text=text, content_type="text/html", status=status)
