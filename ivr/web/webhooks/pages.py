"""Webhooks for clients and operators: add, try, switch off, and what became of each delivery."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from aiohttp import web
from pydantic import Field

from ivr.web.fields import Code, PageInput
from ivr.web.forms import attempt, read_sent
from ivr.web.guard import Page, render
from ivr.web.language import gettext as _
from ivr.web.problems import Refusal
from ivr.web.scope import CLIENTS, OPERATORS, Right, Role, Who
from ivr.web.state import web_of
from ivr.web.webhooks import outbox
from ivr.web.webhooks.outbox import URL_MAX, Webhook

SHOWN_MAX: Final = 20
REPLAYED_MAX: Final = 500

Id = Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$")]


class HookForm(PageInput):
    """A new webhook."""

    client: Code
    url: Annotated[str, Field(max_length=URL_MAX)]


class ChangeForm(PageInput):
    """What happens to a webhook."""

    webhook: Id
    action: Literal["enable", "disable", "test", "delete"]


class ReplayForm(PageInput):
    """A delivery that is sent once more."""

    webhook: Id
    delivery: Id


async def show(request: web.Request, who: Who) -> web.Response:
    """Show the webhooks and their newest deliveries."""
    return await _page(request, who)


async def _page(
    request: web.Request,
    who: Who,
    *,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    made: Webhook | None = None,
) -> web.Response:
    running = web_of(request)
    engine, mine = running.deps.engine, who.scope.client(None)
    known = sorted(running.deps.directory().clients)
    hooks: list[tuple[Webhook, list[dict[str, Any]]]] = [  # Any: columns of many types
        (hook, await outbox.list_deliveries(engine, hook.id, limit=SHOWN_MAX))
        for hook in await outbox.list_webhooks(engine, mine)
    ]
    values = {
        "hooks": hooks,
        "clients": [(code, code) for code in known if mine in {None, code}],
        "typed": typed or {},
        "errors": errors or {},
        "made": made,
    }
    return render(request, "webhooks.html", who, values, status=422 if errors else 200)


async def add(request: web.Request, who: Who) -> web.StreamResponse:
    """Add a webhook; its secret is on this page and on no other."""
    sent = await read_sent(request, HookForm)
    form = sent.value
    if form is None:
        return await _page(request, who, typed=sent.typed, errors=sent.errors)
    if who.scope.client(form.client) != form.client:
        raise Refusal("not_found", "There is no such client.")
    deps = web_of(request).deps
    hook, refused = await attempt(
        outbox.add_webhook(
            deps.engine, form.client, form.url, clock=deps.clock, allow_plain=deps.webhooks_plain
        )
    )
    if hook is None:
        return await _page(request, who, typed=sent.typed, errors={"url": refused})
    await web_of(request).note(who, "add webhook", hook.id, after=form.url)
    return await _page(request, who, made=hook)


async def change(request: web.Request, who: Who) -> web.StreamResponse:
    """Enable, disable, try or delete a webhook."""
    sent = await read_sent(request, ChangeForm)
    form = sent.value
    if form is None:
        return await _page(request, who, errors={"webhook": _("The form was incomplete.")})
    hook = await _mine(request, who, form.webhook)
    running = web_of(request)
    engine = running.deps.engine
    match form.action:
        case "test":
            await outbox.send_test(engine, hook.id, clock=running.deps.clock)
        case "delete":
            await outbox.delete_webhook(engine, hook.id)
        case _:
            await outbox.set_enabled(engine, hook.id, enabled=form.action == "enable")
    await running.note(who, f"{form.action} webhook", hook.id, before=hook.url)
    raise web.HTTPSeeOther(f"{who.home}/webhooks")


async def replay(request: web.Request, who: Who) -> web.StreamResponse:
    """Send a delivery once more."""
    sent = await read_sent(request, ReplayForm)
    form = sent.value
    if form is None:
        return await _page(request, who, errors={"webhook": _("The form was incomplete.")})
    hook = await _mine(request, who, form.webhook)
    running = web_of(request)
    listed = await outbox.list_deliveries(running.deps.engine, hook.id, limit=REPLAYED_MAX)
    if form.delivery not in {each["id"] for each in listed}:
        raise Refusal("not_found", "There is no such delivery.")
    await outbox.replay(running.deps.engine, form.delivery, clock=running.deps.clock)
    await running.note(who, "replay delivery", form.delivery)
    raise web.HTTPSeeOther(f"{who.home}/webhooks")


async def _mine(request: web.Request, who: Who, hook_id: str) -> Webhook:
    """Find a webhook of the visitor's own.

    Raises:
        Refusal: there is none, or it is somebody else's.

    """
    hooks = await outbox.list_webhooks(web_of(request).deps.engine, who.scope.client(None))
    for hook in hooks:
        if hook.id == hook_id:
            return hook
    raise Refusal("not_found", "There is no such webhook.")


def _pages(home: str, roles: frozenset[Role]) -> tuple[Page, ...]:
    path = f"{home}/webhooks"
    return (
        Page(method="GET", path=path, roles=roles, handler=show),
        Page(method="POST", path=path, roles=roles, handler=add, right=Right.LINES),
        Page(method="POST", path=f"{path}/change", roles=roles, handler=change, right=Right.LINES),
        Page(method="POST", path=f"{path}/replay", roles=roles, handler=replay, right=Right.LINES),
    )


PAGES: Final = (*_pages("/admin", OPERATORS), *_pages("/portal", CLIENTS))
