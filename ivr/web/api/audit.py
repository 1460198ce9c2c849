"""Operations on the audit log: page by page, and as the file that its page offers."""

from __future__ import annotations

from typing import Final

from ivr.calls.history import moment
from ivr.web.api import login_models as models
from ivr.web.api.gate import Answer, Ask, LongFile, Operation
from ivr.web.api.logins import MANAGERS
from ivr.web.logins.audit_pages import csv_parts
from ivr.web.queries.audit import AuditItem, list_audit
from ivr.web.scope import Right


async def show_audit(ask: Ask) -> Answer:
    """List changes."""
    assert isinstance(ask.query, models.AuditQuery)
    query = ask.query
    async with ask.web.reading() as connection:
        found = await list_audit(
            connection, ask.who.scope, query.wanted(), after=query.place(int), limit=query.reach
        )
    items, after = query.cut(found, lambda one: one.id)
    return Answer(model=models.AuditLog(items=tuple(map(_entry, items)), next=after))


async def export_audit(ask: Ask) -> LongFile:
    """Answer the same changes as a file."""
    assert isinstance(ask.query, models.AuditExportQuery)
    parts = csv_parts(ask.web, ask.who, ask.query.wanted())
    return LongFile(parts=parts, media="text/csv", name="audit.csv")


def _entry(item: AuditItem) -> models.AuditEntry:
    return models.AuditEntry(
        id=item.id,
        at=moment(item.at_us) or "",
        who=item.actor,
        role=item.role,
        company=item.company,
        address=item.address,
        action=item.action,
        subject=item.subject,
        before=item.before,
        after=item.after,
    )


OPERATIONS: Final = (
    Operation(
        method="GET", path="/audit", name="listAudit",
        summary="List changes with who made them, before and after, newest first",
        description="A company sees what its own logins and tokens did.", roles=MANAGERS,
        right=Right.USERS, handler=show_audit, query=models.AuditQuery, answer=models.AuditLog,
    ),
    Operation(
        method="GET", path="/exports/audit", name="exportAudit",
        summary="Download changes as CSV, at most 50,000, newest first", roles=MANAGERS,
        right=Right.USERS, handler=export_audit, query=models.AuditExportQuery, answer=None,
        media="text/csv", streamed=True,
    ),
)  # fmt: skip
