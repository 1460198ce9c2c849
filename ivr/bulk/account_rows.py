"""Rows of accounts: read each cell, compare with what is stored, decide the row's fate.

An empty cell leaves things as they are. Phones are added, never taken away. Mode and currency of
an account never change; an opening balance counts for new accounts only.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.errors import BillingError
from billing.ids import CODE
from billing.money import Micros, format_amount, parse_amount
from billing.storage.tables import accounts
from billing.wallet import TOP_UP_MAX
from ivr.bulk.fates import Change, Fate, refused
from ivr.directory.model import ACCOUNT_NUMBER, NUMBER, PIN
from ivr.directory.rows import Row, stored
from ivr.directory.rules import LANGUAGES
from ivr.tables import account_languages, phones, pins

PHONES_MAX: Final = 20
_STATE: Final = ("mode", "currency", "number", "credit_limit", "status", "posted", "held")
_CALLER: Final = accounts.c.kind == "caller"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One row that could be read; None and empty leave things as they are."""

    line: int
    code: str
    number: str | None
    mode: Literal["prepaid", "postpaid"] | None
    currency: str | None
    credit_limit: Micros | None
    opening_balance: Micros
    phones: tuple[str, ...]
    pin: str | None
    language: str | None
    status: Literal["active", "blocked"] | None


