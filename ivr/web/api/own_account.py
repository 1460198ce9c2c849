"""Operations of callers on their own account: PIN, phones, statements and receipts as files."""

from __future__ import annotations

import asyncio
from typing import Final

from pydantic import SecretStr

from billing.documents import statement_pdf
from billing.receipts import AccountStatement, read_statement
from billing.reports import ROWS_MAX
from ivr.directory.callers import remove_phone, set_phones_and_pin
from ivr.web.account.statements import own_receipt, write_csv
from ivr.web.api import account_models, card_models
from ivr.web.api.account_care import access, code_of
from ivr.web.api.gate import Answer, Ask, FileAnswer, Operation
from ivr.web.api.periods import PeriodQuery
from ivr.web.api.places import ACCOUNT, TRANSFER
from ivr.web.pins import check_pin
from ivr.web.problems import wrong_fields
from ivr.web.queries.accounts import find_account, phones_of, pin_hash_of
from ivr.web.scope import CALLERS, OPERATORS, NotYours, Role

WRONG: Final = "This is not the PIN, or wrong ones were tried too often. Wait, then try again."


async def change_pin(ask: Ask) -> Answer:
    """Change the PIN; wrong ones count together with those keyed in by phone."""
    assert isinstance(ask.body, card_models.PinChange)
    code = await code_of(ask)
    await _prove(ask, code, ask.body.current_pin)
    deps = ask.web.deps
    pin = ask.body.pin.get_secret_value()
    await set_phones_and_pin(deps.engine, code, numbers=(), pin=pin, key=deps.pin_key)
    await ask.web.note(ask.who, "change PIN", code)
    return Answer(model=card_models.PinChanged(account=code))


async def forget_phone(ask: Ask) -> Answer:
    """Take back one of the caller's own phones."""
    assert isinstance(ask.body, card_models.PhoneRemoval)
    code, number = await code_of(ask), ask.body.number
    async with ask.web.reading() as connection:
        if number not in await phones_of(connection, code):
            raise NotYours
    await _prove(ask, code, ask.body.current_pin)
    if not await remove_phone(ask.web.deps.engine, code, number):
        raise NotYours
    await ask.web.note(ask.who, "remove phone", code, before=number)
    return await access(ask, code)


async def statement_csv(ask: Ask) -> FileAnswer:
    """Answer the movements of some days as CSV."""
    found, currency = await _statement(ask)
    body = write_csv(found.lines, currency).encode()
    return FileAnswer(body=body, media="text/csv", name=f"{_name(found)}.csv")


async def statement_as_pdf(ask: Ask) -> FileAnswer:
    """Answer the same as PDF, with the balance before and after."""
    found, _ = await _statement(ask)
    body = await asyncio.to_thread(statement_pdf, found, ask.web.deps.issuer)
    return FileAnswer(body=body, media="application/pdf", name=f"{_name(found)}.pdf")


async def receipt(ask: Ask) -> FileAnswer:
    """Answer the receipt of a payment as PDF."""
    transfer = ask.named("transfer")
    body = await own_receipt(ask.web, await code_of(ask), transfer)
    return FileAnswer(body=body, media="application/pdf", name=f"receipt-{transfer}.pdf")


async def _prove(ask: Ask, code: str, proof: SecretStr) -> None:
    """Let only who knows the PIN go on; a token alone does not.

    Raises:
        Refusal: it is not the PIN, or wrong ones lock the account.

    """
    assert ask.who.role is Role.CALLER
    async with ask.web.reading() as connection:
        stored = await pin_hash_of(connection, code)
    if not await check_pin(ask.request, code, stored, proof.get_secret_value()):
        raise wrong_fields({"current_pin": WRONG})


async def _statement(ask: Ask) -> tuple[AccountStatement, str]:
    assert isinstance(ask.query, PeriodQuery)
    span = ask.query.span(ask.web.now().date())
    async with ask.web.reading() as connection:
        account = await find_account(connection, ask.who.scope, ask.named("account"))
        found = await read_statement(connection, account.code, span)
    if len(found.lines) > ROWS_MAX:
        raise wrong_fields({"to": f"There are more than {ROWS_MAX:,} lines. Ask for fewer days."})
    return found, account.currency


def _name(found: AccountStatement) -> str:
    return f"statement-{found.span.first}-{found.span.last}"


OPERATIONS: Final = (
    Operation(
        method="POST", path=f"/accounts/{ACCOUNT}/pin/change", name="changePin",
        summary="Change the PIN of one's own account, proved by the one of now", roles=CALLERS,
        handler=change_pin, body=card_models.PinChange, answer=card_models.PinChanged,
        problems=("not_found", "invalid_input"),
        description="Wrong PINs count together with those keyed in by phone.",
    ),
    Operation(
        method="POST", path=f"/accounts/{ACCOUNT}/phones/remove", name="removePhone",
        summary="Take back one of one's own phones, proved by the PIN", roles=CALLERS,
        handler=forget_phone, body=card_models.PhoneRemoval, answer=account_models.Access,
        problems=("not_found", "invalid_input"),
    ),
    Operation(
        method="GET", path=f"/accounts/{ACCOUNT}/statement/csv", name="downloadStatementCsv",
        summary="Download the movements of some days as CSV", roles=OPERATORS | CALLERS,
        handler=statement_csv, query=PeriodQuery, answer=None, media="text/csv",
        problems=("not_found", "invalid_input"),
    ),
    Operation(
        method="GET", path=f"/accounts/{ACCOUNT}/statement/pdf", name="downloadStatementPdf",
        summary="Download the movements of some days as PDF, with the balances around them",
        roles=OPERATORS | CALLERS, handler=statement_as_pdf, query=PeriodQuery, answer=None,
        media="application/pdf", problems=("not_found", "invalid_input"),
    ),
    Operation(
        method="GET", path=f"/accounts/{ACCOUNT}/receipts/{TRANSFER}", name="downloadReceipt",
        summary="Download the receipt of a payment as PDF", roles=OPERATORS | CALLERS,
        handler=receipt, answer=None, media="application/pdf", problems=("not_found",),
    ),
)  # fmt: skip
