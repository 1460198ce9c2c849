"""How an account is billed, for operators: credit limit, to whom invoices go, and when."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import Field

from billing.domain.invoices import DAYS_MAX
from billing.errors import InsufficientFunds, InvalidInput
from billing.invoicing import Invoicing
from billing.money import format_amount
from ivr.directory.catalog_billing import ADDRESS_MAX, TITLE_MAX
from ivr.web.admin.account_page import ACCOUNT_PATH, account_page
from ivr.web.fields import CreditLimit, PageInput
from ivr.web.forms import attempt, read_sent
from ivr.web.guard import Page
from ivr.web.language import gettext as _
from ivr.web.scope import OPERATORS, Right, Who
from ivr.web.state import web_of
from ivr.web.words import plain_money


class LimitForm(PageInput):
    """How much more than it has a postpaid account may spend."""

    limit: CreditLimit


class TermsForm(PageInput):
    """How a postpaid account is billed; late fees and discounts stay as they are."""

    cycle: Literal["beginning", "end"]
    terms_days: Annotated[int, Field(ge=0, le=DAYS_MAX)]
    title: Annotated[str, Field(max_length=TITLE_MAX)] = ""
    address: Annotated[str, Field(max_length=ADDRESS_MAX)] = ""


async def set_limit(request: web.Request, who: Who) -> web.StreamResponse:
    """Change the credit limit; refused when more is owed already."""
    code = request.match_info["code"]
    wallet = web_of(request).deps.wallet
    before = await wallet.account(code)
    sent = await read_sent(request, LimitForm)
    form = sent.value
    if form is None:
        return await account_page(request, who, typed=sent.typed, errors=sent.errors)
    try:
        after = await wallet.set_credit_limit(code, form.limit)
    except (InsufficientFunds, InvalidInput) as error:
        refused = _("Only a postpaid account has a credit limit, of at most 1,000,000.")
        if isinstance(error, InsufficientFunds):
            owed = plain_money(before.held - before.posted, before.currency)
            refused = _("%(owed)s are owed or held already.", owed=owed)
        return await account_page(request, who, typed=sent.typed, errors={"limit": refused})
    await web_of(request).note(
        who,
        "set credit limit",
        code,
        before=format_amount(before.credit_limit),
        after=f"{format_amount(after.credit_limit)} {after.currency}",
    )
    raise web.HTTPSeeOther(f"/admin/accounts/{code}?done=limit#billing")


async def set_terms(request: web.Request, who: Who) -> web.StreamResponse:
    """Change how the account is billed from its next invoice on."""
    code = request.match_info["code"]
    running = web_of(request)
    invoicing = Invoicing(engine=running.deps.engine, clock=running.deps.clock)
    before = await invoicing.terms(code)
    sent = await read_sent(request, TermsForm)
    form = sent.value
    errors = dict(sent.errors)
    lines = form.address.splitlines() if form else []
    if form and not all(line.isprintable() for line in (form.title, *lines)):
        errors["address"] = _("Write this without control characters.")
    if form is None or errors:
        return await account_page(request, who, typed=sent.typed, errors=errors)
    after = replace(
        before,
        cycle=form.cycle,
        terms_days=form.terms_days,
        title=form.title,
        address="\n".join(line.strip() for line in lines if line.strip()),
    )
    _none, refused = await attempt(invoicing.set_terms(code, after))
    if refused:
        return await account_page(request, who, typed=sent.typed, errors={"cycle": refused})
    old, new = asdict(before), asdict(after)
    changed = [name for name in new if new[name] != old[name]]
    await running.note(
        who,
        "set billing terms",
        code,
        before=", ".join(f"{name} {old[name]}" for name in changed),
        after=", ".join(f"{name} {new[name]}" for name in changed),
    )
    raise web.HTTPSeeOther(f"/admin/accounts/{code}?done=terms#billing")


PAGES: Final = (
    Page(
        method="POST",
        path=f"/admin/accounts/{ACCOUNT_PATH}/limit",
        roles=OPERATORS,
        handler=set_limit,
        right=Right.MONEY,
    ),
    Page(
        method="POST",
        path=f"/admin/accounts/{ACCOUNT_PATH}/terms",
        roles=OPERATORS,
        handler=set_terms,
        right=Right.ACCOUNTS,
    ),
)
