"""Who the caller of an account is, for operators: phones, PIN, lockout, language, notes."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import Field

from ivr.directory.callers import remove_phone, set_phones_and_pin
from ivr.directory.care import (
    NOTE_MAX,
    add_note,
    draw_pin,
    lift_lockout,
    read_access,
    remove_pin,
    set_language,
)
from ivr.web.admin.account_page import ACCOUNT_PATH, account_page
from ivr.web.fields import Number, OptionalPin, PageInput
from ivr.web.forms import attempt, read_sent
from ivr.web.guard import Page
from ivr.web.language import gettext as _
from ivr.web.queries.accounts import find_account
from ivr.web.scope import OPERATORS, NotYours, Right, Who
from ivr.web.state import Web, web_of


class PhoneForm(PageInput):
    """A phone; adding it again, or removing what is gone, changes nothing."""

    number: Number
    change: Literal["add", "remove"]


class PinForm(PageInput):
    """A new PIN: typed, drawn, or none any more."""

    how: Literal["set", "draw", "remove"]
    pin: OptionalPin = None


class LanguageForm(PageInput):
    """In which language the caller is spoken to; nothing: in that of the line."""

    language: Annotated[str, Field(max_length=8)] = ""


class NoteForm(PageInput):
    """Something to remember."""

    note: Annotated[str, Field(min_length=1, max_length=NOTE_MAX)]


async def _code(request: web.Request, who: Who) -> tuple[Web, str]:
    """Return the account of the address.

    Raises:
        NotYours: there is none.

    """
    running, code = web_of(request), request.match_info["code"]
    async with running.reading() as connection:
        await find_account(connection, who.scope, code)
    return running, code


async def change_phone(request: web.Request, who: Who) -> web.StreamResponse:
    """Add a phone, unless it is somebody else's, or remove one."""
    running, code = await _code(request, who)
    sent = await read_sent(request, PhoneForm)
    form = sent.value
    if form is None:
        return await account_page(request, who, typed=sent.typed, errors=sent.errors)
    deps = running.deps
    if form.change == "remove":
        if not await remove_phone(deps.engine, code, form.number):
            raise NotYours
        await running.note(who, "remove phone", code, before=form.number)
    else:
        _none, refused = await attempt(
            set_phones_and_pin(deps.engine, code, numbers=[form.number], pin=None, key=deps.pin_key)
        )
        if refused:
            said = {"number": refused.removeprefix("Invalid input: ").capitalize()}
            return await account_page(request, who, typed=sent.typed, errors=said)
        await running.note(who, "add phone", code, after=form.number)
    raise web.HTTPSeeOther(f"/admin/accounts/{code}?done=phone#access")


async def change_pin(request: web.Request, who: Who) -> web.StreamResponse:
    """Set a PIN, or draw one that is shown once; the lockout of the old one is lifted."""
    running, code = await _code(request, who)
    sent = await read_sent(request, PinForm)
    form = sent.value
    if form is None:
        return await account_page(request, who, typed={}, errors=sent.errors)
    deps = running.deps
    if form.how == "remove":
        await remove_pin(deps.engine, code)
        await running.note(who, "remove PIN", code)
        raise web.HTTPSeeOther(f"/admin/accounts/{code}?done=pin#access")
    if form.how == "set" and form.pin is None:
        return await account_page(
            request, who, typed={}, errors={"pin": _("Write the PIN, or let one be drawn.")}
        )
    pin = form.pin if form.how == "set" and form.pin else draw_pin()
    await set_phones_and_pin(deps.engine, code, numbers=(), pin=pin, key=deps.pin_key)
    await running.note(who, "set PIN", code, after="typed" if form.how == "set" else "drawn")
    if form.how == "draw":
        return await account_page(request, who, typed={}, errors={}, pin=pin)
    raise web.HTTPSeeOther(f"/admin/accounts/{code}?done=pin#access")


async def unlock(request: web.Request, who: Who) -> web.StreamResponse:
    """Let the caller try the PIN again now."""
    running, code = await _code(request, who)
    async with running.reading() as connection:
        before = await read_access(connection, code, running.now_us())
    await lift_lockout(running.deps.engine, code)
    await running.note(who, "lift lockout", code, before=f"{before.failures} wrong PINs")
    raise web.HTTPSeeOther(f"/admin/accounts/{code}?done=unlocked#access")


async def choose_language(request: web.Request, who: Who) -> web.StreamResponse:
    """Choose in which language the caller is spoken to."""
    running, code = await _code(request, who)
    sent = await read_sent(request, LanguageForm)
    if sent.value is None:
        return await account_page(request, who, typed=sent.typed, errors=sent.errors)
    wanted = sent.value.language or None
    async with running.reading() as connection:
        before = (await read_access(connection, code, running.now_us())).language
    _none, refused = await attempt(set_language(running.deps.engine, code, wanted))
    if refused:
        return await account_page(request, who, typed=sent.typed, errors={"language": refused})
    await running.note(who, "set language", code, before=before or "", after=wanted or "")
    raise web.HTTPSeeOther(f"/admin/accounts/{code}?done=language#access")


async def note(request: web.Request, who: Who) -> web.StreamResponse:
    """Keep a note about the account."""
    running, code = await _code(request, who)
    sent = await read_sent(request, NoteForm)
    refused = ""
    if sent.value is not None:
        deps = running.deps
        _none, refused = await attempt(
            add_note(deps.engine, code, sent.value.note, actor=who.login, clock=deps.clock)
        )
    if sent.value is None or refused:
        errors = sent.errors or {"note": refused}
        return await account_page(request, who, typed=sent.typed, errors=errors)
    await running.note(who, "add note", code, after=sent.value.note)
    raise web.HTTPSeeOther(f"/admin/accounts/{code}?done=note#notes")


PAGES: Final = tuple(
    Page(
        method="POST",
        path=f"/admin/accounts/{ACCOUNT_PATH}/{name}",
        roles=OPERATORS,
        handler=handler,
        right=Right.ACCOUNTS,
    )
    for name, handler in (
        ("phones", change_phone),
        ("pin", change_pin),
        ("unlock", unlock),
        ("language", choose_language),
        ("notes", note),
    )
)
