"""Opening an account: what it is, who calls from it, how it is billed, and its first money."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from billing.invoicing import Invoicing
from billing.money import Micros, format_amount
from billing.storage.plan_rows import PlanVersion
from billing.subscriptions import Subscriptions
from billing.wallet import TOP_UP_MAX, Account
from ivr.directory.callers import set_phones_and_pin
from ivr.directory.care import NOTE_MAX, add_note, set_language
from ivr.directory.catalog_billing import TITLE_MAX
from ivr.directory.model import NUMBER
from ivr.web.admin.account import note_movement
from ivr.web.admin.account_page import PRESETS
from ivr.web.admin.accounts import currencies
from ivr.web.fields import (
    Amount,
    Code,
    CreditLimit,
    Line,
    OptionalLine,
    OptionalPin,
    PageInput,
)
from ivr.web.forms import FormKey, Sent, attempt, new_key, read_sent
from ivr.web.guard import Page, render
from ivr.web.language import gettext as _
from ivr.web.queries.plans import list_plans
from ivr.web.scope import OPERATORS, Right, Who
from ivr.web.state import Web, web_of

PHONES_MAX: Final = 20


def _phones(text: object) -> object:
    if not isinstance(text, str):
        return text
    parts = [part for part in re.split(r"[,;\n]+", text) if part.strip()]
    return tuple(re.sub(r"[ ()+-]", "", part) for part in parts)


def _numbers(found: tuple[str, ...]) -> tuple[str, ...]:
    if len(found) > PHONES_MAX or not all(NUMBER.fullmatch(number) for number in found):
        raise ValueError("a phone number is 2 to 20 digits; put commas between several")
    return found


def _first(amount: Micros) -> Micros:
    if not 0 <= amount <= TOP_UP_MAX:
        raise ValueError("the first money is at most 1,000,000")
    return amount


class NewAccountForm(PageInput):
    """A new account. Its first money is a top-up with the key of the form."""

    code: Code
    mode: Literal["prepaid", "postpaid"] = "prepaid"
    currency: Line
    credit_limit: CreditLimit = 0
    phone: Annotated[tuple[str, ...], BeforeValidator(_phones), AfterValidator(_numbers)] = ()
    pin: OptionalPin = None
    language: Annotated[str, Field(max_length=8)] = ""
    title: Annotated[Line, Field(max_length=TITLE_MAX)] = ""
    amount: Annotated[Amount, AfterValidator(_first)] = 0
    plan: OptionalLine = None
    note: Annotated[str, Field(max_length=NOTE_MAX)] = ""
    key: FormKey

    @model_validator(mode="after")
    def _fits(self) -> NewAccountForm:
        if self.mode == "prepaid" and self.credit_limit:
            raise ValueError("only a postpaid account has a credit limit")
        return self


async def new(request: web.Request, who: Who) -> web.Response:
    """Show the form of a new account."""
    return await _form(request, who, {}, {})


async def _form(
    request: web.Request, who: Who, typed: Mapping[str, str], errors: Mapping[str, str]
) -> web.Response:
    values = {
        "typed": {name: text for name, text in typed.items() if name != "pin"},
        "errors": errors,
        "currencies": currencies(web_of(request)),
        "plans": await _plans(web_of(request)),
        "presets": PRESETS,
        "key": new_key(),
    }
    status = 422 if errors else 200
    return render(request, "admin/account_new.html", who, values, status=status)


async def _plans(running: Web) -> list[PlanVersion]:
    async with running.reading() as connection:
        return await list_plans(connection)


async def add(request: web.Request, who: Who) -> web.StreamResponse:
    """Open an account."""
    running = web_of(request)
    sent = await read_sent(request, NewAccountForm)
    errors = await _mistakes(running, sent)
    form = sent.value
    if form is None or errors:
        return await _form(request, who, sent.typed, errors)
    deps = running.deps
    account, refused = await attempt(
        deps.wallet.open_account(
            form.code, mode=form.mode, currency=form.currency, credit_limit=form.credit_limit
        )
    )
    if account is None:
        return await _form(request, who, sent.typed, {"code": refused})
    facts = f"{account.mode}, credit limit {format_amount(account.credit_limit)} {account.currency}"
    await running.note(who, "open account", account.code, after=facts)
    missing = await _complete(running, who, account, form)
    query = f"?incomplete={missing}" if missing else ""
    raise web.HTTPSeeOther(f"/admin/accounts/{account.code}{query}")


async def _mistakes(running: Web, sent: Sent[NewAccountForm]) -> dict[str, str]:
    """Find what is wrong before anything is opened."""
    errors = dict(sent.errors)
    if "body" in errors:
        errors["credit_limit"] = errors.pop("body")
    form = sent.value
    if form is None:
        return errors
    if form.currency not in currencies(running):
        errors["currency"] = _("Choose one of the list.")
    for number in form.phone:
        if owner := running.deps.directory().account_of_phone(number):
            errors["phone"] = _(
                "The phone %(number)s belongs to account %(owner)s.", number=number, owner=owner
            )
    if form.title and form.mode == "prepaid":
        errors["title"] = _("Only a postpaid account gets invoices.")
    if form.plan:
        sold = {one.plan.name: one.plan.currency for one in await _plans(running)}
        if sold.get(form.plan) != form.currency:
            errors["plan"] = _("There is no such plan in this currency.")
    return errors


async def _complete(running: Web, who: Who, account: Account, form: NewAccountForm) -> str:
    """Do what follows the opening; names what another change was in the way of."""
    deps, code = running.deps, account.code
    if form.phone or form.pin:
        _none, refused = await attempt(
            set_phones_and_pin(
                deps.engine, code, numbers=form.phone, pin=form.pin, key=deps.pin_key
            )
        )
        if refused:
            return "access"
        facts = ", ".join((*form.phone, *(["PIN"] if form.pin else [])))
        await running.note(who, "set phones and PIN", code, after=facts)
    if form.language:
        _none, refused = await attempt(set_language(deps.engine, code, form.language))
        if refused:
            return "access"
    if form.title:
        invoicing = Invoicing(engine=deps.engine, clock=deps.clock)
        await invoicing.set_terms(code, replace(await invoicing.terms(code), title=form.title))
    if form.note.strip():
        await attempt(add_note(deps.engine, code, form.note, actor=who.login, clock=deps.clock))
    if form.amount:
        await _first_money(running, who, code, form.amount, form.key)
    if form.plan:
        use = Subscriptions(engine=deps.engine, clock=deps.clock)
        done, _refused = await attempt(use.subscribe(code, form.plan))
        if done is None:
            return "plan"
        await running.note(who, "subscribe", code, after=f"{done.plan.name}@{done.version}")
    return ""


async def _first_money(running: Web, who: Who, code: str, amount: Micros, key: str) -> None:
    done = await running.deps.wallet.top_up(
        code, amount, key=key, actor=who.login, memo="first top-up"
    )
    await note_movement(running, who, "top up", done)


PAGES: Final = (
    Page(method="GET", path="/admin/new-account", roles=OPERATORS, handler=new),
    Page(
        method="POST", path="/admin/new-account", roles=OPERATORS, handler=add, right=Right.ACCOUNTS
    ),
)
