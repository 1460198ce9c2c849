"""Alarms: what is on, who looks after it, and what was."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import Field

from ivr.alarms.store import acknowledge, list_alarms, open_alarms
from ivr.web.alarm_words import words
from ivr.web.fields import PAGE_SIZE, Line, PageInput, read_cursor, write_cursor
from ivr.web.forms import read_sent
from ivr.web.guard import Page, render
from ivr.web.language import gettext as _
from ivr.web.lists import first_link, next_link, read_filter
from ivr.web.problems import Refusal
from ivr.web.scope import OPERATORS, Right, Who
from ivr.web.state import web_of

ALARM_PATH: Final = "{alarm:[0-9a-f-]{36}}"


class AlarmFilter(PageInput):
    """Which alarms are listed."""

    state: Literal["", "open", "acknowledged", "over"] = ""


class AcknowledgeForm(PageInput):
    """Somebody looks after an alarm."""

    note: Annotated[Line, Field(max_length=200)] = ""


async def show(request: web.Request, who: Who) -> web.Response:
    """Show what is on, and the list of all."""
    form = read_filter(request, AlarmFilter)
    place = read_cursor(request.query.get("after", ""), int, str)
    async with web_of(request).reading() as connection:
        on = await open_alarms(connection)
        found = await list_alarms(
            connection,
            after=(place[0], place[1]) if place else None,
            limit=PAGE_SIZE + 1,
            state=form.value.state,
        )
    shown = found[:PAGE_SIZE]
    cursor = write_cursor(shown[-1].opened_us, shown[-1].id) if len(found) > PAGE_SIZE else None
    return render(
        request,
        "admin/alarms.html",
        who,
        {
            "on": [words(alarm) for alarm in on if alarm.acknowledged_us is None],
            "alarms": [words(alarm) for alarm in shown],
            "form": form,
            "next": next_link(request, cursor),
            "first": first_link(request),
        },
    )


async def take(request: web.Request, who: Who) -> web.StreamResponse:
    """Acknowledge an alarm; the first who does is written down."""
    sent = await read_sent(request, AcknowledgeForm)
    note = sent.value.note if sent.value else ""
    running = web_of(request)
    alarm = await acknowledge(
        running.deps.engine,
        request.match_info["alarm"],
        who=who.login,
        note=note,
        clock=running.deps.clock,
    )
    if alarm is None:
        raise Refusal("not_found", _("There is no such alarm."))
    if alarm.acknowledged_by == who.login:
        await running.note(who, "acknowledge alarm", f"{alarm.kind} {alarm.subject}", after=note)
    raise web.HTTPSeeOther("/admin/alarms")


PAGES: Final = (
    Page(method="GET", path="/admin/alarms", roles=OPERATORS, handler=show),
    Page(
        method="POST",
        path=f"/admin/alarms/{ALARM_PATH}/acknowledge",
        roles=OPERATORS,
        handler=take,
        right=Right.CALLS,
    ),
)
