"""How an account is billed, for operators: credit limit, to whom invoices go, and when."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import Field

from billing.domain.invoices import DAYS_MAX, BillingTerms
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
from ivr.web.state import Web, web_of
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
    sent = await read_sent(request, TermsForm)
    form = sent.value
    errors = dict(sent.errors)
    if form and not is_address(form.title, form.address):
        errors["address"] = _("Write this without control characters.")
    if form is None or errors:
        return await account_page(request, who, typed=sent.typed, errors=errors)
    done, refused = await attempt(change_terms(web_of(request), who, code, **form.model_dump()))
    if done is None:
        return await account_page(request, who, typed=sent.typed, errors={"cycle": refused})
    raise web.HTTPSeeOther(f"/admin/accounts/{code}?done=terms#billing")


def is_address(title: str, address: str) -> bool:
    """Tell whether this can be printed above an invoice."""
    return all(line.isprintable() for line in (title, *address.splitlines()))


async def change_terms(
    running: Web, who: Who, code: str, *, cycle: str, terms_days: int, title: str, address: str
) -> BillingTerms:
    """Change how an account is billed from its next invoice on, and write down who did so.

    Raises:
        InvalidInput: the account is not billed at all.

    """
    invoicing = Invoicing(engine=running.deps.engine, clock=running.deps.clock)
    before = await invoicing.terms(code)
    after = replace(
        before,
        cycle=cycle,
        terms_days=terms_days,
        title=title,
        address="\n".join(line.strip() for line in address.splitlines() if line.strip()),
    )
    await invoicing.set_terms(code, after)
    old, new = asdict(before), asdict(after)
    changed = [name for name in new if new[name] != old[name]]
    await running.note(
        who,
        "set billing terms",
        code,
        before=", ".join(f"{name} {old[name]}" for name in changed),
        after=", ".join(f"{name} {new[name]}" for name in changed),
    )
    return after


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
