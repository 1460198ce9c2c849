"""Who is the caller, on the phone: changing the PIN, taking phones back.

A phone is added by phone alone, by a caller who keys in the PIN: that proves that it is at hand.
"""

from __future__ import annotations

from typing import Annotated, Final

from aiohttp import web
from pydantic import Field

from ivr.directory.callers import remove_phone, set_phones_and_pin
from ivr.web.account.home import home_page
from ivr.web.fields import Number, PageInput, Pin
from ivr.web.forms import read_sent
from ivr.web.guard import Page
from ivr.web.limits import network
from ivr.web.scope import CALLERS, NotYours, Who
from ivr.web.state import web_of

WRONG: Final = "This is not your PIN, or wrong ones were tried too often. Wait, then try again."


class PinForm(PageInput):
    """The PIN now, and twice the one to be."""

    old_pin: Annotated[str, Field(min_length=1, max_length=64)]
    new_pin: Pin
    new_pin_again: Annotated[str, Field(max_length=64)] = ""


class PhoneForm(PageInput):
    """The phone that is taken back."""

    number: Number


async def change_pin(request: web.Request, who: Who) -> web.StreamResponse:
    """Change the PIN; guesses count together with those keyed in by phone."""
    sent = await read_sent(request, PinForm)
    form = sent.value
    errors = dict(sent.errors)
    if form is not None and form.new_pin != form.new_pin_again:
        errors["new_pin_again"] = "This is not the same PIN."
    running, account = web_of(request), who.scope.subject or ""
    if form is None or errors:
        return await home_page(request, who, typed={}, errors=errors)
    if not await running.pins.check(
        account, form.old_pin, caller=f"web:{network(who.address)}", place="web"
    ):
        return await home_page(request, who, typed={}, errors={"old_pin": WRONG})
    deps = running.deps
    await set_phones_and_pin(deps.engine, account, numbers=(), pin=form.new_pin, key=deps.pin_key)
    await running.note(who, "change PIN", account)
    raise web.HTTPSeeOther("/account?done=pin")


async def forget_phone(request: web.Request, who: Who) -> web.StreamResponse:
    """Take back one of the caller's own phones."""
    sent = await read_sent(request, PhoneForm)
    if sent.value is None:
        return await home_page(request, who, typed={}, errors={"number": "Choose one of the list."})
    running, account = web_of(request), who.scope.subject or ""
    if not await remove_phone(running.deps.engine, account, sent.value.number):
        raise NotYours
    await running.note(who, "remove phone", account, before=sent.value.number)
    raise web.HTTPSeeOther("/account?done=phone")


PAGES: Final = (
    Page(method="POST", path="/account/pin", roles=CALLERS, handler=change_pin),
    Page(method="POST", path="/account/phones/remove", roles=CALLERS, handler=forget_phone),
)
