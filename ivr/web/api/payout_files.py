"""Operations on files for the bank: what waits, make one, download it again at any time."""

from __future__ import annotations

from typing import Final

from billing import payout_batches
from billing.domain.payouts import BankAccount
from billing.money import format_amount
from ivr.calls.history import moment
from ivr.web.admin.payouts import batches_of
from ivr.web.api import payout_models as models
from ivr.web.api.gate import Answer, Ask, FileAnswer, Operation
from ivr.web.api.places import FILE
from ivr.web.party_money import read_bank
from ivr.web.problems import wrong_fields
from ivr.web.scope import OPERATORS, Right


async def list_all(ask: Ask) -> Answer:
    """List files, and what waits for the next one."""
    assert isinstance(ask.query, models.FilesQuery)
    query, use = ask.query, batches_of(ask.web)
    found = await use.files(before=query.place(str) or "", limit=query.reach)
    items, after = query.cut(found, lambda one: one.id)
    waiting = await use.waiting()
    return Answer(
        model=models.PayoutFiles(
            waiting=tuple(
                models.Waiting(currency=currency, payouts=count, total=format_amount(total))
                for currency, (count, total) in waiting.items()
            ),
            items=tuple(_file(one) for one in items),
            next=after,
        )
    )


async def make(ask: Ask) -> Answer:
    """Put what is approved into a file; what is in one already never is again."""
    assert isinstance(ask.body, models.NewPayoutFile)
    debtor = bank_of(ask.body.debtor, "debtor")
    done = await batches_of(ask.web).make(ask.body.currency, debtor=debtor, actor=ask.who.login)
    facts = f"{done.count} payouts, {format_amount(done.total)} {done.currency}"
    await ask.web.note(ask.who, "make payout file", done.id, after=facts)
    return Answer(model=_file(done))


async def as_csv(ask: Ask) -> FileAnswer:
    """Answer a file as CSV."""
    return await _written(ask, "csv", "text/csv", "csv")


async def as_pain(ask: Ask) -> FileAnswer:
    """Answer a file as ISO 20022 credit transfers."""
    return await _written(ask, "pain.001", "application/xml", "xml")


async def _written(ask: Ask, form: str, media: str, ending: str) -> FileAnswer:
    file_id = ask.named("file_id")
    body = await batches_of(ask.web).write(file_id, form)
    return FileAnswer(body=body, media=media, name=f"payouts-{file_id}.{ending}")


def bank_of(sent: models.Bank, place: str) -> BankAccount:
    """Read a bank account.

    Raises:
        Refusal: a bank would not take it; with the field.

    """
    found, errors = read_bank(sent.name, sent.iban, sent.bic)
    if found is None:
        fields = {f"{place}.{name}": text for name, text in errors.items()}
        raise wrong_fields(fields)
    return found


def bank_view(bank: BankAccount) -> models.BankView:
    """Write a bank account."""
    return models.BankView(name=bank.name, iban=bank.iban, bic=bank.bic)


def _file(one: payout_batches.PayoutFile) -> models.PayoutFile:
    return models.PayoutFile(
        id=one.id,
        currency=one.currency,
        debtor=bank_view(one.debtor),
        made_at=moment(one.made_us) or "",
        made_by=one.made_by,
        payouts=one.count,
        total=format_amount(one.total),
    )


OPERATIONS: Final = (
    Operation(
        method="GET", path="/payout-files", name="listPayoutFiles",
        summary="List files for the bank, newest first, and what waits for the next",
        roles=OPERATORS, handler=list_all, query=models.FilesQuery, answer=models.PayoutFiles,
    ),
    Operation(
        method="POST", path="/payout-files", name="makePayoutFile",
        summary="Put the approved payouts of a currency into a file for the bank",
        roles=OPERATORS, right=Right.MONEY, handler=make, body=models.NewPayoutFile,
        answer=models.PayoutFile, statuses=(201,), problems=("invalid_input",),
        description="Each payout is in one file: sent again, there is nothing left to put in one.",
    ),
    Operation(
        method="GET", path=f"/payout-files/{FILE}/csv", name="downloadPayoutCsv",
        summary="Download a file for the bank as CSV", roles=OPERATORS, handler=as_csv,
        answer=None, media="text/csv", problems=("unknown_payout",),
    ),
    Operation(
        method="GET", path=f"/payout-files/{FILE}/pain.001", name="downloadPayoutPain",
        summary="Download a file for the bank as ISO 20022 pain.001", roles=OPERATORS,
        handler=as_pain, answer=None, media="application/xml", problems=("unknown_payout",),
    ),
)  # fmt: skip
