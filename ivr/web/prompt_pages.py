"""Sounds of a client's own: spoken from a text or uploaded, and which lines say them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import Field

from billing.errors import InvalidInput
from ivr.directory.model import GREETING
from ivr.directory.own_prompts import (
    OwnPrompt,
    delete_prompt,
    list_prompts,
    save_prompt,
    sound_of,
    use_prompt,
)
from ivr.sounds import TEXT_MAX, UPLOAD_BYTES_MAX, browser_sound, phone_sound, spoken
from ivr.web.fields import Code, PageInput
from ivr.web.forms import attempt, read_sent
from ivr.web.guard import Page, render, uploaded
from ivr.web.language import gettext as _
from ivr.web.problems import Refusal
from ivr.web.scope import CLIENTS, OPERATORS, Right, Role, Scope, Who
from ivr.web.state import web_of

Language = Literal["en", "de", "es", "ru"]
Name = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")]
SOUND_PATH: Final = "{client:[a-z0-9_.-]{1,64}}/{language:[a-z]{2}}/{prompt:[a-z0-9-]{1,40}}"
FORM_BYTES: Final = 10_000


class PromptForm(PageInput):
    """A new sound: `text` is spoken where no file comes along."""

    client: Code
    name: Name
    language: Language
    text: Annotated[str, Field(max_length=TEXT_MAX)] | None = None


class UseForm(PageInput):
    """Where a sound is said; without a prompt ours is."""

    client: Code
    did: Annotated[str, Field(pattern=r"^[0-9]{2,20}$")]
    digit: Annotated[int, Field(ge=GREETING, le=9)]
    prompt: Name | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Something that a line says: its greeting, or the name of a topic."""

    client: str
    did: str
    digit: int
    title: str
    prompt: str


async def show(request: web.Request, who: Who) -> web.Response:
    """Show the sounds and where they are said."""
    return await _page(request, who, typed={}, errors={})


async def _page(
    request: web.Request, who: Who, *, typed: Mapping[str, str], errors: Mapping[str, str]
) -> web.Response:
    async with web_of(request).reading() as connection:
        found = await list_prompts(connection, who.scope.client(None))
    places = _places(request, who.scope)
    values = {
        "prompts": found,
        "places": places,
        "clients": _clients(request, who.scope),
        "client_choices": [(code, code) for code in _clients(request, who.scope)],
        "names": sorted({(each.client, each.name) for each in found}),
        "typed": typed,
        "errors": errors,
    }
    return render(request, "prompts.html", who, values, status=422 if errors else 200)


def _clients(request: web.Request, scope: Scope) -> list[str]:
    known = sorted(web_of(request).deps.directory().clients)
    return (
        known if scope.role is Role.OPERATOR else [code for code in known if code == scope.subject]
    )


def _places(request: web.Request, scope: Scope) -> list[Place]:
    directory = web_of(request).deps.directory()
    mine = scope.client(None)
    return [
        Place(
            client=did.client,
            did=did.number,
            digit=digit,
            title=title,
            prompt=directory.prompt_uses.get((did.number, digit), ""),
        )
        for did in sorted(directory.dids.values(), key=lambda did: did.number)
        if (mine is None or did.client == mine) and not did.rules.retired
        for digit, title in [
            (GREETING, _("Greeting")),
            *((topic.digit, f"{topic.digit} {topic.name}") for topic in did.topics),
        ]
    ]


