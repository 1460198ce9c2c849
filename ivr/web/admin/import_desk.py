"""What pages and API do with files to be imported: look, keep, apply as shown, give back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from ivr.bulk.fates import Fate
from ivr.bulk.run import Actor, read
from ivr.bulk.sheet import write_sheet
from ivr.bulk.uploads import Upload
from ivr.web.admin.accounts import currencies
from ivr.web.admin.import_jobs import importer_of, start
from ivr.web.language import gettext as _
from ivr.web.scope import Right, Who
from ivr.web.state import Web, web_of

RIGHTS: Final = {"accounts": Right.ACCOUNTS, "topups": Right.MONEY, "catalog": Right.LINES}
NAMES: Final = {"accounts": "accounts.csv", "topups": "topups.csv", "catalog": "catalog.yaml"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who sent a file: nobody else finds it again."""

    login: str
    session: str


def sender_of(who: Who) -> Sender:
    """Tell a login and its session from a token; no login has a blank in its name."""
    return Sender(login=who.login if who.session else f"key {who.login}", session=who.session)


async def look_at(running: Web, who: Who, kind: str, body: bytes) -> str:
    """Look at a file and keep it with what would become of each row; returns the upload's id.

    Raises:
        SheetRefused: the file is not of that kind at all.

    """
    importer = importer_of(running)
    fates = await importer.look(kind, body, NAMES[kind], currencies(running))
    sender = sender_of(who)
    return await importer.uploads.keep(
        kind=kind,
        login=sender.login,
        session=sender.session,
        name=NAMES[kind],
        body=body,
        shown=[_allowed(fate, kind, who) for fate in fates],
    )


def _allowed(fate: Fate, kind: str, who: Who) -> Fate:
    """Refuse what the login may not do by hand either."""
    money = {"opening_balance", "credit_limit"}
    moves = kind == "accounts" and any(
        change.field in money and change.after != "0.00" for change in fate.changes
    )
    touches = kind == "catalog" and fate.subject.startswith(
        ("account ", "phone ", "PIN of", "language of", "billing of", "subscription")
    )
    needed = {Right.MONEY} if moves else {Right.MONEY, Right.ACCOUNTS} if touches else set()
    if not fate.acts or all(who.may(right) for right in needed):
        return fate
    said = _("Your login lacks the right to do this.")
    return Fate(line=fate.line, subject=fate.subject, what="refused", column="", reason=said)


async def find_upload(running: Web, who: Who, upload: str) -> Upload | None:
    """Find a file again; None when it is another's, or was sent too long ago."""
    sender = sender_of(who)
    async with running.reading() as connection:
        return await importer_of(running).uploads.find(
            connection, upload, login=sender.login, session=sender.session
        )


def is_blocked(upload: Upload) -> bool:
    """Tell whether nothing of it can be applied: a catalog is applied whole, or not at all."""
    return upload.kind == "catalog" and any(fate.what == "refused" for fate in upload.shown)


def rows_of(upload: Upload) -> Sequence[Fate]:
    """List what would become of each row, and of what is over what became of it."""
    if upload.state not in {"done", "failed"}:
        return upload.shown
    # What was refused from the start stays on the list.
    return (*upload.outcome, *(fate for fate in upload.shown if not fate.acts))


async def begin(request: web.Request, who: Who, upload: Upload) -> None:
    """Import what was shown; begun twice it runs once."""
    running = web_of(request)
    if is_blocked(upload) or not await importer_of(running).uploads.start(upload):
        return
    await running.note(
        who, f"import {upload.kind}", f"{len(upload.acting)} rows", after=upload.digest[:16]
    )
    start(request, upload, Actor(login=who.login, address=who.address))


async def refused_sheet(running: Web, upload: Upload) -> bytes | None:
    """Write the rows that were refused as they were sent, each with its reason.

    None when the file is gone.
    """
    body = await importer_of(running).uploads.body_of(upload)
    if body is None:
        return None
    bad = {fate.line: fate for fate in (*upload.shown, *upload.outcome) if fate.what == "refused"}
    rows: list[Sequence[str]]
    if upload.kind == "catalog":
        rows = [("line", "field", "reason")]
        rows += [(str(fate.line), fate.column, fate.reason) for fate in bad.values()]
        return write_sheet(rows)
    sheet = read(upload.kind, body)
    titles = [title for title in sheet.titles if title]
    rows = [(*titles, "line", "column", "reason")]
    rows += [
        (
            *(row.get(title, "") for title in titles),
            str(line), bad[line].column, bad[line].reason,
        )
        for line, row in sheet.rows
        if line in bad
    ]  # fmt: skip
    return write_sheet(rows)
