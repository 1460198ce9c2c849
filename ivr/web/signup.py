"""Opening an account of one's own: e-mail and password to log in, number and PIN to call.

No mail is sent, so nothing is confirmed: an e-mail is a name to log in with, and no phone is taken
at its word. A phone becomes known by a call from it, with number and PIN.

Whether an e-mail is taken is not told: an account is opened in any case, and the visitor comes in
with its number and PIN. Only who knew before can tell the difference.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from typing import Annotated, Final

import structlog
from aiohttp import web
from pydantic import AfterValidator, Field

from billing.errors import AccountExists, InvalidInput
from billing.receipts import name_account
from ivr.directory.callers import set_phones_and_pin
from ivr.web.fields import Line, OptionalLine, PageInput
from ivr.web.forms import FormKey, new_key, read_sent
from ivr.web.guard import render
from ivr.web.language import gettext as _
from ivr.web.limits import network
from ivr.web.login_pin import begin_pin_session, check_login_form
from ivr.web.passwords import PASSWORD_LENGTH_MAX, check_strength
from ivr.web.problems import Refusal
from ivr.web.queries.accounts import pin_hash_of
from ivr.web.reauth import too_many
from ivr.web.scope import NotYours, Role, Scope, Who
from ivr.web.security import (
    LOGIN_COOKIE,
    address_of,
    login_csrf,
    new_login_nonce,
    read_cookie,
    set_cookie,
)
from ivr.web.state import Web, web_of
from ivr.web.users import UserExists, add_user

EMAIL: Final = re.compile(r"[a-z0-9][a-z0-9_.+-]*@[a-z0-9-]+(\.[a-z0-9-]+)+", re.ASCII)
EMAIL_MAX: Final = 64
# From one network, and from everywhere, in the window of `ivr.web.limits`.
SIGNUPS_PER_NETWORK: Final = 5
SIGNUPS_MAX: Final = 200
PIN_DIGITS: Final = 6
CODE_LENGTH: Final = 10
ACTOR: Final = "sign-up"

log = structlog.get_logger()


def _email(text: str) -> str:
    lowered = text.lower()
    if len(lowered) > EMAIL_MAX or not EMAIL.fullmatch(lowered):
        raise ValueError("write an e-mail address such as ann@example.org, at most 64 characters")
    return lowered


class SignUpForm(PageInput):
    """What a stranger tells; `key` came with the form."""

    email: Annotated[Line, AfterValidator(_email)]
    password: Annotated[str, Field(max_length=PASSWORD_LENGTH_MAX)]
    password_again: Annotated[str, Field(max_length=PASSWORD_LENGTH_MAX)] = ""
    name: OptionalLine = None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    key: FormKey


async def show(request: web.Request) -> web.StreamResponse:
    """Show the form."""
    return _page(request, typed={}, errors={})


def _page(
    request: web.Request, *, typed: Mapping[str, str], errors: Mapping[str, str]
) -> web.Response:
    running = _open(request)
    nonce = read_cookie(request, LOGIN_COOKIE) or new_login_nonce()
    values = {
        "csrf": login_csrf(nonce, key=running.deps.web_key),
        "currencies": currencies(running),
        "currency_options": [(each, each) for each in currencies(running)],
        "typed": {name: text for name, text in typed.items() if "password" not in name},
        "errors": errors,
        "key": new_key(),
    }
    response = render(request, "signup.html", None, values, status=422 if errors else 200)
    set_cookie(request, response, LOGIN_COOKIE, nonce)
    return response


def _open(request: web.Request) -> Web:
    running = web_of(request)
    if not running.deps.signup:
        raise NotYours
    return running


def currencies(running: Web) -> list[str]:
    """List the currencies that lines are paid in."""
    return sorted({client.currency for client in running.deps.directory().clients.values()})


async def sign_up(request: web.Request) -> web.StreamResponse:
    """Open an account, once per form, and show its number and PIN this once."""
    running = _open(request)
    await check_login_form(request)
    sent = await read_sent(request, SignUpForm)
    form, errors = sent.value, dict(sent.errors)
    offered = currencies(running)
    currency = (form.currency if form else None) or (offered[0] if offered else "")
    if form is not None:
        errors |= _password_errors(form)
        if currency not in offered:
            errors["currency"] = _("There is no line to call in this currency.")
    if form is None or errors:
        return _page(request, typed=sent.typed, errors=errors)
    keys = {
        f"signup:{network(address_of(request))}": SIGNUPS_PER_NETWORK,
        "signup": SIGNUPS_MAX,
    }
    if wait := await running.logins.take(keys):
        log.warning("sign-up limited", network=network(address_of(request)))
        raise Refusal("too_many_tries", too_many(wait), headers={"Retry-After": str(wait)})
    return await _opened(request, running, form, currency)


def _password_errors(form: SignUpForm) -> dict[str, str]:
    try:
        check_strength(form.password, login=form.email.partition("@")[0])
    except InvalidInput as error:
        text = str(error.facts["reason"])
        return {"password": f"{text[:1].upper()}{text[1:]}."}
    if form.password != form.password_again:
        return {"password_again": _("This is not the same password.")}
    return {}


async def _opened(
    request: web.Request, running: Web, form: SignUpForm, currency: str
) -> web.StreamResponse:
    deps, now_us = running.deps, running.now_us()
    code = _code(form.key, deps.web_key)
    # Everything is done whether the e-mail is taken or not, so that it takes the same time.
    password_hash = await running.passwords.hash(form.password)
    try:
        account = await deps.wallet.open_account(code, mode="prepaid", currency=currency)
    except AccountExists:
        # The same form again: what was shown once is not shown twice.
        raise web.HTTPSeeOther("/account") from None
    pin = new_pin()
    await set_phones_and_pin(deps.engine, code, numbers=(), pin=pin, key=deps.pin_key)
    if form.name:
        await name_account(deps.engine, code, form.name)
    taken = ""
    try:
        await add_user(
            deps.engine,
            form.email,
            password_hash=password_hash,
            role=Role.CALLER,
            subject=code,
            now_us=now_us,
        )
    except UserExists:
        taken = ", its e-mail was taken"
    scope = Scope(role=Role.CALLER, subject=code)
    who = Who(login=ACTOR, scope=scope, address=address_of(request), csrf="", session="")
    await running.note(who, "sign up", code, after=f"prepaid {currency}{taken}")
    async with running.reading() as connection:
        stored = await pin_hash_of(connection, code)
    values = {"account": account, "pin": pin, "email": form.email}
    response = render(request, "signup_done.html", None, values)
    await begin_pin_session(request, code, stored or "", response=response)
    return response


def new_pin() -> str:
    """Make a PIN of six digits that are not all alike."""
    while True:
        pin = f"{secrets.randbelow(10**PIN_DIGITS):0{PIN_DIGITS}d}"
        if len(set(pin)) > 2:
            return pin


def _code(form_key: str, key: bytes) -> str:
    """Name the account by its form, so that a form that is sent twice names the same."""
    digest = hmac.new(key, f"signup:{form_key}".encode(), hashlib.sha256).hexdigest()
    return f"c-{digest[:CODE_LENGTH]}"


def add_signup(app: web.Application) -> None:
    """Register what needs no login."""
    app.router.add_get("/signup", show)
    app.router.add_post("/signup", sign_up)
