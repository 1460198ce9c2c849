"""Import of top-ups: each row has a reference of its own, and the same reference credits once.

The reference is the bank's number of the transfer or any other that never comes twice: the same
file again, or half of it after a crash, moves nothing a second time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.errors import BillingError
from billing.ids import CODE
from billing.money import Micros, format_amount, parse_amount
from billing.storage.tables import accounts, entries, transfers
from billing.wallet import TOP_UP_MAX, Wallet
from ivr.bulk.fates import Change, Fate, refused
from ivr.directory.rows import KEYS_PER_READ, Row, stored

COLUMNS: Final = ("account", "amount", "currency", "reason", "reference")
NEEDED: Final = ("account", "amount", "reference")
REFERENCE_MAX: Final = 80
REASON_MAX: Final = 200
AT_ONCE: Final = 50
MOVED: Final = "This changed since it was shown. Look at the file again."


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUp:
    """One row that could be read."""

    line: int
    code: str
    amount: Micros
    currency: str
    reason: str
    reference: str

    @property
    def key(self) -> str:
        """What the ledger knows it by."""
        return f"import:{self.reference}"

    @property
    def transfer_key(self) -> str:
        """The key of its transfer."""
        return f"top_up:{self.code}:{self.key}"


def read_row(line: int, row: Mapping[str, str]) -> TopUp | Fate:
    """Read the cells of a row; the first that is wrong refuses it."""
    code, reference = row.get("account", "").lower(), row.get("reference", "")
    subject = code[:64] if code.isprintable() else ""
    if not CODE.fullmatch(code):
        return refused(line, subject, "account", "Use a-z, 0-9, dot, dash and underscore.")
    if not 0 < len(reference) <= REFERENCE_MAX or not reference.isprintable():
        said = f"Each row needs a reference of its own, of 1 to {REFERENCE_MAX} characters."
        return refused(line, subject, "reference", said)
    reason = row.get("reason", "") or f"import {reference}"
    if len(reason) > REASON_MAX or not reason.isprintable():
        return refused(line, subject, "reason", f"Write at most {REASON_MAX} characters.")
    try:
        amount = parse_amount(row.get("amount", ""))
    except BillingError:
        return refused(line, subject, "amount", "Write an amount such as 12.50.")
    if not 0 < amount <= TOP_UP_MAX:
        said = "A top-up is more than zero and at most 1,000,000."
        return refused(line, subject, "amount", said)
    return TopUp(
        line=line,
        code=code,
        amount=amount,
        currency=row.get("currency", "").upper(),
        reason=" ".join(reason.split()),
        reference=reference,
    )


async def look(engine: AsyncEngine, rows: Sequence[tuple[int, Mapping[str, str]]]) -> list[Fate]:
    """Tell what would become of each row now."""
    read = [read_row(line, row) for line, row in rows]
    wanted = [one for one in read if isinstance(one, TopUp)]
    async with engine.connect() as connection:
        known = await stored(
            connection,
            accounts.c.code,
            sorted({one.code for one in wanted}),
            ("currency",),
            only=accounts.c.kind == "caller",
        )
        booked = await _booked(connection, wanted)
    references: dict[str, int] = {}
    fates: list[Fate] = []
    for one in read:
        if isinstance(one, Fate):
            fates.append(one)
            continue
        fate = _decide(one, known, booked, references)
        references.setdefault(one.reference, one.line)
        fates.append(fate)
    return fates


def _decide(
    one: TopUp,
    known: Mapping[str, Row],
    booked: Mapping[str, Micros],
    references: Mapping[str, int],
) -> Fate:
    if one.reference in references:
        said = f"The reference stands on line {references[one.reference]} already."
        return refused(one.line, one.code, "reference", said)
    account = known.get(one.code)
    if account is None:
        return refused(one.line, one.code, "account", "There is no such account.")
    if one.currency and one.currency != account["currency"]:
        said = f"The account is kept in {account['currency']}."
        return refused(one.line, one.code, "currency", said)
    before = booked.get(one.transfer_key)
    if before is not None and before != one.amount:
        said = f"This reference credited {format_amount(before)} before."
        return refused(one.line, one.code, "reference", said)
    amount = f"{format_amount(one.amount)} {account['currency']}"
    change = Change(field="top-up", before="", after=f"{amount}: {one.reason}")
    return Fate(
        line=one.line,
        subject=one.code,
        what="new" if before is None else "unchanged",
        changes=(change,) if before is None else (),
    )


async def _booked(connection: AsyncConnection, wanted: Sequence[TopUp]) -> dict[str, Micros]:
    """Find what these references credited before, by the key of the transfer."""
    keys = [one.transfer_key for one in wanted]
    found: dict[str, Micros] = {}
    for start in range(0, len(keys), KEYS_PER_READ):
        query = (
            select(transfers.c.key, entries.c.amount)
            .join(entries, entries.c.transfer_id == transfers.c.id)
            .where(transfers.c.key.in_(keys[start : start + KEYS_PER_READ]), entries.c.amount > 0)
        )
        found |= {row.key: row.amount for row in await connection.execute(query)}
    return found


async def apply_rows(
    engine: AsyncEngine,
    wallet: Wallet,
    rows: Sequence[tuple[int, Mapping[str, str]]],
    shown: Mapping[int, Fate],
    *,
    actor: str,
) -> list[Fate]:
    """Credit rows as they were shown; returns what became of each."""
    now = {fate.line: fate for fate in await look(engine, rows)}
    read = [one for line, row in rows if isinstance(one := read_row(line, row), TopUp)]
    done: list[Fate] = []
    good: list[TopUp] = []
    for one in read:
        fate = now[one.line]
        if fate.what == "unchanged":
            done.append(fate)  # an import that was cut off had come so far
        elif fate.token == shown[one.line].token:
            good.append(one)
        else:
            done.append(refused(one.line, one.code, fate.column, fate.reason or MOVED))
    for start in range(0, len(good), AT_ONCE):
        chunk = good[start : start + AT_ONCE]
        done += await asyncio.gather(*(_credit(wallet, one, now[one.line], actor) for one in chunk))
    return done


async def _credit(wallet: Wallet, one: TopUp, fate: Fate, actor: str) -> Fate:
    try:
        await wallet.top_up(one.code, one.amount, key=one.key, actor=actor, memo=one.reason)
    except BillingError as error:
        return refused(one.line, one.code, "", f"{str(error)[:1].upper()}{str(error)[1:]}.")
    return fate