@dataclass(slots=True, kw_only=True)
class Stored:
    """What the database holds of some rows."""

    accounts: Mapping[str, Row]
    numbers: Mapping[str, Row]
    phones: Mapping[str, Row]
    languages: Mapping[str, Row]
    pins: Mapping[str, Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class PinSeen:
    """A PIN of the file against the stored hash that it was compared with."""

    stored: str | None
    same: bool


@dataclass(slots=True, kw_only=True)
class Taken:
    """What rows of the same file claimed before."""

    codes: dict[str, int] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    phones: dict[str, int] = field(default_factory=dict)


class CellWrong(Exception):
    """A cell cannot be read."""

    def __init__(self, column: str, reason: str) -> None:
        self.column, self.reason = column, reason
        super().__init__(reason)


def read_row(line: int, row: Mapping[str, str], currencies: Collection[str]) -> Wanted | Fate:
    """Read the cells of a row; the first that is wrong refuses it."""
    code = row.get("account", "").lower()
    try:
        return _read(line, code, row, currencies)
    except CellWrong as wrong:
        return refused(line, code[:64] if code.isprintable() else "", wrong.column, wrong.reason)


def _read(line: int, code: str, row: Mapping[str, str], currencies: Collection[str]) -> Wanted:
    if not CODE.fullmatch(code):
        raise CellWrong("account", "Use a-z, 0-9, dot, dash and underscore, at most 64.")
    mode = _one_of(row, "mode", ("prepaid", "postpaid"))
    currency = row.get("currency", "").upper() or None
    if currency is not None and currency not in currencies:
        raise CellWrong("currency", f"Choose one of {', '.join(sorted(currencies))}.")
    numbers = tuple(
        re.sub(r"[()+-]", "", part) for part in re.split(r"[\s,;|/]+", row.get("phones", ""))
        if part
    )  # fmt: skip
    if len(numbers) > PHONES_MAX or not all(NUMBER.fullmatch(number) for number in numbers):
        raise CellWrong("phones", "Phones are 2 to 20 digits each, with blanks between them.")
    return Wanted(
        line=line,
        code=code,
        number=_form(row, "number", ACCOUNT_NUMBER, "An account number is 4 to 12 digits."),
        mode=mode,  # type: ignore[arg-type]  # one of the two
        currency=currency,
        credit_limit=_amount(row, "credit_limit"),
        opening_balance=_amount(row, "opening_balance") or 0,
        phones=tuple(dict.fromkeys(numbers)),
        pin=_form(row, "pin", PIN, "A PIN is 4 to 12 digits."),
        language=_one_of(row, "language", LANGUAGES),
        status=_one_of(row, "status", ("active", "blocked")),  # type: ignore[arg-type]  # as above
    )


def _one_of(row: Mapping[str, str], column: str, known: Sequence[str]) -> str | None:
    text = row.get(column, "").lower()
    if text and text not in known:
        raise CellWrong(column, f"Write one of {', '.join(known)}.")
    return text or None


def _form(row: Mapping[str, str], column: str, pattern: re.Pattern[str], reason: str) -> str | None:
    text = row.get(column, "")
    if text and not pattern.fullmatch(text):
        raise CellWrong(column, reason)
    return text or None


def _amount(row: Mapping[str, str], column: str) -> Micros | None:
    text = row.get(column, "")
    if not text:
        return None
    try:
        amount = parse_amount(text)
    except BillingError:
        raise CellWrong(column, "Write an amount such as 12.50.") from None
    if not 0 <= amount <= TOP_UP_MAX:
        raise CellWrong(column, "Write an amount from 0 to 1,000,000.")
    return amount


async def load(connection: AsyncConnection, wanted: Sequence[Wanted]) -> Stored:
    """Read what the database holds of these rows."""
    codes = [one.code for one in wanted]
    return Stored(
        accounts=await stored(connection, accounts.c.code, codes, _STATE, only=_CALLER),
        numbers=await stored(
            connection, accounts.c.number, [one.number for one in wanted if one.number], ("code",)
        ),
        phones=await stored(
            connection,
            phones.c.number,
            [number for one in wanted for number in one.phones],
            ("account",),
        ),
        languages=await stored(connection, account_languages.c.account, codes, ("language",)),
        pins=await stored(connection, pins.c.account, codes, ("pin_hash",)),
    )


async def lock(connection: AsyncConnection, codes: Sequence[str]) -> None:
    """Let nobody move the money of these accounts until the transaction ends."""
    condition = (_CALLER & accounts.c.code.in_(codes)) | (accounts.c.kind == "funding")
    query: Any = select(accounts.c.id).where(condition)  # Any: a select of one column
    await connection.execute(query.order_by(accounts.c.id).with_for_update())


def decide(one: Wanted, held: Stored, seen: Mapping[str, PinSeen], taken: Taken) -> Fate:
    """Decide what becomes of a row."""
    before = held.accounts.get(one.code)
    if problem := _claimed(one, held, taken) or (
        _forbidden(one, before) if before else _incomplete(one)
    ):
        return problem
    taken.codes[one.code] = one.line
    if one.number:
        taken.numbers[one.number] = one.line
    taken.phones.update(dict.fromkeys(one.phones, one.line))
    changes = tuple(_changes(one, before or {}, held, seen))
    what = "new" if before is None else "changed" if changes else "unchanged"
    return Fate(line=one.line, subject=one.code, what=what, changes=changes)  # type: ignore[arg-type]  # one of the three


def _claimed(one: Wanted, held: Stored, taken: Taken) -> Fate | None:
    """Refuse what somebody else has, in the database or further up in the file."""
    if one.code in taken.codes:
        said = f"Stands on line {taken.codes[one.code]} already."
        return refused(one.line, one.code, "account", said)
    if one.number:
        owner = held.numbers.get(one.number)
        if owner and owner["code"] != one.code:
            said = f"The number {one.number} belongs to {owner['code']}."
            return refused(one.line, one.code, "number", said)
        if one.number in taken.numbers:
            said = f"The number {one.number} stands on line {taken.numbers[one.number]} already."
            return refused(one.line, one.code, "number", said)
    for phone in one.phones:
        owner = held.phones.get(phone)
        if owner and owner["account"] != one.code:
            said = f"The phone {phone} belongs to {owner['account']}."
            return refused(one.line, one.code, "phones", said)
        if phone in taken.phones:
            said = f"The phone {phone} stands on line {taken.phones[phone]} already."
            return refused(one.line, one.code, "phones", said)
    return None


def _incomplete(one: Wanted) -> Fate | None:
    if one.currency is None:
        return refused(one.line, one.code, "currency", "A new account needs a currency.")
    if one.mode != "postpaid" and one.credit_limit:
        said = "Only a postpaid account has a credit limit."
        return refused(one.line, one.code, "credit_limit", said)
    return None


def _forbidden(one: Wanted, before: Row) -> Fate | None:
    for column, value in (("mode", one.mode), ("currency", one.currency)):
        if value is not None and value != before[column]:
            said = f"The account is {before[column]}, and that never changes."
            return refused(one.line, one.code, column, said)
    if one.credit_limit is not None and one.credit_limit != (before["credit_limit"] or 0):
        if before["mode"] == "prepaid":
            said = "Only a postpaid account has a credit limit."
            return refused(one.line, one.code, "credit_limit", said)
        owed = before["held"] - before["posted"]
        if one.credit_limit < owed:
            said = f"{format_amount(owed)} are owed or held already."
            return refused(one.line, one.code, "credit_limit", said)
    return None


def _changes(one: Wanted, before: Row, held: Stored, seen: Mapping[str, PinSeen]) -> list[Change]:
    found: list[tuple[str, str, str]] = []
    if not before:
        found += [("mode", "", one.mode or "prepaid"), ("currency", "", one.currency or "")]
    if one.number and one.number != before.get("number"):
        found.append(("number", before.get("number") or "", one.number))
    limit = before.get("credit_limit") or 0
    if one.credit_limit is not None and one.credit_limit != limit:
        was = format_amount(limit) if before else ""
        found.append(("credit_limit", was, format_amount(one.credit_limit)))
    if one.opening_balance and not before:
        found.append(("opening_balance", "", format_amount(one.opening_balance)))
    if more := [number for number in one.phones if number not in held.phones]:
        found.append(("phones", "", " ".join(more)))
    if one.pin:
        # What was compared must be what is stored now; otherwise it is a change again.
        was_hash = held.pins.get(one.code, {}).get("pin_hash")
        known = seen.get(one.code)
        if known is None or not known.same or known.stored != was_hash:
            found.append(("pin", "set" if was_hash else "", "another" if was_hash else "set"))
    spoken = held.languages.get(one.code, {}).get("language", "")
    if one.language and one.language != spoken:
        found.append(("language", spoken, one.language))
    status = before.get("status", "active")
    if one.status and one.status != status:
        found.append(("status", status if before else "", one.status))
    return [Change(field=name, before=was, after=becomes) for name, was, becomes in found]
