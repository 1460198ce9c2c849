"""Live calls, ticking: the list, and one call with what can be done to it.

The list and the figures of a call are fragments that the page asks for each second; forms stand
outside of them, so that nobody types into something that is replaced. When a call is over its page
gives way to its record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from aiohttp import web
from pydantic import Field

from billing.money import format_amount
from ivr.web.call_pages import CALL_PATH, live_rows
from ivr.web.fields import Line, PageInput
from ivr.web.forms import FormKey, attempt, new_key, read_sent
from ivr.web.guard import Page, render
from ivr.web.language import gettext as _
from ivr.web.live import LiveCall
from ivr.web.problems import Refusal
from ivr.web.queries.calls import find_call
from ivr.web.scope import CLIENTS, OPERATORS, Right, Role, Who
from ivr.web.state import web_of

BAR_WIDTH: Final = 100.0
EXTEND_MINUTES: Final = (1, 2, 5, 10, 15, 30)
MINUTES_MAX: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveView:
    """A live call and what follows from its figures; seconds are of talk that is left."""

    call: LiveCall
    done: float  # of the bar
    held: float
    tier: float | None
    tier_in_seconds: int | None
    ends_in_seconds: int | None

    @property
    def is_ending(self) -> bool:
        """Tell whether the end is so near that somebody may want to do something."""
        return self.ends_in_seconds is not None and self.ends_in_seconds <= MINUTES_MAX


def view(call: LiveCall) -> LiveView:
    """Work out the bar of a call: talk so far, talk that money is held for, the next price."""
    talked = int(call.talk_seconds)
    end = call.ends_after_seconds
    whole = max(end or 0, call.granted_seconds, talked, 1)
    tier = call.next_tier_seconds
    if tier is not None and end is not None and tier >= end:
        tier = None  # the talk ends before
    return LiveView(
        call=call,
        done=_part(talked, whole),
        held=_part(call.granted_seconds, whole),
        tier=_part(tier, whole) if tier is not None and tier < whole else None,
        tier_in_seconds=max(0, tier - talked) if tier is not None else None,
        ends_in_seconds=max(0, end - talked) if end is not None else None,
    )


def _part(seconds: int, whole: int) -> float:
    return round(min(1.0, seconds / whole) * BAR_WIDTH, 2)


class ExtendForm(PageInput):
    """More talk for a call."""

    minutes: Annotated[int, Field(ge=1, le=MINUTES_MAX)]
    reason: Annotated[Line, Field(min_length=1)]
    key: FormKey


class ListenForm(PageInput):
    """Listening to a talk."""

    phone: Annotated[Line, Field(max_length=80)]
    why: Annotated[Line, Field(min_length=1)]


async def show(request: web.Request, who: Who) -> web.Response:
    """Show the list."""
    return render(request, "live.html", who, _list(request, who))


async def rows(request: web.Request, who: Who) -> web.Response:
    """Answer the list alone."""
    return render(request, "partials/live_board.html", who, _list(request, who))


def _list(request: web.Request, who: Who) -> dict[str, object]:
    return {"views": [view(call) for call in live_rows(request, who.scope).calls]}


async def show_one(request: web.Request, who: Who) -> web.StreamResponse:
    """Show one call."""
    return await _one_page(request, who, typed={}, errors={})


async def _one_page(
    request: web.Request, who: Who, *, typed: Mapping[str, str], errors: Mapping[str, str]
) -> web.StreamResponse:
    call = _find(request, who)
    if call is None:
        raise web.HTTPSeeOther(await _record(request, who))
    phones = web_of(request).deps.listening.phones(who.login, call.client)
    values = {
        "phones": phones,
        "listens": "listens" in request.query,
        "view": view(call),
        "typed": typed,
        "errors": errors,
        "key": new_key(),
        "minutes": EXTEND_MINUTES,
    }
    return render(request, "live_call.html", who, values, status=422 if errors else 200)


async def now(request: web.Request, who: Who) -> web.StreamResponse:
    """Answer the figures of one call alone; once it is over the browser goes to its record."""
    call = _find(request, who)
    if call is None:
        return web.Response(headers={"HX-Redirect": await _record(request, who)})
    return render(request, "partials/live_now.html", who, {"view": view(call)})


async def _record(request: web.Request, who: Who) -> str:
    """Say where the record of a call is that is over, to those who may see it."""
    call_id = request.match_info["call_id"]
    async with web_of(request).reading() as connection:
        await find_call(connection, who.scope, call_id)
    return f"{who.home}/calls/{call_id}"


def _find(request: web.Request, who: Who) -> LiveCall | None:
    wanted = request.match_info["call_id"]
    calls = live_rows(request, who.scope).calls
    return next((call for call in calls if call.id == wanted), None)


async def extend(request: web.Request, who: Who) -> web.StreamResponse:
    """Give a call more talk, once per form."""
    call_id = request.match_info["call_id"]
    sent = await read_sent(request, ExtendForm)
    form = sent.value
    if form is None:
        return await _one_page(request, who, typed=sent.typed, errors=sent.errors)
    running = web_of(request)
    done, refused = await attempt(
        running.deps.control.extend(
            call_id, minutes=form.minutes, key=form.key, actor=who.login, reason=form.reason
        )
    )
    if refused:
        return await _one_page(request, who, typed=sent.typed, errors={"minutes": refused})
    if done is None:
        raise Refusal("not_found", _("This call is over already."))
    if not done.done:
        paid = f", {format_amount(done.amount)} {done.currency}" if done.amount else ""
        after = f"{form.minutes} min{paid}: {form.reason}"
        await running.note(who, "extend call", call_id, after=after)
    raise web.HTTPSeeOther(f"{who.home}/live/{call_id}")


async def listen(request: web.Request, who: Who) -> web.StreamResponse:
    """Let a phone ring that hears the talk; what allowed it and who did it is written down."""
    call = _find(request, who)
    if call is None:
        raise Refusal("not_found", _("This call is over already."))
    sent = await read_sent(request, ListenForm)
    form = sent.value
    if form is None:
        return await _one_page(request, who, typed=sent.typed, errors=sent.errors)
    running = web_of(request)
    done, refused = await attempt(
        running.deps.listening.listen(call.id, login=who.login, phone=form.phone, reason=form.why)
    )
    if refused:
        return await _one_page(request, who, typed=sent.typed, errors={"phone": refused})
    if done is None:
        raise Refusal("not_found", _("This call is over already."))
    await running.note(who, "listen to call", call.id, after=f"{form.phone}: {form.why}")
    raise web.HTTPSeeOther(f"{who.home}/live/{call.id}?listens=1")


def _pages(role: Role, home: str) -> tuple[Page, ...]:
    roles = OPERATORS if role is Role.OPERATOR else CLIENTS
    one = f"{home}/live/{CALL_PATH}"
    return (
        Page(method="GET", path=f"{home}/live", roles=roles, handler=show),
        Page(method="GET", path=f"{home}/live/rows", roles=roles, handler=rows),
        Page(method="GET", path=one, roles=roles, handler=show_one),
        Page(method="GET", path=f"{one}/now", roles=roles, handler=now),
        Page(method="POST", path=f"{one}/listen", roles=roles, handler=listen, right=Right.CALLS),
    )


PAGES: Final = (
    *_pages(Role.OPERATOR, "/admin"),
    *_pages(Role.CLIENT, "/portal"),
    Page(
        method="POST",
        path=f"/admin/live/{CALL_PATH}/extend",
        roles=OPERATORS,
        handler=extend,
        right=Right.CALLS,
    ),
)
