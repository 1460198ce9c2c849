"""The audit log as rows: an operator sees all of it, a company what its own logins did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, false, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from ivr.tables import audit_log
from ivr.web.scope import Role, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """What a list shows; `subject` begins what was changed, the moments are [from, until)."""

    actor: str | None = None
    action: str | None = None
    # Whole actions that are found beside those that contain `action`.
    actions: tuple[str, ...] = ()
    subject: str | None = None
    from_us: int | None = None
    until_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditItem:
    """Who changed what, from where, before and after."""

    id: int
    at_us: int
    actor: str
    role: str | None
    company: str | None
    address: str | None
    action: str
    subject: str | None
    before: str | None
    after: str | None


async def list_audit(
    connection: AsyncConnection,
    scope: Scope,
    wanted: AuditFilter,
    *,
    after: int | None = None,
    limit: int,
) -> list[AuditItem]:
    """List changes, newest first; `after` is the id of the last one before."""
    query = (
        select(audit_log)
        .where(_mine(scope), *_conditions(wanted))
        .order_by(audit_log.c.id.desc())
        .limit(limit)
    )
    if after is not None:
        query = query.where(audit_log.c.id < after)
    return [_item(row) for row in await connection.execute(query)]


def _mine(scope: Scope) -> ColumnElement[bool]:
    if scope.role is Role.OPERATOR:
        return true()
    if scope.role is Role.CALLER or not scope.subject:
        return false()
    return and_(audit_log.c.role == scope.role.value, audit_log.c.company == scope.subject)


def _conditions(wanted: AuditFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.actor is not None:
        conditions.append(audit_log.c.actor == wanted.actor)
    if wanted.action is not None:
        told = audit_log.c.action.contains(wanted.action.lower(), autoescape=True)
        conditions.append(told | audit_log.c.action.in_(wanted.actions))
    if wanted.subject is not None:
        conditions.append(audit_log.c.subject.startswith(wanted.subject, autoescape=True))
    if wanted.from_us is not None:
        conditions.append(audit_log.c.at_us >= wanted.from_us)
    if wanted.until_us is not None:
        conditions.append(audit_log.c.at_us < wanted.until_us)
    return conditions


def _item(row: Row[Any]) -> AuditItem:  # Any: a row of many column types
    return AuditItem(
        id=row.id,
        at_us=row.at_us,
        actor=row.actor,
        role=row.role,
        company=row.company,
        address=row.address,
        action=row.action,
        subject=row.subject,
        before=row.before,
        after=row.after,
    )
