"""The audit log: every change with who made it, from where, and what was before and after.

Rows are only ever added; the database refuses to change or delete one.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

from aiohttp import web
from pydantic import ValidationError

from billing.clock import microseconds_of, moment_of
from ivr.spreadsheet import harmless
from ivr.web.downloads import send_parts
from ivr.web.fields import (
    PAGE_SIZE,
    OptionalDay,
    OptionalLine,
    PageInput,
    read_cursor,
    write_cursor,
)
from ivr.web.guard import Page, read_query, render
from ivr.web.language import viewer
from ivr.web.lists import first_link, next_link, read_filter
from ivr.web.problems import Refusal, messages
from ivr.web.queries.audit import AuditFilter, AuditItem, list_audit
from ivr.web.reasons import english_of
from ivr.web.scope import CLIENTS, OPERATORS, REFERRERS, RESELLERS, Right, Role, Who
from ivr.web.state import Web, web_of

CSV_ROWS_MAX: Final = 50_000
CSV_ROWS_AT_ONCE: Final = 500
ID_MAX: Final = 1 << 62
COLUMNS: Final = ("at", "who", "role", "company", "address", "action", "subject", "before", "after")


class AuditForm(PageInput):
    """The filter, both days included."""

    who: OptionalLine = None
    what: OptionalLine = None
    subject: OptionalLine = None
    first: OptionalDay = None
    last: OptionalDay = None

    def wanted(self) -> AuditFilter:
        """Return the filter for the query."""
        found = audit_filter(
            self.who, self.what, self.subject, self.first, self.last, zone=viewer().zone
        )
        return replace(found, actions=english_of(self.what)) if self.what else found


def audit_filter(
    who: str | None,
    what: str | None,
    subject: str | None,
    first: date | None,
    last: date | None,
    *,
    zone: tzinfo = UTC,
) -> AuditFilter:
    """Make a filter of the days of a time zone, both included."""
    return AuditFilter(
        actor=who,
        action=what,
        subject=subject,
        from_us=_midnight(first, zone) if first else None,
        until_us=_midnight(last + timedelta(days=1), zone) if last else None,
    )


def _midnight(day: date, zone: tzinfo) -> int:
    return microseconds_of(datetime.combine(day, time(), tzinfo=zone))


async def show(request: web.Request, who: Who) -> web.Response:
    """List changes, newest first."""
    form = read_filter(request, AuditForm)
    place = read_cursor(request.query.get("after", ""), int)
    async with web_of(request).reading() as connection:
        found = await list_audit(
            connection,
            who.scope,
            form.value.wanted(),
            after=place[0] if place else None,
            limit=PAGE_SIZE + 1,
        )
    cursor = write_cursor(found[PAGE_SIZE - 1].id) if len(found) > PAGE_SIZE else None
    values = {
        "changes": found[:PAGE_SIZE],
        "form": form,
        "filtered": any(form.value.model_dump().values()),
        "csv": f"{request.path}.csv?{request.query_string}",
        "next": next_link(request, cursor),
        "first": first_link(request),
    }
    return render(request, "logins/audit.html", who, values)


async def download(request: web.Request, who: Who) -> web.StreamResponse:
    """Answer the same rows as CSV."""
    try:
        form = AuditForm.model_validate(read_query(request))
    except ValidationError as error:
        fields = messages(error)
        raise Refusal("invalid", " ".join(fields.values()), fields=fields) from None
    parts = csv_parts(web_of(request), who, form.wanted())
    return await send_parts(request, parts, name="audit.csv")


async def csv_parts(running: Web, who: Who, wanted: AuditFilter) -> AsyncGenerator[bytes, None]:
    """Write changes as CSV, newest first, some at a time."""
    head = [COLUMNS]
    after: int | None = None
    for _number in range(CSV_ROWS_MAX // CSV_ROWS_AT_ONCE):
        async with running.reading() as connection:
            found = await list_audit(
                connection, who.scope, wanted, after=after, limit=CSV_ROWS_AT_ONCE
            )
        yield _csv([*head, *map(_cells, found)])
        head = []
        if len(found) < CSV_ROWS_AT_ONCE:
            break
        after = found[-1].id


def _csv(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _cells(item: AuditItem) -> list[str]:
    """Write a change; text that a spreadsheet would take for a formula begins with a quote."""
    cells = (item.actor, item.role, item.company, item.address, item.action, item.subject)
    return [
        moment_of(item.at_us).isoformat(),
        *(harmless(cell or "") for cell in (*cells, item.before, item.after)),
    ]


def _pages(home: str, roles: frozenset[Role]) -> tuple[Page, ...]:
    path, users = f"{home}/audit", Right.USERS
    return (
        Page(method="GET", path=path, roles=roles, handler=show, right=users),
        Page(method="GET", path=f"{path}.csv", roles=roles, handler=download, right=users),
    )


PAGES: Final = (
    *_pages("/admin", OPERATORS),
    *_pages("/portal", CLIENTS | RESELLERS | REFERRERS),
)
