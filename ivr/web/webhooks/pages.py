"""Webhooks on the web: who is told of what, trying it, a new secret, and what became of it all.

The list adds endpoints; each has a page of its own. A secret is shown once, on the page that
answers its making, and on no other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from aiohttp import web
from pydantic import Field

from billing.money import format_amount
from ivr.web.actions import WEBHOOK_ACTIONS
from ivr.web.fields import (
    PAGE_SIZE,
    OptionalCode,
    PageInput,
    TopUpAmount,
    read_cursor,
    write_cursor,
)
from ivr.web.forms import FormKey, attempt, new_key, read_sent
from ivr.web.guard import Page, render
from ivr.web.language import gettext as _
from ivr.web.lists import first_link, next_link, read_filter
from ivr.web.problems import Refusal
from ivr.web.scope import CALLERS, CLIENTS, OPERATORS, NotYours, Right, Role, Who
from ivr.web.state import web_of
from ivr.web.webhooks import endpoints, outbox
from ivr.web.webhooks.endpoints import LOW_BALANCE, URL_MAX, Endpoint, Whose
from ivr.web.webhooks.events import EVENTS, TEST, events_for

PLACE: Final = "{webhook:[0-9a-f-]{36}}"

Id = Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$")]
Url = Annotated[str, Field(max_length=URL_MAX)]


class NewForm(PageInput):
    """A new webhook; which events is in the boxes beside."""

    client: OptionalCode = None
    url: Url
    low_balance: TopUpAmount = LOW_BALANCE
    key: FormKey


class ChangeForm(PageInput):
    """What a webhook is told from now on."""

    url: Url
    low_balance: TopUpAmount = LOW_BALANCE


class ActForm(PageInput):
    """What happens to a webhook."""

    action: Literal["enable", "disable", "rotate", "delete"]


class TestForm(PageInput):
    """Which event is tried."""

    event: str = TEST


class ReplayForm(PageInput):
    """A delivery that is sent once more."""

    delivery: Id


class LogFilter(PageInput):
    """Which deliveries are listed."""

    state: Literal["", "pending", "delivered", "failed"] = ""


def whose_of(who: Who) -> Whose:
    """Name whose webhooks a visitor has; an operator has all."""
    match who.role:
        case Role.CLIENT:
            return Whose(client=who.scope.subject or "")
        case Role.CALLER:
            return Whose(account=who.scope.subject or "")
        case Role.OPERATOR:
            return Whose()
        case _:
            raise NotYours


async def find_mine(request: web.Request, who: Who, endpoint_id: str) -> Endpoint:
    """Find a webhook of the visitor's own.

    Raises:
        Refusal: there is none, or it is somebody else's.

    """
    for endpoint in await endpoints.list_endpoints(web_of(request).deps.engine, whose_of(who)):
        if endpoint.id == endpoint_id:
            return endpoint
    raise Refusal("not_found", _("There is no such webhook."))


async def show(request: web.Request, who: Who) -> web.Response:
    """List the webhooks, and offer a new one."""
    return await _list_page(request, who)


async def _list_page(
    request: web.Request,
    who: Who,
    *,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
) -> web.Response:
    running = web_of(request)
    owner = whose_of(who).owner
    known = sorted(running.deps.directory().clients) if who.role is Role.OPERATOR else []
    values = {
        "endpoints": await endpoints.list_endpoints(running.deps.engine, whose_of(who)),
        "clients": [("", _("The installation")), *((code, code) for code in known)],
        "events": events_for(owner),
        "typed": typed or {f"e:{name}": "1" for name in endpoints.DEFAULT_EVENTS},
        "errors": errors or {},
        "low_balance": format_amount(LOW_BALANCE),
        "key": new_key(),
    }
    return render(request, "webhooks.html", who, values, status=422 if errors else 200)


async def add(request: web.Request, who: Who) -> web.StreamResponse:
    """Add a webhook; its secret is on this page and on no other."""
    sent = await read_sent(request, NewForm)
    form = sent.value
    if form is None:
        return await _list_page(request, who, typed=sent.typed, errors=sent.errors)
    running = web_of(request)
    whose = whose_of(who)
    if who.role is Role.OPERATOR:
        whose = Whose(client=form.client)
    events = _ticked(sent.typed)
    made, refused = await attempt(
        endpoints.add_endpoint(
            running.deps.engine,
            whose,
            form.url,
            clock=running.deps.clock,
            events=events,
            low_balance=form.low_balance,
            allow_plain=running.deps.webhooks_plain,
            key=f"web:{form.key}",
        )
    )
    if made is None:
        wrong = "events" if "event" in refused or "told of" in refused else "url"
        return await _list_page(request, who, typed=sent.typed, errors={wrong: refused})
    endpoint, replayed = made
    if replayed:
        raise web.HTTPSeeOther(f"{who.home}/webhooks/{endpoint.id}")
    await running.note(who, "add webhook", endpoint.id, after=_facts(endpoint))
    return await _page(request, who, endpoint, secret=endpoint.secret)


async def show_one(request: web.Request, who: Who) -> web.Response:
    """Show a webhook and what was sent to it."""
    return await _page(request, who, await find_mine(request, who, request.match_info["webhook"]))


async def _page(
    request: web.Request,
    who: Who,
    endpoint: Endpoint,
    *,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    secret: str = "",
) -> web.Response:
    running = web_of(request)
    form = read_filter(request, LogFilter)
    place = read_cursor(request.query.get("after", ""), int, str)
    found = await outbox.list_deliveries(
        running.deps.engine,
        endpoint.id,
        limit=PAGE_SIZE + 1,
        state=form.value.state or None,
        after=(place[0], place[1]) if place else None,
    )
    last: dict[str, Any] = found[PAGE_SIZE - 1] if len(found) > PAGE_SIZE else {}  # Any: columns
    cursor = write_cursor(last["created_us"], last["id"]) if last else None
    now_us = running.now_us()
    values = {
        "one": endpoint,
        "path": f"{who.home}/webhooks/{endpoint.id}",
        "deliveries": [{**each, "body": _indented(each["body"])} for each in found[:PAGE_SIZE]],
        "low_balance": format_amount(endpoint.low_balance),
        "events": events_for(endpoint.owner),
        "typed": typed or _typed_of(endpoint),
        "errors": errors or {},
        "secret": secret,
        "old_until_us": endpoint.old_until_us if (endpoint.old_until_us or 0) > now_us else None,
        "form": form,
        "next": next_link(request, cursor),
        "first": first_link(request),
    }
    return render(request, "webhook.html", who, values, status=422 if errors else 200)


async def change(request: web.Request, who: Who) -> web.StreamResponse:
    """Change what a webhook is told, and where."""
    endpoint = await find_mine(request, who, request.match_info["webhook"])
    sent = await read_sent(request, ChangeForm)
    form = sent.value
    if form is None:
        return await _page(request, who, endpoint, typed=sent.typed, errors=sent.errors)
    running = web_of(request)
    changed, refused = await attempt(
        endpoints.change_endpoint(
            running.deps.engine,
            endpoint,
            clock=running.deps.clock,
            events=_ticked(sent.typed),
            low_balance=form.low_balance,
            url=form.url,
            allow_plain=running.deps.webhooks_plain,
        )
    )
    if changed is None:
        wrong = "events" if "event" in refused else "url"
        return await _page(request, who, endpoint, typed=sent.typed, errors={wrong: refused})
    await running.note(
        who, "change webhook", endpoint.id, before=_facts(endpoint), after=_facts(changed)
    )
    raise web.HTTPSeeOther(f"{who.home}/webhooks/{endpoint.id}")


async def act(request: web.Request, who: Who) -> web.StreamResponse:
    """Switch a webhook on or off, give it a new secret, or delete it."""
    endpoint = await find_mine(request, who, request.match_info["webhook"])
    sent = await read_sent(request, ActForm)
    if sent.value is None:
        return await _page(request, who, endpoint, errors={"action": _("Choose what to do.")})
    running = web_of(request)
    engine, action = running.deps.engine, sent.value.action
    back, rotated = f"{who.home}/webhooks/{endpoint.id}", ""
    match action:
        case "rotate":
            endpoint = await endpoints.rotate_secret(engine, endpoint, clock=running.deps.clock)
            rotated = endpoint.secret
        case "delete":
            await endpoints.delete_endpoint(engine, endpoint.id)
            back = f"{who.home}/webhooks"
        case _:
            on = action == "enable"
            await endpoints.set_enabled(engine, endpoint.id, enabled=on)
    await running.note(who, WEBHOOK_ACTIONS[action], endpoint.id, before=endpoint.url)
    if rotated:
        return await _page(request, who, endpoint, secret=rotated)
    raise web.HTTPSeeOther(back)


async def test(request: web.Request, who: Who) -> web.StreamResponse:
    """Send a test, or the sample of an event."""
    endpoint = await find_mine(request, who, request.match_info["webhook"])
    sent = await read_sent(request, TestForm)
    event = sent.value.event if sent.value else TEST
    if event != TEST and (event not in EVENTS or endpoint.owner not in EVENTS[event].owners):
        return await _page(request, who, endpoint, errors={"event": _("Choose one of the list.")})
    running = web_of(request)
    await outbox.send_test(running.deps.engine, endpoint.id, clock=running.deps.clock, event=event)
    await running.note(who, "test webhook", endpoint.id, after=event)
    raise web.HTTPSeeOther(f"{who.home}/webhooks/{endpoint.id}#log")


async def replay(request: web.Request, who: Who) -> web.StreamResponse:
    """Send a delivery once more."""
    endpoint = await find_mine(request, who, request.match_info["webhook"])
    sent = await read_sent(request, ReplayForm)
    if sent.value is None:
        return await _page(request, who, endpoint, errors={"action": _("Choose a delivery.")})
    running = web_of(request)
    engine, delivery = running.deps.engine, sent.value.delivery
    if not await outbox.list_deliveries(engine, endpoint.id, limit=1, delivery=delivery):
        raise Refusal("not_found", _("There is no such delivery."))
    await outbox.replay(engine, delivery, clock=running.deps.clock)
    await running.note(who, "replay delivery", delivery)
    raise web.HTTPSeeOther(f"{who.home}/webhooks/{endpoint.id}#log")


def _indented(body: str) -> str:
    return json.dumps(json.loads(body), indent=2, ensure_ascii=False)


def _ticked(typed: Mapping[str, str]) -> list[str]:
    return [name for name in EVENTS if typed.get(f"e:{name}")]


def _typed_of(endpoint: Endpoint) -> dict[str, str]:
    return {"url": endpoint.url, **{f"e:{name}": "1" for name in endpoint.events}}


def _facts(endpoint: Endpoint) -> str:
    return f"{endpoint.url} {' '.join(endpoint.events)}"


def _pages(home: str, roles: frozenset[Role]) -> tuple[Page, ...]:
    path = f"{home}/webhooks"
    one = f"{path}/{PLACE}"
    right = Right.LINES
    return (
        Page(method="GET", path=path, roles=roles, handler=show),
        Page(method="POST", path=path, roles=roles, handler=add, right=right),
        Page(method="GET", path=one, roles=roles, handler=show_one),
        Page(method="POST", path=one, roles=roles, handler=change, right=right),
        Page(method="POST", path=f"{one}/action", roles=roles, handler=act, right=right),
        Page(method="POST", path=f"{one}/test", roles=roles, handler=test, right=right),
        Page(method="POST", path=f"{one}/replay", roles=roles, handler=replay, right=right),
    )


PAGES: Final = (
    *_pages("/admin", OPERATORS),
    *_pages("/portal", CLIENTS),
    *_pages("/account", CALLERS),
)
