"""Keys of programs: made with a name, scopes and an end, shown once, revoked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from aiohttp import web
from pydantic import BeforeValidator, Field

from ivr.web.fields import PAGE_SIZE, OptionalLine, PageInput, read_cursor, write_cursor
from ivr.web.forms import attempt, read_sent
from ivr.web.guard import Page, read_form, render
from ivr.web.keys import end_key, make_key
from ivr.web.language import gettext as _
from ivr.web.lists import first_link, next_link
from ivr.web.logins.words import meaning
from ivr.web.queries.keys import list_keys
from ivr.web.reauth import prove, stale
from ivr.web.rights import all_of, read_rights, write_rights
from ivr.web.scope import CLIENTS, OPERATORS, REFERRERS, RESELLERS, Right, Role, Who
from ivr.web.state import web_of

DAYS_MAX: Final = 3650


def _days(value: object) -> object:
    return None if value in {"", None} else value


class NewKeyForm(PageInput):
    """A new key; the rights that are ticked come beside."""

    name: OptionalLine = None
    days: Annotated[Annotated[int, Field(ge=1, le=DAYS_MAX)] | None, BeforeValidator(_days)] = None
    own_password: str = ""


async def show(request: web.Request, who: Who) -> web.Response:
    """List keys, newest first."""
    return await _page(request, who, typed={}, errors={})


async def _page(
    request: web.Request,
    who: Who,
    *,
    typed: Mapping[str, str],
    errors: Mapping[str, str],
    made: str = "",
) -> web.Response:
    running = web_of(request)
    place = read_cursor(request.query.get("after", ""), int, str)
    async with running.reading() as connection:
        found = await list_keys(
            connection,
            who.scope,
            after=(place[0], place[1]) if place else None,
            limit=PAGE_SIZE + 1,
        )
    more = len(found) > PAGE_SIZE
    last = found[min(len(found), PAGE_SIZE) - 1] if more else None
    now_us = running.now_us()
    values = {
        "keys": [
            (key, key.state(now_us), write_rights(key.rights).replace(" ", ", "))
            for key in found[:PAGE_SIZE]
        ],
        "choices": [
            (right.value, meaning(right))
            for right in Right
            if right in who.rights & all_of(who.role)
        ],
        "typed": typed,
        "errors": errors,
        "made": made,
        "stale": stale(request, who),
        "next": next_link(request, write_cursor(last.created_us, last.id) if last else None),
        "first": first_link(request),
    }
    return render(request, "logins/keys.html", who, values, status=422 if errors else 200)


async def add(request: web.Request, who: Who) -> web.StreamResponse:
    """Make a key and show it, this once."""
    sent = await read_sent(request, NewKeyForm)
    typed = {name: text for name, text in sent.typed.items() if name != "own_password"}
    form = sent.value
    if form is None:
        return await _page(request, who, typed=typed, errors=sent.errors)
    if not form.name:
        return await _page(request, who, typed=typed, errors={"name": _("Please fill this in.")})
    rights = read_rights(" ".join(right.value for right in Right if right.value in typed))
    if wrong := await prove(request, who, form.own_password):
        return await _page(request, who, typed=typed, errors={"own_password": wrong})
    made, refused = await attempt(
        make_key(web_of(request), who, form.name, rights=rights, days=form.days)
    )
    if made is None:
        return await _page(request, who, typed=typed, errors={"name": refused})
    return await _page(request, who, typed={}, errors={}, made=made)


async def revoke(request: web.Request, who: Who) -> web.StreamResponse:
    """Revoke a key; it opens nothing from now on."""
    key = (await read_form(request)).get("key", "")
    if not key:
        return await _page(request, who, typed={}, errors={"key": _("The form was incomplete.")})
    await end_key(web_of(request), who, key)
    raise web.HTTPSeeOther(f"{who.home}/keys")


def _pages(home: str, roles: frozenset[Role]) -> tuple[Page, ...]:
    path, users = f"{home}/keys", Right.USERS
    return (
        Page(method="GET", path=path, roles=roles, handler=show, right=users),
        Page(method="POST", path=path, roles=roles, handler=add, right=users),
        Page(method="POST", path=f"{path}/revoke", roles=roles, handler=revoke, right=users),
    )


PAGES: Final = (
    *_pages("/admin", OPERATORS),
    *_pages("/portal", CLIENTS | RESELLERS | REFERRERS),
)
