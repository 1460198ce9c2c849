"""Lists and details of calls, the same for every role: the scope decides what they hold."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from aiohttp import web
from pydantic import model_validator

from billing.refunds import Refunds
from ivr.web.explain import explain, parties
from ivr.web.fields import (
    PAGE_SIZE,
    OptionalCode,
    OptionalDay,
    OptionalNumber,
    PageInput,
    read_cursor,
    write_cursor,
)
from ivr.web.guard import render
from ivr.web.lists import first_link, next_link, read_filter
from ivr.web.live import LiveCall
from ivr.web.moments import moments
from ivr.web.pictures import TIMELINE_WIDTH, Stretch, timeline
from ivr.web.queries.calls import CallDetail, CallFilter, CallItem, find_call, list_calls
from ivr.web.queries.desk import sounds_of
from ivr.web.queries.listenings import listenings_of
from ivr.web.scope import Role, Scope, Who
from ivr.web.state import web_of

CALL_PATH: Final = "{call_id:[0-9a-f-]{36}}"
RECENT: Final = 10


class CallForm(PageInput):
    """The filter of a list of calls."""

    did: OptionalNumber = None
    account: OptionalCode = None
    client: OptionalCode = None
    outcome: Literal["", "talked", "free", "review"] = ""
    first: OptionalDay = None
    last: OptionalDay = None

    @model_validator(mode="after")
    def _in_order(self) -> CallForm:
        if self.first is not None and self.last is not None and self.last < self.first:
            raise ValueError("the last day is before the first")
        return self

    def wanted(self) -> CallFilter:
        """Return the filter."""
        return CallFilter(
            did=self.did,
            account=self.account,
            client=self.client,
            outcome=self.outcome or None,
            first=self.first,
            last=self.last,
        )


async def page_of_calls(
    request: web.Request, scope: Scope, wanted: CallFilter
) -> tuple[list[CallItem], str | None]:
    """Read one page of calls and where the next begins."""
    place = read_cursor(request.query.get("after", ""), int, str)
    async with web_of(request).reading() as connection:
        items = await list_calls(
            connection,
            scope,
            wanted,
            after=(place[0], place[1]) if place else None,
            limit=PAGE_SIZE + 1,
        )
    if len(items) <= PAGE_SIZE:
        return items, None
    last = items[PAGE_SIZE - 1]
    return items[:PAGE_SIZE], write_cursor(last.started_us, last.id)


async def list_page(request: web.Request, who: Who, template: str) -> web.Response:
    """Show a list of calls."""
    form = read_filter(request, CallForm)
    items, cursor = await page_of_calls(request, who.scope, form.value.wanted())
    return render(
        request,
        template,
        who,
        {
            "calls": items,
            "form": form,
            "filtered": any(form.value.model_dump().values()),
            "next": next_link(request, cursor),
            "first": first_link(request),
            "live": live_rows(request, who.scope),
        },
    )


async def detail_page(
    request: web.Request,
    who: Who,
    *,
    form: Mapping[str, object] | None = None,
    status: int = 200,
) -> web.Response:
    """Show one call: what happened, what each line of its cost is, who got what, what went back.

    `form` is that of a refund, for who may give one.
    """
    running = web_of(request)
    async with running.reading() as connection:
        detail = await find_call(connection, who.scope, request.match_info["call_id"])
        sounds = await sounds_of(connection, who.scope, detail.item.id)
        listeners = await listenings_of(connection, who.scope, detail.item.id)
    stretches = _stretches(detail, now_us=running.now_us())
    explanation = explain(detail)
    refunds = Refunds(engine=running.deps.engine, clock=running.deps.clock)
    given = await refunds.of_session(detail.item.id)
    return render(
        request,
        "call.html",
        who,
        {
            "call": detail.item,
            "detail": detail,
            "explanation": explanation,
            "parties": parties(detail) if who.scope.sees_split else (),
            "stretches": stretches,
            "width": TIMELINE_WIDTH,
            "sounds": sounds,
            "listeners": listeners,
            "moments": moments(
                detail, stretches, explanation, sees_operators=who.role is not Role.CALLER
            ),
            "refunds": given,
            "left": (detail.item.cost or 0) - sum(one.amount for one in given),
            "form": form,
        },
        status=status,
    )


def _stretches(detail: CallDetail, *, now_us: int) -> tuple[Stretch, ...]:
    item = detail.item
    talked = item.answered_us is not None and item.talk_us > 0
    talk = (item.answered_us or 0, (item.answered_us or 0) + item.talk_us) if talked else None
    return timeline(
        detail.timeline,
        started_us=item.started_us,
        ended_us=item.ended_us or detail.talk_ended_us or now_us,
        talk=talk,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveList:
    """The live calls that a visitor may see; `mark` changes when one comes or goes."""

    calls: tuple[LiveCall, ...]
    mark: str


def live_rows(request: web.Request, scope: Scope) -> LiveList:
    """List the live calls that the visitor may see."""
    found = tuple(call for call in web_of(request).deps.live.snapshot() if scope.sees(call))
    ids = ",".join(sorted(call.id for call in found))
    return LiveList(calls=found, mark=hashlib.sha256(ids.encode()).hexdigest()[:16])


def live_fragment(request: web.Request, who: Who) -> web.Response:
    """Answer the live calls alone; the page asks every second, and looks anew when they change."""
    live = live_rows(request, who.scope)
    response = render(request, "partials/live.html", who, {"live": live})
    if request.query.get("mark", live.mark) != live.mark:
        response.headers["HX-Trigger"] = "calls-changed"
    return response