async def add(request: web.Request, who: Who) -> web.StreamResponse:
    """Keep a new sound."""
    sent = await read_sent(request, PromptForm)
    form = sent.value
    if form is None:
        return await _page(request, who, typed=sent.typed, errors=sent.errors)
    _refuse_foreign(request, who, form.client)
    data = uploaded(request, "file")
    running = web_of(request)

    async def keep() -> bool:
        if not data and not form.text:
            raise InvalidInput(reason="write a text, or choose a sound file")
        sound = phone_sound(data) if data else await spoken(form.text or "", form.language)
        prompt = OwnPrompt(
            client=form.client,
            name=form.name,
            language=form.language,
            text=None if data else form.text,
            bytes=len(sound),
            changed_us=0,
        )
        await save_prompt(running.deps.engine, prompt, sound, clock=running.deps.clock)
        return True

    done, refused = await attempt(keep())
    if done is None:
        field = "file" if data else "text"
        return await _page(request, who, typed=sent.typed, errors={field: refused})
    after = f"{form.language}: {form.text or f'a file of {len(data)} bytes'}"
    await running.note(who, "keep prompt", f"{form.client}/{form.name}", after=after)
    raise web.HTTPSeeOther(f"{who.home}/prompts")


async def drop(request: web.Request, who: Who) -> web.StreamResponse:
    """Forget a sound."""
    sent = await read_sent(request, PromptForm)
    form = sent.value
    if form is None:
        return await _page(request, who, typed=sent.typed, errors=sent.errors)
    _refuse_foreign(request, who, form.client)
    running = web_of(request)
    _done, refused = await attempt(
        delete_prompt(running.deps.engine, form.client, form.name, form.language)
    )
    if refused:
        return await _page(request, who, typed=sent.typed, errors={"name": refused})
    await running.note(who, "delete prompt", f"{form.client}/{form.name}", before=form.language)
    raise web.HTTPSeeOther(f"{who.home}/prompts")


async def use(request: web.Request, who: Who) -> web.StreamResponse:
    """Say a sound on a line, or ours again."""
    sent = await read_sent(request, UseForm)
    form = sent.value
    if form is None:
        return await _page(request, who, typed=sent.typed, errors=sent.errors)
    _refuse_foreign(request, who, form.client)
    running = web_of(request)
    _done, refused = await attempt(
        use_prompt(running.deps.engine, form.client, form.did, form.digit, form.prompt)
    )
    if refused:
        return await _page(request, who, typed=sent.typed, errors={"prompt": refused})
    await running.note(who, "use prompt", f"{form.did} {form.digit}", after=form.prompt or "ours")
    raise web.HTTPSeeOther(f"{who.home}/prompts")


async def listen(request: web.Request, who: Who) -> web.Response:
    """Answer a sound as a file that browsers play."""
    place = request.match_info
    async with web_of(request).reading() as connection:
        sound = (
            await sound_of(connection, place["client"], place["prompt"], place["language"])
            if place["client"] in _clients(request, who.scope)
            else None
        )
    if sound is None:
        raise Refusal("not_found", "There is no such sound.")
    return web.Response(body=browser_sound(sound), content_type="audio/wav")


def _refuse_foreign(request: web.Request, who: Who, client: str) -> None:
    if client not in _clients(request, who.scope):
        raise Refusal("not_found", "There is no such client.")
    limits = web_of(request).deps.directory().clients[client].rules.limits
    if who.role is not Role.OPERATOR and not limits.allows("prompts"):
        raise Refusal("forbidden", _("Your provider has not opened sounds for you to change."))


def _pages(home: str, roles: frozenset[Role]) -> tuple[Page, ...]:
    path = f"{home}/prompts"
    return (
        Page(method="GET", path=path, roles=roles, handler=show),
        Page(
            method="POST",
            path=path,
            roles=roles,
            handler=add,
            right=Right.LINES,
            upload_bytes_max=UPLOAD_BYTES_MAX + FORM_BYTES,
        ),
        Page(method="POST", path=f"{path}/delete", roles=roles, handler=drop, right=Right.LINES),
        Page(method="POST", path=f"{path}/use", roles=roles, handler=use, right=Right.LINES),
        Page(method="GET", path=f"{path}/sound/{SOUND_PATH}", roles=roles, handler=listen),
    )


PAGES: Final = (*_pages("/admin", OPERATORS), *_pages("/portal", CLIENTS))
