"""Accounts for operators: search, and opening a new one."""

from __future__ import annotations

from typing import Any, Final, Literal

from aiohttp import web
from pydantic import ValidationError, model_validator

from billing.errors import BillingError
from billing.money import format_amount
from billing.wallet import Account
from ivr.directory.callers import set_phones_and_pin
from ivr.web.fields import (
    PAGE_SIZE,
    Code,
    CreditLimit,
    Line,
    OptionalLine,
    OptionalNumber,
    OptionalPin,
    PageInput,
    read_cursor,
    write_cursor,
)
from ivr.web.guard import Page, read_form, render
from ivr.web.lists import first_link, next_link, read_filter
from ivr.web.problems import messages, problem_of
from ivr.web.queries.accounts import AccountFilter, list_accounts
from ivr.web.scope import OPERATORS, Right, Who
from ivr.web.state import Web, web_of


class SearchForm(PageInput):
    """The filter of the list."""

    q: OptionalLine = None
    status: Literal["", "active", "blocked"] = ""
    mode: Literal["", "prepaid", "postpaid"] = ""


class NewAccountForm(PageInput):
    """A new account, with the phone that it may be called from."""

    code: Code
    mode: Literal["prepaid", "postpaid"] = "prepaid"
    currency: Line
    credit_limit: CreditLimit = 0
    phone: OptionalNumber = None
    pin: OptionalPin = None

    @model_validator(mode="after")
    def _limit_fits(self) -> NewAccountForm:
        if self.mode == "prepaid" and self.credit_limit:
            raise ValueError("only a postpaid account has a credit limit")
        return self


async def show(request: web.Request, who: Who) -> web.Response:
    """Show accounts by code."""
    form = read_filter(request, SearchForm)
    place = read_cursor(request.query.get("after", ""), str)
    wanted = AccountFilter(
        text=form.value.q, status=form.value.status or None, mode=form.value.mode or None
    )
    async with web_of(request).reading() as connection:
        found = await list_accounts(
            connection,
            who.scope,
            wanted,
            after=place[0] if place else None,
            limit=PAGE_SIZE + 1,
        )
    more = len(found) > PAGE_SIZE
    cursor = write_cursor(found[PAGE_SIZE - 1].code) if more else None
    return render(
        request,
        "admin/accounts.html",
        who,
        {
            "accounts": found[:PAGE_SIZE],
            "form": form,
            "filtered": any(form.value.model_dump().values()),
            "next": next_link(request, cursor),
            "first": first_link(request),
        },
    )


async def new(request: web.Request, who: Who) -> web.Response:
    """Show the form of a new account."""
    return _form(request, who, {}, {})


def _form(
    request: web.Request, who: Who, typed: dict[str, str], errors: dict[str, str]
) -> web.Response:
    return render(
        request,
        "admin/account_new.html",
        who,
        {"typed": typed, "errors": errors, "currencies": currencies(web_of(request))},
        status=422 if errors else 200,
    )


async def add(request: web.Request, who: Who) -> web.StreamResponse:
    """Open an account."""
    typed = await read_form(request)
    running = web_of(request)
    sent = {name: text for name, text in typed.items() if text.strip()}
    try:
        form = NewAccountForm.model_validate(sent)
    except ValidationError as error:
        errors = messages(error)
        if "body" in errors:
            errors["credit_limit"] = errors.pop("body")
        return _form(request, who, _without_pin(typed), errors)
    if form.currency not in currencies(running):
        return _form(request, who, _without_pin(typed), {"currency": "Choose one of the list."})
    if form.phone and running.deps.directory().account_of_phone(form.phone):
        taken = {"phone": "This phone belongs to another account."}
        return _form(request, who, _without_pin(typed), taken)
    try:
        account = await open_account(running, who, form)
    except BillingError as error:
        problem = problem_of(error)
        if problem is None or problem.status >= 500:
            raise
        return _form(request, who, _without_pin(typed), {"code": problem.detail})
    raise web.HTTPSeeOther(f"/admin/accounts/{account.code}")


async def open_account(running: Web, who: Who, form: NewAccountForm) -> Account:
    """Open the account, then register its phone and PIN."""
    account = await running.deps.wallet.open_account(
        form.code, mode=form.mode, currency=form.currency, credit_limit=form.credit_limit
    )
    if form.phone or form.pin:
        await set_phones_and_pin(
            running.deps.engine,
            account.code,
            numbers=[form.phone] if form.phone else [],
            pin=form.pin,
            key=running.deps.pin_key,
        )
    facts = f"{account.mode}, credit limit {format_amount(account.credit_limit)} {account.currency}"
    await running.note(who, "open account", account.code, after=facts)
    return account


def currencies(running: Web) -> list[str]:
    """List the currencies that clients sell in."""
    clients = running.deps.directory().clients.values()
    return sorted({client.currency for client in clients}) or ["USD"]


def _without_pin(typed: dict[str, str]) -> dict[str, Any]:  # Any: what the template shows again
    return {name: text for name, text in typed.items() if name not in {"pin", "csrf"}}


PAGES: Final = (
    Page(method="GET", path="/admin/accounts", roles=OPERATORS, handler=show),
    Page(method="GET", path="/admin/new-account", roles=OPERATORS, handler=new),
    Page(
        method="POST", path="/admin/new-account", roles=OPERATORS, handler=add, right=Right.ACCOUNTS
    ),
)
