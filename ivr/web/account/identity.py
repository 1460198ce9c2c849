"""Who is the caller, on the phone: changing the PIN, taking phones back.

A phone is added by phone alone, by a caller who keys in the PIN: that proves that it is at hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from aiohttp import web
from pydantic import Field

from ivr.directory.callers import remove_phone, set_phones_and_pin
from ivr.web.account.frame import code_of
from ivr.web.account.proof import PROOF_MAX, wrong_proof
from ivr.web.fields import Number, PageInput, Pin
from ivr.web.forms import read_sent
from ivr.web.guard import Page, render
from ivr.web.language import gettext as _
from ivr.web.queries.accounts import find_account, has_pin, phones_of, pin_hash_of
from ivr.web.scope import CALLERS, NotYours, Who
from ivr.web.state import web_of

# What was done, as the address names it: nothing of the address is shown itself.
DONE: Final = {
    "pin": "Your PIN is changed, on the phone too. Everybody who came in with the old one is out.",
    "phone": "The phone is removed: calls from it ask for account number and PIN.",
}

Proof = Annotated[str, Field(max_length=PROOF_MAX)]


class PinForm(PageInput):
    """A proof, and twice the PIN to be."""

    pin_proof: Proof = ""
    new_pin: Pin
    new_pin_again: Annotated[str, Field(max_length=64)] = ""


class PhoneForm(PageInput):
    """A proof, and the phone that is taken back."""

    number: Number
    phone_proof: Proof = ""


async def show(request: web.Request, who: Who) -> web.Response:
    """Show phones and PIN."""
    return await identity_page(request, who, errors={})


async def identity_page(
    request: web.Request, who: Who, *, errors: Mapping[str, str]
) -> web.Response:
    """Show them with what is wrong in a form; a PIN is never shown again."""
    running, code = web_of(request), code_of(who)
    done = request.query.get("done", "")
    async with running.reading() as connection:
        values = {
            "account": await find_account(connection, who.scope, code),
            "phones": await phones_of(connection, code),
            "has_pin": await has_pin(connection, code),
        }
    values |= {"done": _(DONE[done]) if done in DONE else "", "errors": errors}
    return render(request, "account/phones.html", who, values, status=422 if errors else 200)


async def change_pin(request: web.Request, who: Who) -> web.StreamResponse:
    """Change the PIN; wrong ones count together with those keyed in by phone."""
    sent = await read_sent(request, PinForm)
    form = sent.value
    errors = dict(sent.errors)
    if form is not None and form.new_pin != form.new_pin_again:
        errors["new_pin_again"] = _("This is not the same PIN.")
    if form is None or errors:
        return await identity_page(request, who, errors=errors)
    if wrong := await wrong_proof(request, who, form.pin_proof):
        return await identity_page(request, who, errors={"pin_proof": wrong})
    running, account = web_of(request), code_of(who)
    deps = running.deps
    await set_phones_and_pin(deps.engine, account, numbers=(), pin=form.new_pin, key=deps.pin_key)
    if who.by_pin:
        async with running.reading() as connection:
            stored = await pin_hash_of(connection, account)
        await running.pin_sessions.keep(who.session, stored or "")
    await running.note(who, "change PIN", account)
    raise web.HTTPSeeOther("/account/phones?done=pin")


async def forget_phone(request: web.Request, who: Who) -> web.StreamResponse:
    """Take back one of the caller's own phones."""
    sent = await read_sent(request, PhoneForm)
    form = sent.value
    if form is None:
        return await identity_page(request, who, errors={"number": _("Choose one of the list.")})
    running, account = web_of(request), code_of(who)
    async with running.reading() as connection:
        if form.number not in await phones_of(connection, account):
            raise NotYours
    if wrong := await wrong_proof(request, who, form.phone_proof):
        return await identity_page(request, who, errors={"phone_proof": wrong})
    if not await remove_phone(running.deps.engine, account, form.number):
        raise NotYours
    await running.note(who, "remove phone", account, before=form.number)
    raise web.HTTPSeeOther("/account/phones?done=phone")


PAGES: Final = (
    Page(method="GET", path="/account/phones", roles=CALLERS, handler=show),
    Page(method="POST", path="/account/pin", roles=CALLERS, handler=change_pin),
    Page(method="POST", path="/account/phones/remove", roles=CALLERS, handler=forget_phone),
)
