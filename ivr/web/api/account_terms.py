"""Operations on how an account is billed and spoken to, and on what is to be remembered of it."""

from __future__ import annotations

from typing import Final

from billing.domain.invoices import BillingTerms
from billing.invoicing import Invoicing
from billing.money import format_amount
from ivr.calls.history import moment
from ivr.directory.care import (
    Note,
    add_note,
    read_access,
    read_notes,
    remove_pin,
    set_language,
)
from ivr.web.admin.account_terms import change_terms, is_address
from ivr.web.api import account_models
from ivr.web.api import terms_models as models
from ivr.web.api.account_care import access, code_of
from ivr.web.api.gate import Answer, Ask, Operation
from ivr.web.api.places import ACCOUNT
from ivr.web.problems import wrong_fields
from ivr.web.scope import OPERATORS, Right


async def show_terms(ask: Ask) -> Answer:
    """Show how an account is billed."""
    code = await code_of(ask)
    return Answer(model=_terms(code, await _invoicing(ask).terms(code)))


async def set_terms(ask: Ask) -> Answer:
    """Change how an account is billed from its next invoice on."""
    assert isinstance(ask.body, models.BillingEdit)
    body, code = ask.body, await code_of(ask)
    if not is_address(body.title, body.address):
        raise wrong_fields({"address": "Write this without control characters."})
    after = await change_terms(ask.web, ask.who, code, **body.model_dump())
    return Answer(model=_terms(code, after))


async def choose_language(ask: Ask) -> Answer:
    """Choose in which language the caller is spoken to."""
    assert isinstance(ask.body, models.NewLanguage)
    code, wanted = await code_of(ask), ask.body.language
    async with ask.web.reading() as connection:
        before = (await read_access(connection, code, ask.web.now_us())).language
    await set_language(ask.web.deps.engine, code, wanted)
    await ask.web.note(ask.who, "set language", code, before=before or "", after=wanted or "")
    return await access(ask, code)


async def drop_pin(ask: Ask) -> Answer:
    """Let an account have no PIN any more."""
    code = await code_of(ask)
    await remove_pin(ask.web.deps.engine, code)
    await ask.web.note(ask.who, "remove PIN", code)
    return await access(ask, code)


async def list_notes(ask: Ask) -> Answer:
    """List what is remembered of an account."""
    return Answer(model=_notes(await _read_notes(ask, await code_of(ask))))


async def keep_note(ask: Ask) -> Answer:
    """Keep a note about an account."""
    assert isinstance(ask.body, models.NewNote)
    code, deps, text = await code_of(ask), ask.web.deps, ask.body.text
    await add_note(deps.engine, code, text, actor=ask.who.login, clock=deps.clock)
    await ask.web.note(ask.who, "add note", code, after=text)
    return Answer(model=_notes(await _read_notes(ask, code)))


async def _read_notes(ask: Ask, code: str) -> list[Note]:
    async with ask.web.reading() as connection:
        return await read_notes(connection, code)


def _notes(found: list[Note]) -> models.Notes:
    return models.Notes(
        items=tuple(
            models.NoteView(text=one.text, by=one.actor, at=moment(one.at_us) or "")
            for one in found
        )
    )


def _terms(code: str, terms: BillingTerms) -> models.Billing:
    return models.Billing(
        account=code,
        cycle=terms.cycle,
        terms_days=terms.terms_days,
        title=terms.title,
        address=terms.address,
        late_fee=format_amount(terms.late_fee),
        late_fee_basis_points=terms.late_fee_bp,
        grace_days=terms.grace_days,
        early_discount_basis_points=terms.early_discount_bp,
        early_days=terms.early_days,
    )


def _invoicing(ask: Ask) -> Invoicing:
    return Invoicing(engine=ask.web.deps.engine, clock=ask.web.deps.clock)


ONE: Final = f"/accounts/{ACCOUNT}"
OPERATIONS: Final = (
    Operation(
        method="GET", path=f"{ONE}/terms", name="showBillingTerms",
        summary="Show how an account is billed", roles=OPERATORS, handler=show_terms,
        answer=models.Billing, problems=("not_found",),
    ),
    Operation(
        method="PUT", path=f"{ONE}/terms", name="setBillingTerms",
        summary="Change how a postpaid account is billed, from its next invoice on",
        roles=OPERATORS, right=Right.ACCOUNTS, handler=set_terms, body=models.BillingEdit,
        answer=models.Billing, problems=("not_found", "invalid_input"),
        description="Late fees and discounts come by the catalog and stay.",
    ),
    Operation(
        method="PUT", path=f"{ONE}/language", name="setLanguage",
        summary="Choose in which language the caller is spoken to", roles=OPERATORS,
        right=Right.ACCOUNTS, handler=choose_language, body=models.NewLanguage,
        answer=account_models.Access, problems=("not_found", "invalid_input"),
    ),
    Operation(
        method="DELETE", path=f"{ONE}/pin", name="removePin",
        summary="Let an account have no PIN any more", roles=OPERATORS, right=Right.ACCOUNTS,
        handler=drop_pin, answer=account_models.Access, problems=("not_found",),
    ),
    Operation(
        method="GET", path=f"{ONE}/notes", name="listNotes",
        summary="List what is remembered of an account, newest first", roles=OPERATORS,
        handler=list_notes, answer=models.Notes, problems=("not_found",),
    ),
    Operation(
        method="POST", path=f"{ONE}/notes", name="keepNote",
        summary="Keep a note about an account", roles=OPERATORS, right=Right.ACCOUNTS,
        handler=keep_note, body=models.NewNote, answer=models.Notes, statuses=(201,),
        problems=("not_found", "invalid_input"),
    ),
)  # fmt: skip
